"""Git explains where it can and is silent where it cannot: on real repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.repo.git import Git
from support.planning import commit as commit_all
from support.planning import git

if TYPE_CHECKING:
    from pathlib import Path


def commit(folder: Path, message: str = "m", **files: str) -> str:
    for name, text in files.items():
        path = folder / "environments" / name / "pyproject.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return commit_all(folder, message)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, a="1", b="1")
    return folder


def test_changes_include_uncommitted_and_untracked_files(repository: Path) -> None:
    """What a person has not committed yet is part of the working tree."""
    start = git(repository, "rev-parse", "HEAD")
    (repository / "environments/a/pyproject.toml").write_text("2")
    (repository / "environments/c").mkdir()
    (repository / "environments/c/pyproject.toml").write_text("1")
    assert Git(root=repository).changed(start) == {
        "environments/a/pyproject.toml",
        "environments/c/pyproject.toml",
    }


def test_names_with_spaces_and_other_scripts_survive(repository: Path) -> None:
    """Names are NUL-separated and unquoted."""
    start = git(repository, "rev-parse", "HEAD")
    (repository / "environments/a/ä b\n.txt").write_text("x")
    assert Git(root=repository).changed(start) == {"environments/a/ä b\n.txt"}


def test_a_file_of_an_older_commit_is_read(repository: Path) -> None:
    """From a folder below git's own root as well: a monorepo inside a larger one."""
    start = git(repository, "rev-parse", "HEAD")
    commit(repository, a="2")
    assert Git(root=repository).read(start, "environments/a/pyproject.toml") == "1"
    inner = Git(root=repository / "environments")
    assert inner.read(start, "a/pyproject.toml") == "1"
    assert Git(root=repository).read(start, "environments/none") is None


def test_deleted_and_renamed_environments_are_found(repository: Path) -> None:
    """A rename is a deletion and a new one; asked from a commit on, only what came after."""
    git(repository, "mv", "environments/a", "environments/z")
    commit(repository, "rename")
    start = git(repository, "rev-parse", "HEAD")
    git(repository, "rm", "-rq", "environments/b")
    commit(repository, "delete")
    assert Git(root=repository).deleted_environments() == {"a", "b"}
    assert Git(root=repository).deleted_environments(since=start) == {"b"}
    assert Git(root=repository).deleted_environments(since="HEAD") == frozenset()


def test_a_shallow_clone_cannot_tell_and_says_so(repository: Path, tmp_path: Path) -> None:
    """One commit deep, the parent's files are not there; nothing fails."""
    commit(repository, a="2")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", str(shallow))
    found = Git(root=shallow)
    assert found.resolve("HEAD~1") is None
    assert found.resolve("origin/nowhere") is None
    assert found.changed("0" * 40) is None
    assert found.shallow()
    assert not Git(root=repository).shallow()


def test_unrelated_histories_have_no_common_commit(repository: Path) -> None:
    """After a force push of another history, only the revision itself can be compared with."""
    other = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "--orphan", "fresh")
    commit(repository, a="9")
    found = Git(root=repository)
    assert found.merge_base(other) is None
    assert found.changed(other) == {"environments/a/pyproject.toml"}


def test_outside_of_git_everything_is_unknown(tmp_path: Path) -> None:
    """A downloaded archive of the repository plans as well."""
    found = Git(root=tmp_path)
    assert found.resolve("HEAD") is None
    assert found.changed("HEAD") is None
    assert found.deleted_environments() is None


def test_a_revision_cannot_be_an_option(repository: Path) -> None:
    """What a user types as a revision never reaches git as a flag."""
    assert Git(root=repository).resolve("--help") is None
