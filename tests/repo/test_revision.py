"""The repository as it was at a commit, and what a clone cannot tell: on real repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.build.before import base_revision, merge_base
from eggcrate.build.since import stretches, version_range
from eggcrate.errors import ConfigError, HistoryError, UsageError
from eggcrate.repo.git import Git
from eggcrate.repo.revision import opened
from support.planning import commit, git

if TYPE_CHECKING:
    from pathlib import Path

FILE = "environments/a/pyproject.toml"


def lock(folder: Path, name: str, **versions: str) -> None:
    path = folder / "environments" / name / "poetry.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    packages = "".join(
        f'[[package]]\nname = "{package}"\nversion = "{version}"\noptional = false\nfiles = []\n\n'
        for package, version in versions.items()
    )
    path.write_text(f'{packages}[metadata]\nlock-version = "2.1"\n')


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "environments" / "a").mkdir(parents=True)
    git(tmp_path, "init", "-q", "-b", "main", "repo")
    (folder / FILE).write_text("x = 1")
    (folder / "environments/a/ä b.txt").write_text("beside")
    commit(folder, "first")
    (folder / FILE).write_text("x = 2")
    commit(folder, "second")
    return folder


def test_files_are_as_they_were(repository: Path) -> None:
    """Byte by byte, in a folder that is gone afterwards; what was beside as well."""
    with opened(Git(root=repository), "HEAD~1") as then:
        root = then.root
        assert (root / FILE).read_text() == "x = 1"
        assert (root / "environments/a/ä b.txt").read_text() == "beside"
        told = then.told(ConfigError(f"{root}/{FILE}:1: wrong", why="y", hint="h"))
        assert told.what == f"HEAD~1:{FILE}:1: wrong"
    assert not root.exists()


def test_a_monorepo_inside_a_larger_one(repository: Path) -> None:
    """Paths are those below the checkout, wherever git's own root is."""
    larger = repository.parent / "larger"
    git(repository.parent, "init", "-q", "-b", "main", "larger")
    (larger / "inner" / "environments" / "b").mkdir(parents=True)
    (larger / "inner/environments/b/pyproject.toml").write_text("y = 1")
    lock(larger / "inner", "b", numpy="2.0")
    commit(larger)
    inner = Git(root=larger / "inner")
    with opened(inner, "main", environments=["b"]) as then:
        assert (then.root / "environments/b/pyproject.toml").read_text() == "y = 1"
    assert [one.environment for one in stretches(inner, "numpy", ">=2")] == ["b"]


def test_what_git_does_not_know_is_told_with_its_remedy(repository: Path, tmp_path: Path) -> None:
    """A typo, a shallow clone, a folder without git: each has another next step."""
    with (
        pytest.raises(HistoryError, match="git does not know nowhere") as caught,
        opened(Git(root=repository), "nowhere"),
    ):
        pass
    assert "git branch" in caught.value.hint
    git(tmp_path, "clone", "-q", "--depth=1", repository.as_uri(), "shallow")
    with pytest.raises(HistoryError) as caught, opened(Git(root=tmp_path / "shallow"), "HEAD~1"):
        pass
    assert "shallow" in caught.value.why
    assert "--unshallow" in caught.value.hint
    (tmp_path / "plain").mkdir()
    with (
        pytest.raises(HistoryError, match="no git history"),
        opened(Git(root=tmp_path / "plain"), "main"),
    ):
        pass


def test_a_branch_is_compared_with_where_it_left(repository: Path, tmp_path: Path) -> None:
    """Not with what the main branch became since; a clone too shallow to know says so."""
    start = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-qb", "change")
    (repository / FILE).write_text("x = 3")
    commit(repository, "mine")
    git(repository, "checkout", "-q", "main")
    (repository / "other").write_text("theirs")
    commit(repository, "theirs")
    git(repository, "checkout", "-q", "change")
    assert merge_base(Git(root=repository), "main") == start
    git(tmp_path, "clone", "-q", "--depth=1", "--no-single-branch", repository.as_uri(), "shallow")
    with pytest.raises(HistoryError, match="no common history with origin/main") as caught:
        merge_base(Git(root=tmp_path / "shallow"), "origin/main")
    assert "fetch-depth: 0" in caught.value.hint
    git(repository, "checkout", "-q", "--orphan", "island")
    commit(repository, "alone")
    with pytest.raises(HistoryError) as caught:
        merge_base(Git(root=repository), "main")
    assert "nothing in common" in caught.value.why


