"""Code baked into a published image: in a real registry, beside the image it is put on."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from eggcrate.build.bake import bake_into_registry, bake_into_store
from eggcrate.errors import StoreError
from eggcrate.registry.layout import Layout
from eggcrate.registry.remote import Remote
from support.images import file, put_image
from support.published import HASTY, pull
from support.registry_proxy import RegistryProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.tools
FILES = {"/opt/code/components/it.py": b"x = 1\n"}


@pytest.fixture
def proxy(
    registry_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RegistryProxy]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-docker"))
    with RegistryProxy(registry_server) as found:
        yield found


@pytest.fixture
def remote(proxy: RegistryProxy, tmp_path: Path) -> Iterator[Remote]:
    prefix = "".join(letter for letter in tmp_path.name.lower() if letter.isalnum())
    with Remote(f"{proxy.address}/bake/{prefix}", retries=HASTY) as found:
        yield found


def test_only_the_code_goes_up(proxy: RegistryProxy, remote: Remote, tmp_path: Path) -> None:
    """The image's layers stay where they are; again it writes nothing; as the store has it."""
    layout = Layout(tmp_path / "store")
    large = file("opt/env/large", os.urandom(1 << 20))
    digest = put_image(layout, "python", [[large], [file("etc/x", b"y")]]).digest
    remote.push_image(layout, digest, "python", tags=["key-1"])
    proxy.up.clear()
    made = bake_into_registry(remote, "python", digest, FILES, cache=tmp_path / "cache")
    assert 0 < sum(proxy.up.values()) < 20_000
    below, above = (json.loads(remote.get_manifest("python", one)[0]) for one in (digest, made))
    assert above["layers"][:-1] == below["layers"]
    assert len(above["layers"]) == 3
    proxy.up.clear()
    again = bake_into_registry(remote, "python", digest, FILES, cache=tmp_path / "other")
    assert again == made
    assert not sum(proxy.up.values())
    assert bake_into_store(layout, "python", digest, FILES, cache=tmp_path / "cache") == made
    pull(f"docker://{remote.image('python')}@{made}", tmp_path / "pulled")
    other = bake_into_registry(
        remote, "python", digest, {**FILES, "/opt/code/y.py": b""}, cache=tmp_path / "cache"
    )
    assert other != made


def test_an_image_that_is_not_there(remote: Remote, tmp_path: Path) -> None:
    """Is an expected failure, and nothing is left behind."""
    with pytest.raises(StoreError):
        bake_into_registry(remote, "python", f"sha256:{'0' * 64}", FILES, cache=tmp_path / "cache")
    assert not list(tmp_path.rglob("baked/*"))
