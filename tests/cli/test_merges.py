"""Merges of real git repositories: by the driver alone, by ``lock --resolve``, and neither."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from eggcrate.packages.merging import _sides
from eggcrate.packages.relock import locked_versions
from eggcrate.repo.git import Git
from support.adding import PYPROJECT, World
from support.package_index import package_index
from support.planning import commit, git
from support.repository import make_repository, packages, write_lock
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """An environment under git that asks for ``alpha``; nothing was resolved yet."""
    with package_index() as index:
        repository = make_repository(tmp_path / "repo", tmp_path / "cache")
        repository.pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index.url}
        made = World(repository=repository, index=index, wheels=tmp_path / "wheels")
        for name in ("alpha", "beta", "gamma"):
            for version in ("1.0", "1.1", "1.2"):
                index.add(make_wheel(made.wheels, name, version))
        made.one.mkdir(parents=True)
        side(made, alpha="1.0")
        (repository.root / "components" / ".keep").touch()
        git(repository.root, "init", "-q", "-b", "main")
        git(repository.root, "config", "user.name", "t")
        git(repository.root, "config", "user.email", "t@t")
        commit(repository.root, "start")
        yield made


def side(here: World, **pins: str) -> None:
    """Write an environment that asks for these packages and locks them."""
    lines = "".join(f'    "{name}>=1",\n' for name in pins)
    text = PYPROJECT.replace('    "alpha<2",  # 2 is too new\n', lines)
    (here.one / "pyproject.toml").write_text(text)
    wheels = [here.wheels / f"{n}-{version}-py3-none-any.whl" for n, version in pins.items()]
    write_lock(here.one, packages(*wheels), python=">=3.11,<3.12")


def branches(here: World, ours: dict[str, str], theirs: dict[str, str]) -> bool:
    """Merge two branches, each with these pins; whether git had no conflict."""
    root = here.repository.root
    git(root, "checkout", "-qb", "theirs")
    side(here, **theirs)
    commit(root, "theirs")
    git(root, "checkout", "-q", "main")
    side(here, **ours)
    commit(root, "ours")
    return "CONFLICT" not in git(root, "merge", "theirs", "-m", "both", check=False)


def pins(here: World) -> dict[str, str]:
    return locked_versions((here.one / "poetry.lock").read_bytes())


def test_the_driver_is_installed_once_and_removed_whole(here: World) -> None:
    """Twice is once, a dry run is nothing, and afterwards no trace of it is left."""
    root = here.repository.root
    start = (root / ".git" / "config").read_bytes()
    dry = here.run("setup-git", "--dry-run")
    assert "merge=eggcrate-lock" in dry.out
    assert (root / ".git" / "config").read_bytes() == start
    assert not (root / ".gitattributes").exists()

    (root / ".gitattributes").write_text("*.png binary")
    assert here.run("setup-git").code == 0
    installed = (root / ".gitattributes").read_text(), (root / ".git" / "config").read_text()
    assert installed[0] == "*.png binary\nenvironments/*/poetry.lock merge=eggcrate-lock\n"
    assert "merge-lock %O %A %B %P" in installed[1]
    assert "nothing changes" in here.run("setup-git").out
    assert installed == (
        (root / ".gitattributes").read_text(),
        (root / ".git" / "config").read_text(),
    )
    assert here.run("setup-git", "--remove").code == 0
    assert (root / ".gitattributes").read_text() == "*.png binary\n"
    assert "eggcrate" not in (root / ".git" / "config").read_text()
    assert "nothing changes" in here.run("setup-git", "--remove").out


def test_two_people_who_each_add_a_package_have_no_conflict_in_the_lock(here: World) -> None:
    """The driver takes both; what is in pyproject.toml is for ``lock --resolve``."""
    here.run("setup-git")
    commit(here.repository.root, "driver")
    assert not branches(here, {"alpha": "1.0", "beta": "1.0"}, {"alpha": "1.0", "gamma": "1.0"})
    assert pins(here) == {"alpha": "1.0", "beta": "1.0", "gamma": "1.0"}
    assert Git(root=here.repository.root).unmerged() == {
        "environments/one/pyproject.toml": frozenset({1, 2, 3})
    }
    ran = here.run("lock", "--resolve")
    assert ran.code == 0, ran.err
    assert '+    "gamma>=1",' in ran.out
    assert "poetry.lock against ours: + gamma 1.0" in ran.out
    assert "poetry.lock against theirs: + beta 1.0" in ran.out
    assert pins(here) == {"alpha": "1.0", "beta": "1.0", "gamma": "1.0"}
    commit(here.repository.root, "merged")


def test_the_driver_leaves_what_it_cannot_settle(here: World) -> None:
    """Both moved one pin: git shows a conflict, and the driver says what and what next."""
    root = here.repository.root
    here.run("setup-git")
    commit(root, "driver")
    assert not branches(here, {"alpha": "1.1"}, {"alpha": "1.2"})
    assert Git(root=root).unmerged() == {"environments/one/poetry.lock": frozenset({1, 2, 3})}
    assert pins(here) == {"alpha": "1.1"}
    ran = here.run("lock", "--resolve", "one", "--dry-run")
    assert ran.code == 0, ran.err
    assert "~ alpha 1.1 -> 1.2" in ran.out
    assert "both sides had pinned anew: alpha" in ran.out
    assert pins(here) == {"alpha": "1.1"}


def test_both_files_in_conflict_are_settled_with_little_movement(here: World) -> None:
    """Without the driver: both sides' packages, and no pin but those that a side moved."""
    root = here.repository.root
    ours, theirs = {"alpha": "1.1", "beta": "1.0"}, {"alpha": "1.2", "gamma": "1.1"}
    assert not branches(here, ours, theirs)
    assert "<<<<<<<" in (here.one / "poetry.lock").read_text()
    found = here.document("lock", "--resolve")
    assert found["schema"] == "eggcrate.lock/1"
    (one,) = found["environments"]
    assert (one["outcome"], one["both"]) == ("merged", ["alpha"])
    assert [item["package"] for item in one["changes"]] == ["alpha", "gamma"]
    assert pins(here) == {"alpha": "1.2", "beta": "1.0", "gamma": "1.1"}
    text = (here.one / "pyproject.toml").read_text()
    assert '"alpha>=1",\n    "beta>=1",\n    "gamma>=1",' in text
    assert "# what the components import" in text
    commit(root, "merged")
    assert Git(root=root).unmerged() == {}
    assert here.run("lock", "--resolve").out == "no environment is in conflict\n"