def test_the_base_is_what_ci_tells_else_the_main_branch(repository: Path, tmp_path: Path) -> None:
    """A commit that this clone does not have is passed over; a branch is the remote's."""
    here = Git(root=repository)
    head = git(repository, "rev-parse", "HEAD")
    assert base_revision(here, {}) == "main"
    assert base_revision(here, {"CI_MERGE_REQUEST_DIFF_BASE_SHA": head}) == head
    assert base_revision(here, {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "0" * 40}) == "main"
    git(tmp_path, "clone", "-q", str(repository), "clone")
    clone = Git(root=tmp_path / "clone")
    assert base_revision(clone, {}) == "origin/main"
    assert base_revision(clone, {"GITHUB_BASE_REF": "main"}) == "origin/main"
    assert base_revision(clone, {"GITHUB_BASE_REF": "release"}) == "release"


def test_since_when_and_until_when(repository: Path) -> None:
    """Each stretch has the commit that began it, in the words of that commit."""
    for subject, version in (
        ("get it", "2.0.1"),
        ("patch", "2.0.2"),
        ("lose it", "1.26"),
        ("again", "2.0.2"),
    ):
        lock(repository, "a", numpy=version, six="1.0")
        commit(repository, subject)
    lock(repository, "b", six="1.0")
    lock(repository, "_template", numpy="2.0.0")
    commit(repository, "without")
    found = stretches(Git(root=repository), "numpy", version_range("2.0"))
    assert [(one.environment, one.versions, one.begin.subject) for one in found] == [
        ("a", ("2.0.2",), "again"),
        ("a", ("2.0.1",), "get it"),
    ]
    assert [one.end.subject if one.end else "" for one in found] == ["", "lose it"]
    git(repository, "rm", "-rqf", "environments/a")
    commit(repository, "remove")
    [newest, _] = stretches(Git(root=repository), "numpy", version_range("2.0"), ["a"])
    assert newest.end is not None
    assert newest.end.subject == "remove"


def test_a_merge_is_when_the_branch_got_it(repository: Path, tmp_path: Path) -> None:
    """Not the commit on the branch that was merged; and a shallow clone says "or before"."""
    git(repository, "checkout", "-qb", "change")
    lock(repository, "a", numpy="2.0")
    commit(repository, "on the branch")
    git(repository, "checkout", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", "-m", "merged", "change")
    [one] = stretches(Git(root=repository), "numpy", ">=2")
    assert (one.begin.subject, one.begin_known) == ("merged", True)
    commit(repository, "later")
    git(tmp_path, "clone", "-q", "--depth=1", repository.as_uri(), "shallow")
    [one] = stretches(Git(root=tmp_path / "shallow"), "numpy", ">=2")
    assert (one.begin.subject, one.begin_known) == ("later", False)


def test_what_a_version_stands_for() -> None:
    """2.0 is every 2.0; 2.0.1rc1 itself; a specifier is taken as it is."""
    assert [version_range(text) for text in ("2.0", "2.0rc1", ">=2")] == [
        "==2.0.*",
        "==2.0rc1",
        ">=2",
    ]
    with pytest.raises(UsageError, match="is not a version"):
        version_range("new")


def test_a_lock_nobody_can_read_holds_nothing(repository: Path) -> None:
    """A merge that was committed with its markers is passed over."""
    lock(repository, "a", numpy="2.0")
    commit(repository, "get it")
    path = repository / "environments/a/poetry.lock"
    path.write_text(f"<<<<<<< HEAD\n{path.read_text()}")
    commit(repository, "broken")
    [one] = stretches(Git(root=repository), "numpy", ">=2")
    assert one.end is not None
    assert one.end.subject == "broken"
