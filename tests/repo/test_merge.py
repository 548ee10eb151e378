"""Two sides of a pyproject.toml are merged by what they mean, or told apart for a person."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.errors import ConfigError
from eggcrate.repo.merge import merged_pyproject

PATH = Path("environments/some/pyproject.toml")
BASE = """\
[project]
name = "x"
requires-python = ">=3.11"
dependencies = [
    "alpha>=1",  # first
    "gamma>=1",
]

[project.optional-dependencies]
fast = ["zlib-ng"]

[tool.eggcrate]
owner = "a"
"""


def merge(ours: str, theirs: str, base: str = BASE) -> tuple[str, list[str]]:
    found = merged_pyproject(base, ours, theirs, path=PATH)
    return found.text, [clash.what for clash in found.clashes]


def test_two_packages_on_one_line() -> None:
    """What git calls a conflict is none: each side added a package in the same place."""
    ours = BASE.replace('    "gamma', '    "beta",\n    "gamma')
    theirs = BASE.replace('    "gamma', '    "delta>=2",\n    "gamma')
    text, clashes = merge(ours, theirs)
    assert clashes == []
    assert text == ours.replace('    "gamma', '    "delta>=2",\n    "gamma')


def test_each_key_by_itself() -> None:
    """A package changed and one removed, an extra, a setting and a new table: all are taken."""
    ours = BASE.replace("alpha>=1", "alpha>=2").replace('owner = "a"', 'owner = "b"')
    theirs = (
        BASE.replace('    "gamma>=1",\n', "")
        .replace('["zlib-ng"]', '["zlib-ng", "lz4"]')
        .replace(">=3.11", ">=3.12")
        + "compile = false\n\n[tool.other.deep]\nkey = 1\n"
    )
    text, clashes = merge(ours, theirs)
    assert clashes == []
    assert '"alpha>=2",  # first' in text
    found = tomllib.loads(text)
    assert found["project"]["dependencies"] == ["alpha>=2"]
    assert found["project"]["optional-dependencies"] == {"fast": ["zlib-ng", "lz4"]}
    assert found["project"]["requires-python"] == ">=3.12"
    assert found["tool"] == {
        "eggcrate": {"owner": "b", "compile": False},
        "other": {"deep": {"key": 1}},
    }


@pytest.mark.parametrize(
    ("ours", "theirs", "clash"),
    [
        (("alpha>=1", "alpha>=2"), ("alpha>=1", "alpha>=3"), "project.dependencies, alpha"),
        (('    "gamma>=1",\n', ""), ("gamma>=1", "gamma>=2"), "project.dependencies, gamma"),
        (('"a"', '"b"'), ('"a"', '"c"'), "tool.eggcrate.owner"),
        ((">=3.11", ">=3.12"), (">=3.11", ">=3.13"), "project.requires-python"),
        (('owner = "a"\n', ""), ('"a"', '"c"'), "tool.eggcrate.owner"),
    ],
)
def test_what_both_changed_is_for_a_person(
    ours: tuple[str, str], theirs: tuple[str, str], clash: str
) -> None:
    """It is named, and stays as our side has it."""
    mine = BASE.replace(*ours)
    text, clashes = merge(mine, BASE.replace(*theirs))
    assert (text, clashes) == (mine, [clash])


def test_both_did_the_same() -> None:
    """That is no conflict, however each side wrote it."""
    ours = BASE.replace("alpha>=1", "alpha>=2")
    theirs = ours.replace('"alpha>=2"', "'alpha>=2'").replace('owner = "a"', "owner='a'")
    assert merge(ours, theirs) == (ours, [])


def test_without_an_ancestor() -> None:
    """Both sides made the environment: what only one says is taken, what differs is told."""
    text, clashes = merge(BASE, BASE.replace('"gamma>=1"', '"beta"'), base="")
    assert clashes == []
    assert tomllib.loads(text)["project"]["dependencies"] == ["alpha>=1", "beta", "gamma>=1"]
    assert merge(BASE, BASE.replace("alpha>=1", "alpha>=2"), base="")[1]


def test_a_side_that_is_no_toml_is_named() -> None:
    """Whose it is helps to find it."""
    with pytest.raises(ConfigError, match="their side's version is not valid TOML"):
        merge(BASE, "[")


SIDES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(("", ">=1", ">=2")), max_size=5)


def written(side: dict[str, str]) -> str:
    lines = "".join(f"    {(name + range_)!r},\n" for name, range_ in side.items())
    return f"[project]\ndependencies = [\n{lines}]\n"


@given(SIDES, SIDES, SIDES)
def test_a_merge_is_both_sides_changes(
    base: dict[str, str], ours: dict[str, str], theirs: dict[str, str]
) -> None:
    """For each package: of whoever changed it; told apart exactly when both did, differently."""
    found = merged_pyproject(written(base), written(ours), written(theirs), path=PATH)
    wanted, clashes = {}, set()
    for name in {*base, *ours, *theirs}:
        was, here, there = (side.get(name) for side in (base, ours, theirs))
        if here not in (was, there) and there != was:
            clashes.add(f"project.dependencies, {name}")
        wanted[name] = there if here == was else here
    assert {clash.what for clash in found.clashes} == clashes
    asked = tomllib.loads(found.text)["project"]["dependencies"]
    assert sorted(asked) == sorted(n + r for n, r in wanted.items() if r is not None)


@given(SIDES, SIDES)
def test_a_side_that_changed_nothing_changes_nothing(
    base: dict[str, str], other: dict[str, str]
) -> None:
    """Theirs without changes leaves our bytes alone."""
    found = merged_pyproject(written(base), written(other), written(base), path=PATH)
    assert (found.text, found.clashes) == (written(other), ())