def test_what_git_merged_without_a_conflict_is_not_believed(here: World) -> None:
    """Both added one package in different versions: git takes both blocks, the resolver one."""
    ours, theirs = {"alpha": "1.1", "beta": "1.0"}, {"alpha": "1.0", "beta": "1.1", "gamma": "1.1"}
    assert not branches(here, ours, theirs)
    assert pins(here)["beta"] == "1.0, 1.1"
    ran = here.run("lock", "--resolve")
    assert ran.code == 0, ran.err
    assert pins(here) == {"alpha": "1.1", "beta": "1.1", "gamma": "1.1"}


@pytest.mark.parametrize("command", ["merge", "cherry-pick", "rebase"])
def test_sides_are_known_in_the_middle_of_everything(here: World, command: str) -> None:
    """Whatever stopped with a conflict: the ancestor's lock, ours and theirs are read from it."""
    root = here.repository.root
    git(root, "checkout", "-qb", "theirs")
    side(here, alpha="1.0", beta="1.1", gamma="1.1")
    commit(root, "theirs")
    git(root, "checkout", "-q", "main")
    side(here, alpha="1.1", beta="1.0")
    commit(root, "ours")
    if command == "rebase":
        git(root, "checkout", "-q", "theirs")
        git(root, "rebase", "main", check=False)
    else:
        git(root, command, "theirs", check=False)
    told = Git(root=root)
    assert "environments/one/poetry.lock" not in (told.unmerged() or {})
    sides = _sides("environments/one/poetry.lock", told)
    assert {number: locked_versions(text.encode()) for number, text in sides.items()} == {
        1: {"alpha": "1.0"},
        2: {"alpha": "1.1", "beta": "1.0"},
        3: {"alpha": "1.0", "beta": "1.1", "gamma": "1.1"},
    }


def test_what_both_sides_changed_is_left_to_a_person(here: World) -> None:
    """Two owners: neither file is touched, and the key is named with both values."""
    root = here.repository.root
    for branch, owner in (("theirs", "b"), ("main", "c")):
        git(root, "checkout", "-q", *(["-b"] if branch == "theirs" else []), branch)
        with (here.one / "pyproject.toml").open("a") as file:
            file.write(f'owner = "{owner}"\n')
        commit(root, branch)
    git(root, "merge", "theirs", check=False)
    before = here.files()
    ran = here.run("lock", "--resolve")
    assert ran.code == 1
    assert "tool.eggcrate.owner: ours c, theirs b" in ran.err
    assert "git add it, then run: eggcrate lock --resolve one" in ran.err
    assert here.files() == before


def test_one_side_removed_the_environment(here: World) -> None:
    """Whether it goes or stays is a person's choice; both commands are named."""
    root = here.repository.root
    git(root, "checkout", "-qb", "theirs")
    git(root, "rm", "-rq", "environments/one")
    (root / "environments" / "other").mkdir(parents=True)
    (root / "environments" / "other" / ".keep").touch()
    commit(root, "theirs")
    git(root, "checkout", "-q", "main")
    side(here, alpha="1.1")
    (here.one / "pyproject.toml").write_text(PYPROJECT)
    commit(root, "ours")
    git(root, "merge", "theirs", check=False)
    ran = here.run("lock", "--resolve")
    assert ran.code == 1
    assert "changed by one side and removed by the other" in ran.err
    assert "git rm -r" in ran.err


def test_a_lock_with_conflict_markers_says_what_to_run(here: World) -> None:
    """Every other command that reads it names the way out; outside of git it is a mistake."""
    assert not branches(here, {"alpha": "1.1"}, {"alpha": "1.2"})
    ran = here.run("plan", "one")
    assert "eggcrate lock --resolve one" in ran.out + ran.err
    assert "eggcrate lock --resolve one" in here.run("add", "one", "beta").err
    assert here.run("lock", "--resolve", "--upgrade").code == 2
