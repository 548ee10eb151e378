"""Promotion moves a tag to what is published under the working tree's keys, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate import cli
from eggcrate.registry import oci
from eggcrate.registry.remote import Remote
from support.published import HASTY, check_whole, fill_store
from support.registry_proxy import Answer, Fault, RegistryProxy
from support.repository import Package, Repository, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Promote = Callable[..., dict[str, dict[str, Any]]]

BOTH = 'base = "python-3.11"\nplatforms = ["linux/amd64", "linux/arm64"]'


def package(version: str) -> Package:
    file = f"six-{version}-py3-none-any.whl"
    return Package(name="six", version=version, files=((file, version[0] * 64),))


@pytest.fixture
def proxy(registry_server: str) -> Iterator[RegistryProxy]:
    """The session's registry, with what a test makes go wrong."""
    with RegistryProxy(registry_server) as found:
        yield found


@pytest.fixture
def remote(proxy: RegistryProxy, tmp_path: Path) -> Iterator[Remote]:
    """A prefix that no other test uses."""
    name = "".join(letter for letter in tmp_path.name.lower() if letter.isalnum())
    with Remote(f"{proxy.address}/promote/{name}", retries=HASTY) as found:
        yield found


@pytest.fixture
def repository(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> Repository:
    """Two environments that are published, one of them for two platforms."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-docker"))
    monkeypatch.setenv("EGGCRATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EGGCRATE_REGISTRY", str(remote))
    made = make_repository(tmp_path / "repo", tmp_path / "cache")
    made.environment("both", (package("1.0"),), settings=BOTH)
    made.environment("one", (package("1.0"),))
    publish(made, capsys)
    return made


def publish(repository: Repository, capsys: pytest.CaptureFixture) -> dict[str, str]:
    digests = fill_store(repository)
    code = cli.main(["--repo", str(repository.root), "build", "--changed", "--push"])
    told = capsys.readouterr()
    assert code == 0, told.out + told.err
    return digests


@pytest.fixture
def promote(repository: Repository, capsys: pytest.CaptureFixture) -> Promote:
    """``promote --json``, by environment."""

    def call(*arguments: str, code: int = 0) -> dict[str, dict[str, Any]]:
        found = cli.main(["--repo", str(repository.root), "promote", "--json", *arguments])
        told = capsys.readouterr()
        assert found == code, told.out + told.err
        document = json.loads(told.out)
        assert document["schema"] == "eggcrate.promote/1"
        return {item["name"]: item for item in document["environments"]}

    return call


@pytest.mark.tools
def test_stable_moves_to_what_the_locks_name(
    promote: Promote,
    repository: Repository,
    remote: Remote,
    capsys: pytest.CaptureFixture,
    tmp_path: Path,
) -> None:
    """First, again (nothing to do), after a change, and back; each tag pulls at every time."""
    first = fill_store(repository)["one linux/amd64"]
    told = promote("one")["one"]
    assert (told["outcome"], told["from"], told["to"]) == ("moved", "", first)
    assert remote.resolve("one", "stable").digest == first
    assert promote("one")["one"]["outcome"] == "up-to-date"
    repository.environment("one", (package("2.0"),))
    second = publish(repository, capsys)["one linux/amd64"]
    assert remote.resolve("one", "stable").digest == first  # publishing moves nothing
    told = promote("one")["one"]
    assert (told["outcome"], told["from"], told["to"]) == ("moved", first, second)
    assert "one:stable" in check_whole(str(remote), tmp_path)
    repository.environment("one", (package("1.0"),))
    assert promote("one")["one"]["to"] == first
    assert remote.resolve("one", "stable").digest == first
    assert check_whole(str(remote), tmp_path)


@pytest.mark.tools
def test_several_platforms_become_an_index(
    promote: Promote, repository: Repository, remote: Remote, tmp_path: Path
) -> None:
    """Of the very manifests that are published, each with its platform."""
    digests = fill_store(repository)
    told = promote("--all")
    assert {name: item["outcome"] for name, item in told.items()} == {
        "both": "moved",
        "one": "moved",
    }
    content, described = remote.get_manifest("both", "stable")
    index = oci.parse(content)
    assert isinstance(index, oci.Index)
    assert described.media_type == oci.INDEX
    assert {f"both {item.platform}": item.digest for item in index.manifests} == {
        name: digest for name, digest in digests.items() if name.startswith("both")
    }
    assert {item["outcome"] for item in promote("--all").values()} == {"up-to-date"}
    assert "both:stable" in check_whole(str(remote), tmp_path)


def test_what_is_not_published_is_refused(
    promote: Promote, repository: Repository, remote: Remote
) -> None:
    """With the command that publishes it; the others move."""
    repository.environment("both", (package("2.0"),), settings=BOTH)
    told = promote("--all", code=1)
    assert (told["both"]["outcome"], told["one"]["outcome"]) == ("refused", "moved")
    assert "run: eggcrate build --changed --push" in told["both"]["error"]
    assert remote.resolve("both", "stable") is None


def test_a_blocked_environment_is_refused(promote: Promote, repository: Repository) -> None:
    """Its lock must be mended first."""
    repository.environment("one", (package("1.0"),), wanted=["missing"])
    told = promote("--all", code=1)
    assert (told["both"]["outcome"], told["one"]["outcome"]) == ("moved", "refused")
    assert "missing" in told["one"]["error"]


def test_one_failure_stops_no_other(promote: Promote, proxy: RegistryProxy, remote: Remote) -> None:
    """A registry that takes the tag of one environment only."""
    proxy.faults.append(
        Fault(method="PUT", path="/both/manifests/stable", times=99, answer=Answer(status=403))
    )
    told = promote("--all", code=1)
    assert (told["both"]["outcome"], told["one"]["outcome"]) == ("failed", "moved")
    assert remote.resolve("both", "stable") is None


def test_a_dry_run_moves_nothing(promote: Promote, remote: Remote) -> None:
    """It tells where each would go; so does the real run afterwards."""
    told = promote("--all", "--dry-run")
    assert {item["outcome"] for item in told.values()} == {"move"}
    assert remote.resolve("one", "stable") is None
    moved = promote("--all")
    assert {name: item["to"] for name, item in moved.items()} == {
        name: item["to"] for name, item in told.items()
    }


def test_another_tag_and_a_table(
    repository: Repository, remote: Remote, capsys: pytest.CaptureFixture
) -> None:
    """Any mutable tag will do."""
    root = str(repository.root)
    assert cli.main(["--repo", root, "promote", "one", "--tag", "2026-11"]) == 0
    line = capsys.readouterr().out.splitlines()[2].split()
    found = remote.resolve("one", "2026-11")
    assert found
    assert line == ["one", "2026-11", "moved", "-", found.digest[: len("sha256:") + 12]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--all", "--tag", "key-0123"), "key-0123 cannot be moved"),
        (("--all", "--tag", "code-0123"), "code-0123 cannot be moved"),
        (("--all", "--tag", "not a tag"), "'not a tag' cannot be a tag"),
        (("--all", "--registry", ""), "there is no registry to promote in"),
        (("none",), "there is no environment 'none'"),
        ((), "name the environments to promote, or say --all"),
    ],
)
def test_mistakes_of_usage(
    repository: Repository,
    capsys: pytest.CaptureFixture,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    """Exit code 2, nothing on standard output."""
    assert cli.main(["--repo", str(repository.root), "promote", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert sentence in told.err
