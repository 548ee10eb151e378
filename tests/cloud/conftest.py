"""What tests of builds share: a builder image, and a git repository to build."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate import cli
from eggcrate.registry.remote import Remote
from support.ci_builder import make_builder
from support.planning import package
from support.published import HASTY, fill_store
from support.repository import Repository, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., Any]

BOTH = 'base = "python-3.11"\nplatforms = ["linux/amd64", "linux/arm64"]'


@pytest.fixture
def remote(registry_server: str, tmp_path: Path) -> Iterator[Remote]:
    name = "".join(letter for letter in tmp_path.name.lower() if letter.isalnum())
    with Remote(f"{registry_server}/cleanup/{name}", retries=HASTY) as found:
        yield found


@pytest.fixture
def repository(remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Two environments, one of them for two platforms."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-docker"))
    monkeypatch.setenv("EGGCRATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EGGCRATE_REGISTRY", str(remote))
    made = make_repository(tmp_path / "repo", tmp_path / "cache")
    made.environment("one", (package("six", "1.0"),))
    made.environment("both", (package("six", "1.0"),), settings=BOTH)
    return made


@pytest.fixture
def run(repository: Repository, capsys: pytest.CaptureFixture) -> Run:
    def run(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        found = cli.main(["--repo", str(repository.root), *arguments])
        told = capsys.readouterr()
        assert found == code, told.out + told.err
        return json.loads(told.out) if "--json" in arguments else told.out + told.err

    return run


def publish(repository: Repository, run: Run) -> dict[str, str]:
    """Put a stand-in for every image into the registry."""
    digests = fill_store(repository)
    run("build", "--changed", "--push")
    return digests


@pytest.fixture(scope="session")
def builder(docker_daemon: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of an image with a shell, Python, git and make."""
    return make_builder(tmp_path_factory.mktemp("builder"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git repository with two commits on ``main``."""
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "it"\nversion = "1"\n')
    for name in ("environments", "components"):
        (root / name).mkdir()
        (root / name / ".keep").touch()
    commit(root, "first")
    (root / "file").write_text("second\n")
    commit(root, "second")
    return root


def commit(root: Path, message: str) -> None:
    """Commit everything that is there."""
    if not (root / ".git").exists():
        git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "-m", message)


def git(root: Path, *arguments: str) -> str:
    """Run git as somebody."""
    who = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
