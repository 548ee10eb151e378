"""What tests of builds share: a builder image, and a git repository to build."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from support.ci_builder import make_builder

if TYPE_CHECKING:
    from pathlib import Path


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
