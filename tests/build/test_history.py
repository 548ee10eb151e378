"""Deleted environments: git's history is read once, and from then on only what is new in it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from eggcrate.build.history import deleted_environments
from eggcrate.repo.git import Git
from support.planning import commit, git

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Environments ``a`` to ``d``; ``a`` was deleted."""
    root = tmp_path / "repository"
    for name in "abcd":
        (root / "environments" / name).mkdir(parents=True)
        (root / "environments" / name / "pyproject.toml").write_text(name)
    git(root, "init", "-q", "-b", "main")
    commit(root, "start")
    delete(root, "a")
    return root


def delete(root: Path, name: str) -> None:
    shutil.rmtree(root / "environments" / name)
    commit(root, f"delete {name}")


class Watched(Git):
    """Tells where history was read from."""

    asked: list[str | None]

    def deleted_environments(self, *, since: str | None = None) -> frozenset[str] | None:
        self.__dict__.setdefault("asked", []).append(since)
        return super().deleted_environments(since=since)


def test_history_is_read_once_and_then_what_is_new(repository: Path, tmp_path: Path) -> None:
    """The same commit asks nothing, a new one only for the commits since."""
    found = Watched(root=repository)
    first = git(repository, "rev-parse", "HEAD")
    assert deleted_environments(found, cache=tmp_path / "cache") == {"a"}
    assert deleted_environments(found, cache=tmp_path / "cache") == {"a"}
    delete(repository, "b")
    assert deleted_environments(found, cache=tmp_path / "cache") == {"a", "b"}
    assert found.asked == [None, first]


def test_what_exists_again_is_not_deleted(repository: Path, tmp_path: Path) -> None:
    """The working tree says so, whatever is remembered; and so the other way round."""
    found = Git(root=repository)
    assert deleted_environments(found, cache=tmp_path / "cache") == {"a"}
    (repository / "environments" / "a").mkdir()
    assert deleted_environments(found, cache=tmp_path / "cache") == frozenset()
    (repository / "environments" / "a").rmdir()
    assert deleted_environments(found, cache=tmp_path / "cache") == {"a"}


def test_a_rewritten_history_loses_no_name(repository: Path, tmp_path: Path) -> None:
    """After a force push: images of what the abandoned history deleted are there still."""
    found = Git(root=repository)
    delete(repository, "b")
    deleted_environments(found, cache=tmp_path / "cache")
    git(repository, "checkout", "-q", "--orphan", "fresh")
    commit(repository, "fresh")
    delete(repository, "c")
    git(repository, "branch", "-qD", "main")
    git(repository, "reflog", "expire", "--expire=now", "--all")
    git(repository, "gc", "-q", "--prune=now")
    assert deleted_environments(found, cache=tmp_path / "cache") == {"a", "b", "c"}
    assert deleted_environments(found, cache=tmp_path / "fresh-cache") == {"c"}


def test_another_branch_is_read_from_where_it_left(repository: Path, tmp_path: Path) -> None:
    """Checking out and back again finds what each deleted."""
    found = Git(root=repository)
    git(repository, "checkout", "-qb", "branch")
    delete(repository, "b")
    assert deleted_environments(found, cache=tmp_path / "cache") == {"a", "b"}
    git(repository, "checkout", "-q", "main")
    delete(repository, "c")
    assert deleted_environments(found, cache=tmp_path / "cache") == {"a", "c"}


def test_a_shallow_clone_that_is_deepened_learns_more(repository: Path, tmp_path: Path) -> None:
    """Its history grows without a new commit."""
    delete(repository, "b")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=2", f"file://{repository}", str(clone))
    found = Git(root=clone)
    assert deleted_environments(found, cache=tmp_path / "cache") == {"b"}
    git(clone, "fetch", "-q", "--unshallow")
    assert deleted_environments(found, cache=tmp_path / "cache") == {"a", "b"}


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"commit":"0","deleted":["z"],"check":"0"}'])
def test_a_damaged_memory_is_made_again(repository: Path, tmp_path: Path, content: str) -> None:
    """It is as if it were not there."""
    found = Git(root=repository)
    deleted_environments(found, cache=tmp_path / "cache")
    (record,) = (tmp_path / "cache" / "deleted").iterdir()
    good = record.read_text()
    record.write_text(content)
    assert deleted_environments(found, cache=tmp_path / "cache") == {"a"}
    assert record.read_text() == good


def test_a_cache_that_cannot_be_written_is_no_trouble(repository: Path, tmp_path: Path) -> None:
    """History is read each time."""
    (tmp_path / "cache").write_text("a file")
    assert deleted_environments(Git(root=repository), cache=tmp_path / "cache") == {"a"}


def test_without_git_nothing_is_known(tmp_path: Path) -> None:
    """An archive that was downloaded, and a repository without a commit."""
    assert deleted_environments(Git(root=tmp_path), cache=tmp_path / "cache") == frozenset()
    git(tmp_path, "init", "-q")
    assert deleted_environments(Git(root=tmp_path), cache=tmp_path / "cache") == frozenset()
