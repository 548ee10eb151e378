"""Fixtures of the registry room's tests."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from eggcrate.registry import oci
from eggcrate.registry.layout import Layout
from eggcrate.registry.remote import Remote
from eggcrate.retries import Retries
from support.registry_proxy import RegistryProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HASTY = Retries(first=0.05, ceiling=0.2)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The log-ins of whoever runs the tests are not used."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-docker"))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A store."""
    return Layout(tmp_path / "store")


@pytest.fixture
def proxy(registry_server: str) -> Iterator[RegistryProxy]:
    """A counting proxy before the session's registry."""
    with RegistryProxy(registry_server) as found:
        yield found


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    """A path in the session's registry that no other test uses."""
    name = "".join(letter for letter in tmp_path.name.lower() if letter.isalnum())
    return f"t/{name}"


@pytest.fixture
def remote(proxy: RegistryProxy, prefix: str) -> Iterator[Remote]:
    """The registry through the proxy, with little patience."""
    with Remote(f"{proxy.address}/{prefix}", retries=HASTY) as found:
        yield found


@pytest.fixture
def check_whole(
    registry_server: str, prefix: str, tmp_path: Path
) -> Callable[..., tuple[str, ...]]:
    """Everything published under the prefix is complete: each tag pulls with skopeo."""

    def check(server: str = registry_server, *options: str) -> tuple[str, ...]:
        checked = []
        with Remote(f"{server}/{prefix}", retries=HASTY) as direct:
            for name in direct.names() or ():
                for tag in direct.tags(name):
                    pull_with_skopeo(direct.image(name, tag), tmp_path, *options)
                    checked.append(f"{name}:{tag}")
        return tuple(checked)

    return check


def pull_with_skopeo(image: str, tmp_path: Path, *options: str) -> None:
    """Copy an image with skopeo, which checks each digest, and look at what arrived."""
    target = Layout(tmp_path / "skopeo")
    copy = ["skopeo", "copy", "--all", "--insecure-policy", "--src-tls-verify=false", *options]
    subprocess.run(
        [*copy, f"docker://{image}", f"oci:{target.root}:x"], check=True, capture_output=True
    )
    index = json.loads((target.root / "index.json").read_bytes())
    for item in index["manifests"]:
        assert not target.missing(oci.check_digest(item["digest"]))
