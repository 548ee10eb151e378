"""``eggcrate build --changed --push`` against a real registry, with images that are built."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate import cli
from eggcrate.build.published import ToPublish, publish
from eggcrate.build.shelf import read_shelf
from eggcrate.progress import Silent
from eggcrate.registry import session
from eggcrate.registry.remote import Remote
from eggcrate.retries import Retries
from support.published import HASTY, check_whole, fill_store
from support.registry_proxy import Answer, Fault, RegistryProxy
from support.repository import Package, Repository, copy_cache, make_repository, noise, packages
from support.services import RegistryServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Wheel = Callable[..., Path]

PUSH = ("build", "--changed", "--push", "--json")
BIG = 1_500_000
"""Bytes of a package that gets a layer of its own."""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The log-ins of whoever runs the tests are not used."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-docker"))


def set_registry(repository: Repository, prefix: str) -> None:
    """As a team would: in the repository."""
    (repository.root / "pyproject.toml").write_text(
        f'[project]\nname = "small"\nversion = "1"\n[tool.eggcrate]\nregistry = "{prefix}"\n'
    )


def push(repository: Repository, *, code: int = 0) -> dict[str, dict[str, Any]]:
    """Push what the plan says; results by environment."""
    ran = repository.run(*PUSH)
    assert (ran.code, ran.calm) == (code, True), ran.out + ran.err
    return {item["name"]: item for item in ran.results}


def plan(repository: Repository, *, code: int = 0) -> dict[str, Any]:
    """The plan's document, environments by name."""
    ran = repository.run("plan", "--json")
    assert (ran.code, ran.calm) == (code, True), ran.out + ran.err
    document: dict[str, Any] = json.loads(ran.out)
    document["environments"] = {item["name"]: item for item in document["environments"]}
    return document


def reasons(document: dict[str, Any]) -> dict[str, list[str]]:
    return {name: item["reasons"] for name, item in document["environments"].items()}


def big(wheel: Wheel, name: str, version: str = "1.0") -> Package:
    """A package with a layer of its own."""
    files = {f"{name}.bin": noise(name + version, BIG), f"{name}.py": f"V = {version!r}"}
    return packages(wheel(name, version, files=files))[0]


@pytest.fixture
def prefix(registry_server: str, tmp_path: Path) -> str:
    """A prefix that no other test uses."""
    name = "".join(letter for letter in tmp_path.name.lower() if letter.isalnum())
    return f"{registry_server}/flow/{name}"


@pytest.fixture
def two(small: Repository, wheel: Wheel, prefix: str) -> Repository:
    """Two environments that share a large package, not built yet."""
    set_registry(small, prefix)
    shared = big(wheel, "shared")
    small.environment("one", (shared, big(wheel, "changing"), *packages(wheel("tiny"))))
    small.environment("two", (shared,))
    return small


@pytest.mark.network
@pytest.mark.tools
def test_what_is_built_and_pushed_as_the_repository_changes(
    two: Repository, wheel: Wheel, prefix: str, tmp_path: Path
) -> None:
    """First push, nothing to do, a package changed, a base moved, one deleted, one renamed.

    Every tag pulls after each, and only what is new is uploaded.
    """
    assert reasons(plan(two)) == {"one": ["new"], "two": ["new"]}
    first = push(two)
    assert {item["verdict"] for item in first.values()} == {"built"}
    pushed = [item["pushed"] for item in first.values()]  # at once: which is first is open
    assert sum(item["mounted"] for item in pushed) > 1  # the base, what both share
    assert sum(item["new_bytes"] for item in pushed) < max(i["size"] for i in first.values()) + BIG
    assert len(check_whole(prefix, tmp_path)) == 2

    assert reasons(plan(two)) == {"one": [], "two": []}
    assert push(two) == {}
    assert "nothing to build" in two.run("build", "--changed", "--push").out

    files = (big(wheel, "shared"), big(wheel, "changing", "2.0"), *packages(wheel("tiny")))
    two.environment("one", files)
    told = plan(two)
    assert reasons(told) == {"one": ["lock-changed"], "two": []}
    assert told["environments"]["one"]["changes"] == [
        {"package": "changing", "from": "1.0", "to": "2.0"}
    ]
    changed = push(two)
    assert changed.keys() == {"one"}
    before = set(two.layers(first["one"]["digest"]).values())
    after = two.manifest(changed["one"]["digest"])
    new = {layer.digest: layer.size for layer in after.layers if layer.digest not in before}
    sent = changed["one"]["pushed"]
    assert sent["new_bytes"] == sum(new.values()) + after.config.size
    assert sent["uploaded"] == len(new) + 1
    assert sent["existed"] == len(after.layers) - len(new)
    assert BIG < sent["new_bytes"] < 2 * BIG
    assert len(check_whole(prefix, tmp_path)) == 3

    two.environment("two", files[:1], settings='base = "python-3.11-debug"')
    assert reasons(plan(two)) == {"one": [], "two": ["base-moved"]}
    moved = push(two)["two"]
    old = set(two.layers(first["two"]["digest"]).values())
    added = [layer for layer in two.manifest(moved["digest"]).layers if layer.digest not in old]
    assert moved["pushed"]["uploaded"] == len(added) + 1
    assert moved["layers"] == first["two"]["layers"] + len(
        added
    )  # no package's layer is another one
    assert len(check_whole(prefix, tmp_path)) == 4

    shutil.rmtree(two.root / "environments" / "two")
    assert plan(two)["retired"] == ["two"]
    assert push(two) == {}
    (two.root / "environments" / "one").rename(two.root / "environments" / "renamed")
    assert reasons(plan(two)) == {"renamed": ["new"]}
    assert plan(two)["retired"] == ["one", "two"]
    assert push(two)["renamed"]["pushed"]["uploaded"] == 1  # its configuration
    assert len(check_whole(prefix, tmp_path)) == 5


