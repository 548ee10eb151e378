"""A repository under git, and the command line in this process with a real registry."""

from __future__ import annotations

import functools
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate import cli
from eggcrate.registry import session
from eggcrate.retries import Retries
from support.newly import new_world
from support.planning import commit, git, package
from support.published import fill_store
from support.registry_proxy import RegistryProxy
from support.repository import Repository, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.adding import World

    Plan = Callable[..., dict[str, dict[str, Any]]]
    Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No log-ins and no settings of whoever runs the tests; little patience."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-docker"))
    monkeypatch.delenv("EGGCRATE_REGISTRY", raising=False)
    hasty = functools.partial(Retries, attempts=2, first=0.01)
    monkeypatch.setattr(session, "Retries", hasty)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Two environments, committed."""
    made = make_repository(tmp_path / "repo", tmp_path / "cache")
    made.environment("one", (package("pandas", "2.2"), package("six")))
    made.environment("two", (package("six"),))
    (made.root / ".gitignore").write_text(".eggcrate\n")
    (made.root / "components" / ".keep").touch()  # git keeps no empty folders
    git(made.root, "init", "-q", "-b", "main")
    commit(made.root, "start")
    return made


@pytest.fixture
def proxy(registry_server: str) -> Iterator[RegistryProxy]:
    """The session's registry, with what a test makes go wrong."""
    with RegistryProxy(registry_server) as found:
        yield found


@pytest.fixture
def prefix(proxy: RegistryProxy, tmp_path: Path) -> str:
    """A prefix that no other test uses."""
    name = "".join(letter for letter in tmp_path.name.lower() if letter.isalnum())
    return f"{proxy.address}/plan/{name}"


@pytest.fixture
def run(
    *,
    alone: None,
    repository: Repository,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """The command line in this process, with the registry set."""
    monkeypatch.setenv("EGGCRATE_CACHE", str(repository.cache))
    monkeypatch.setenv("EGGCRATE_REGISTRY", prefix)
    return _runner(repository, capsys)


@pytest.fixture
def call(
    *,
    alone: None,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """The command line in this process, without a registry and without CI."""
    monkeypatch.setenv("EGGCRATE_CACHE", str(repository.cache))
    for name in ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "_BASE_BRANCH"):
        monkeypatch.delenv(name, raising=False)
    return _runner(repository, capsys)


def _runner(repository: Repository, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, root: Path = repository.root) -> tuple[int, str, str]:
        code = cli.main(["--repo", str(root), *arguments])
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return code, told.out, told.err

    return run


@pytest.fixture
def plan(run: Run) -> Plan:
    """``plan --json`` as environments by name, beside ``retired`` and ``git``."""

    def call(*arguments: str, code: int = 0, **options: Any) -> dict[str, dict[str, Any]]:
        found, out, err = run("plan", "--json", *arguments, **options)
        assert found == code, out + err
        document = json.loads(out)
        assert document.pop("schema") == "eggcrate.plan/1"
        return {**{item["name"]: item for item in document.pop("environments")}, **document}

    return call


@pytest.fixture
def publish(repository: Repository, run: Run) -> Callable[[], None]:
    """Publish stand-ins of everything that can be."""

    def call() -> None:
        fill_store(repository)
        code, out, err = run("build", "--changed", "--push")
        assert code == 0, out + err

    return call


@pytest.fixture(scope="session")
def with_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A repository with a template of each kind, on an index of its own."""
    with new_world(tmp_path_factory.mktemp("new")) as found:
        yield found


@pytest.fixture
def here(with_templates: World) -> Iterator[World]:
    """The same; what a test makes is removed after it."""
    root = with_templates.repository.root
    before = set(root.glob("*/*"))
    yield with_templates
    for path in set(root.glob("*/*")) - before:
        shutil.rmtree(path)
    for path in (with_templates.repository.cache / "answers").glob("*"):
        path.unlink()
    assert not [path.name for path in root.glob("*/.*") if path.name != ".keep"]
