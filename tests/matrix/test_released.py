"""Which published images are in use, and that they are proven as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.build.published import ToPublish, publish
from eggcrate.build.pulled import pull
from eggcrate.build.resolve import resolve_all
from eggcrate.errors import StoreError
from eggcrate.matrix.released import in_use, pinned
from eggcrate.packages.target import Platform
from eggcrate.progress import Silent
from eggcrate.registry import oci
from eggcrate.registry.layout import Layout
from eggcrate.registry.remote import Remote
from eggcrate.repo.monorepo import read_monorepo
from support.planning import package
from support.published import HASTY, fill_store
from support.repository import Repository, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AMD64 = Platform(os="linux", architecture="amd64")


@pytest.fixture(name="repository")
def _repository(tmp_path: Path) -> Repository:
    made = make_repository(tmp_path / "repo", tmp_path / "cache")
    made.environment("one", (package("pandas", "2.2"), package("six")))
    made.environment("two", (package("six"),))
    return made


@pytest.fixture(name="remote")
def _remote(
    registry_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Remote]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-docker"))
    name = "".join(letter for letter in tmp_path.name.lower() if letter.isalnum())
    with Remote(f"{registry_server}/released/{name}", retries=HASTY) as remote:
        yield remote


def published(repository: Repository, remote: Remote, *, stable: bool) -> dict[str, str]:
    """Publish stand-ins of everything; the digest of each environment's image."""
    fill_store(repository)
    monorepo = read_monorepo(repository.root)
    resolved, _ = resolve_all(monorepo.environments, monorepo.bases)
    digests = {}
    for item in resolved:
        name, tag = item.environment.name, item.recipe.tag
        digest = repository.store.resolve(f"{name}.{tag}").digest
        one = ToPublish(environment=name, platform="linux/amd64", tag=tag, digest=digest)
        (result,) = publish(
            [one],
            layout=repository.store,
            remote=remote,
            cache=repository.cache,
            progress=Silent(),
        )
        assert result.error is None
        if stable:
            remote.put_manifest(name, "stable", repository.store.read_blob(digest), oci.MANIFEST)
        digests[name] = digest
    return digests


def keys(repository: Repository) -> dict[str, str]:
    """The key of each environment in the working tree."""
    monorepo = read_monorepo(repository.root)
    resolved, _ = resolve_all(monorepo.environments, monorepo.bases)
    return {item.environment.name: item.recipe.key for item in resolved}


def test_stable_and_what_pipelines_pin_are_in_use(repository: Repository, remote: Remote) -> None:
    """A column for each image that is another than the tree's, with its packages and users."""
    old = published(repository, remote, stable=False)
    repository.environment("one", (package("pandas", "3.0"),))
    published(repository, remote, stable=True)
    repository.environment("one", (package("pandas", "3.1"),))
    folder = repository.root / "pipelines" / "training"
    folder.mkdir(parents=True)
    (folder / "training.yaml").write_text(
        f"image: {remote.image('one', old['one'])}\nimage: '{remote.image('one', old['one'])}'\n"
    )
    found = in_use(remote, ["one", "two"], repository.root, AMD64, keys=keys(repository))
    assert found.errors == {}
    short = old["one"][: len("sha256:") + 12]
    told = {item.column.environment: item for item in found.images}
    assert set(told) == {"one@stable", f"one@{short}"}  # two is as the tree has it
    assert told["one@stable"].column.packages == {"pandas": "3.0"}
    assert told[f"one@{short}"].column.packages == {"pandas": "2.2", "six": "1.0"}
    assert told[f"one@{short}"].used_by == ("pipelines/training/training.yaml",)
    assert all(item.column.target.minor == "3.11" for item in found.images)


def test_what_is_gone_is_told(repository: Repository, remote: Remote) -> None:
    """A pinned digest that the registry does not have is an error that names who uses it."""
    published(repository, remote, stable=False)
    folder = repository.root / "build" / "pipelines"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text(f"image: {remote.image('one', 'sha256:' + '0' * 64)}\n")
    found = in_use(remote, ["one"], repository.root, AMD64)
    assert found.images == ()
    (error,) = found.errors.values()
    assert "build/pipelines/a.yaml" in error.why
    assert in_use(remote, ["one"], repository.root, AMD64, only=["two"]).errors == {}


def test_images_of_others_are_not_ours(tmp_path: Path) -> None:
    """Only what stands right below the prefix counts, in files of compiled pipelines."""
    digest = "sha256:" + "a" * 64
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "a.yml").write_text(
        f"x: host:1/team/one@{digest}\nx: other.host:1/team/two@{digest}\n"
        f"x: host:1/team/deep/three@{digest}\nx: host:1/team/four:tag\n"
    )
    (tmp_path / "pipelines" / "a.txt").write_text(f"x: host:1/team/five@{digest}\n")
    assert pinned(tmp_path, "host:1/team") == {("one", digest): ["pipelines/a.yml"]}


def test_a_pulled_image_is_the_built_one(
    repository: Repository, remote: Remote, tmp_path: Path
) -> None:
    """It stands in another machine's store whole, under its key; pulling twice asks for nothing."""
    digests = published(repository, remote, stable=True)
    store = Layout(tmp_path / "other" / "store")
    for _ in range(2):
        found = pull(
            remote,
            "one",
            "stable",
            platform="linux/amd64",
            store=store,
            cache=tmp_path / "other" / "cache",
        )
        assert found.digest == digests["one"]
        assert store.missing(found.digest) == ()
    assert set(store.refs()) <= set(repository.store.refs())
    with pytest.raises(StoreError, match="has no"):
        pull(
            remote,
            "none",
            "stable",
            platform="linux/arm64",
            store=store,
            cache=tmp_path / "other" / "cache",
        )