@pytest.mark.network
def test_a_new_environment_pushed_by_name_brings_only_its_own(two: Repository) -> None:
    """The plan is of one environment; the layers of the others are found all the same."""
    push(two)
    new = two.root / "environments" / "new"
    new.mkdir()
    (new / "pyproject.toml").write_text(
        (two.root / "environments" / "one" / "pyproject.toml").read_text()
    )
    shutil.copy(two.root / "environments" / "one" / "poetry.lock", new)
    ran = two.run(*PUSH, "new")
    assert ran.code == 0, ran.err
    (result,) = ran.results
    assert result["pushed"]["uploaded"] == 1  # its configuration
    assert result["pushed"]["mounted"] == result["layers"]


@pytest.mark.network
@pytest.mark.tools
def test_two_pushers_at_once(
    two: Repository, base_cache: Path, prefix: str, tmp_path: Path
) -> None:
    """Two machines with nothing in common but the registry: both end well, with one result."""
    cache = copy_cache(base_cache, tmp_path / "other-cache")
    shutil.copytree(two.root, tmp_path / "other")
    other = Repository(root=tmp_path / "other", cache=cache, pip=two.pip)
    processes = [
        subprocess.Popen(
            machine.argv(*PUSH),
            env=machine.variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for machine in (two, other)
    ]
    digests = []
    for process in processes:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, out + err
        digests.append({item["name"]: item["digest"] for item in json.loads(out)["environments"]})
    assert all(digests[0].get(name, digest) == digest for name, digest in digests[1].items())
    assert reasons(plan(two)) == reasons(plan(other)) == {"one": [], "two": []}
    assert len(check_whole(prefix, tmp_path)) == 2


@pytest.mark.network
@pytest.mark.tools
def test_a_blocked_environment_and_one_that_fails_stop_no_other(
    two: Repository, wheel: Wheel, prefix: str, tmp_path: Path
) -> None:
    """They are told, exit code 1; the others are published, and a later run needs no more."""
    gone = wheel("gone")
    two.environment("failing", packages(gone))
    gone.unlink()
    two.environment("stale", (), wanted=["missing"])
    told = push(two, code=1)
    assert {name: item["verdict"] for name, item in told.items()} == {
        "failing": "failed",
        "one": "built",
        "stale": "blocked",
        "two": "built",
    }
    assert told["failing"]["pushed"] is told["stale"]["pushed"] is None
    assert len(check_whole(prefix, tmp_path)) == 2
    assert push(two, code=1).keys() == {"failing", "stale"}


@pytest.mark.network
@pytest.mark.tools
def test_a_registry_restarted_between(
    small: Repository,
    wheel: Wheel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    """While it is away there is no plan; when it is back it knows all that was pushed."""
    with RegistryServer(tmp_path / "registry") as server:
        set_registry(small, f"{server.address}/team")
        small.environment("one", packages(wheel("one")))
        push(small)
        server.stop(kill=True)
        small.environment("two", packages(wheel("two")))
        monkeypatch.setattr(session, "Retries", functools.partial(Retries, attempts=1))
        assert cli.main(["--repo", str(small.root), "plan"]) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert server.address in told.err
        server.start()
        assert reasons(plan(small)) == {"one": [], "two": ["new"]}
        assert push(small).keys() == {"two"}
        assert len(check_whole(f"{server.address}/team", tmp_path)) == 2


@pytest.fixture
def proxy(registry_server: str) -> Iterator[RegistryProxy]:
    """The session's registry, with what a test makes go wrong."""
    with RegistryProxy(registry_server) as found:
        yield found


@pytest.fixture
def stand_ins(tmp_path: Path) -> tuple[Repository, list[ToPublish]]:
    """Images that were not built: three environments with a package in common."""
    made = make_repository(tmp_path / "repo", tmp_path / "cache")
    six = Package(name="six", version="1.0", files=(("six-1.0-py3-none-any.whl", "0" * 64),))
    for name in ("a", "b", "c"):
        made.environment(name, (six,))
    images = []
    for key, digest in fill_store(made).items():
        name, _, platform = key.partition(" ")
        images.append(ToPublish(environment=name, platform=platform, tag="key-0", digest=digest))
    return made, images


@pytest.mark.tools
@pytest.mark.parametrize("path", ["/b/manifests/key-0", "/b/blobs/uploads"])
def test_an_image_that_is_refused_stops_no_other(
    proxy: RegistryProxy,
    prefix: str,
    stand_ins: tuple[Repository, list[ToPublish]],
    path: str,
    tmp_path: Path,
) -> None:
    """Its tag never stands for something incomplete."""
    repository, images = stand_ins
    proxy.faults.append(Fault(method="P.*", path=path, times=99, answer=Answer(status=403)))
    through = prefix.replace(prefix.partition("/")[0], proxy.address)
    with Remote(through, retries=HASTY) as remote:
        results = publish(
            images,
            layout=repository.store,
            remote=remote,
            cache=repository.cache,
            progress=Silent(),
        )
    assert [one.error is None for one in results] == [True, False, True]
    assert check_whole(prefix, tmp_path) == ("a:key-0", "c:key-0")


@pytest.mark.tools
def test_shared_layers_are_uploaded_once(
    prefix: str, stand_ins: tuple[Repository, list[ToPublish]], tmp_path: Path
) -> None:
    """The second image mounts what the first has, in this run and in the next one."""
    repository, (a, b, c) = stand_ins
    with Remote(prefix, retries=HASTY) as remote:
        first = publish(
            [a, b],
            layout=repository.store,
            remote=remote,
            cache=repository.cache,
            progress=Silent(),
        )
        told = [(one.report.uploaded, one.report.mounted) for one in first if one.report]
        assert [sum(column) for column in zip(*told, strict=True)] == [4, 2]  # at once, yet once
        holders = read_shelf(remote, [("a", "key-0"), ("gone", "key-0")]).holders
        (last,) = publish(
            [c],
            layout=repository.store,
            remote=remote,
            cache=repository.cache,
            progress=Silent(),
            holders=holders,
        )
        assert last.report
        assert (last.report.uploaded, last.report.mounted) == (1, 2)
    assert len(check_whole(prefix, tmp_path)) == 3


def test_a_store_that_lost_a_blob_is_told(
    prefix: str, stand_ins: tuple[Repository, list[ToPublish]]
) -> None:
    """No traceback, and the others are published."""
    repository, images = stand_ins
    lost = repository.manifest(images[0].digest).config.digest
    repository.store.blob_path(lost).unlink()
    with Remote(prefix, retries=HASTY) as remote:
        results = publish(
            images,
            layout=repository.store,
            remote=remote,
            cache=repository.cache,
            progress=Silent(),
        )
        assert remote.tags("a") == ()
    assert [one.error is None for one in results] == [False, True, True]


@pytest.mark.parametrize("again", [False, True], ids=["plain", "forced"])
def test_a_key_names_one_image_for_good(
    prefix: str, stand_ins: tuple[Repository, list[ToPublish]], again: bool
) -> None:
    """Another image under a key that is published is told, and not pushed, even by force."""
    repository, (a, b, _) = stand_ins
    other = replace(b, environment=a.environment)
    told = Told()
    with Remote(prefix, retries=HASTY) as remote:
        publish([a], layout=repository.store, remote=remote, cache=repository.cache, progress=told)
        (result,) = publish(
            [other],
            layout=repository.store,
            remote=remote,
            cache=repository.cache,
            progress=told,
            again=again,
        )
        found = remote.resolve("a", "key-0")
    assert result.report
    assert found
    assert result.report.digest == found.digest == a.digest
    assert len(told.warnings) == 1
    assert f"was published meanwhile as {a.digest}" in told.warnings[0]


class Told(Silent):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, line: str) -> None:
        self.warnings.append(line)
