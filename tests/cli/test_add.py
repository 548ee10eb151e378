"""``eggcrate add``, ``remove`` and ``where``: a real resolver on an index of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.adding import PYPROJECT, ZEROS, World, world
from support.repository import make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Shared: every test leaves the repository as it was, which is what they are about."""
    with world(tmp_path_factory.mktemp("adding")) as made:
        yield made


LAYOUTS = (
    PYPROJECT,
    PYPROJECT.replace("\n", "\r\n"),
    PYPROJECT.replace(
        '[\n    # what the components import\n    "alpha<2",  # 2 is too new\n]',
        "['alpha<2'] # one",
    ),
)


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(LAYOUTS),
    st.lists(
        st.sampled_from(("epsilon", "gamma<1", "epsilon>=1; os_name == 'posix'")),
        min_size=1,
        max_size=2,
        unique_by=lambda text: text[:3],
    ),
)
def test_added_and_removed_again_both_files_are_the_same(
    here: World, layout: str, packages: list[str]
) -> None:
    """The same bytes of pyproject.toml and of the lock, whatever the layout and the package.

    The range is written after the version is chosen: locking again changes not one byte.
    """
    pyproject, lock = here.one / "pyproject.toml", here.one / "poetry.lock"
    kept = lock.read_bytes()
    try:
        pyproject.write_bytes(layout.encode())
        found = here.document("add", "one", *packages)
        assert found["written"]
        assert lock.read_bytes() != kept
        assert pyproject.read_bytes() != layout.encode()
        again = here.document("lock", "one", "--dry-run")
        assert again["totals"] == {"changed": 0, "unchanged": 1, "failed": 0}
        here.document("remove", "one", *(text[:7].split("<")[0] for text in packages))
        assert pyproject.read_bytes() == layout.encode()
        assert lock.read_bytes() == kept
    finally:
        pyproject.write_bytes(PYPROJECT.encode())
        lock.write_bytes(kept)


def test_a_dry_run_tells_all_and_leaves_nothing(here: World) -> None:
    """What the lock gains, what it takes, who fits now; and every file is as it was."""
    before = here.files()
    found = here.document("add", "one", "epsilon", "--dry-run")
    assert here.files() == before
    assert found["schema"] == "eggcrate.add/1"
    assert not found["written"]
    (asked,) = found["requirements"]
    assert (asked["requirement"], asked["version"]) == ("epsilon>=1.2,<2", "1.2.3")
    (change,) = found["changes"]
    wheel = next(here.wheels.glob("epsilon-*.whl"))
    assert (change["package"], change["from"], change["to"]) == ("epsilon", "", "1.2.3")
    assert change["after"]["download"] == wheel.stat().st_size < ZEROS
    assert ZEROS < change["after"]["unpacked"] < ZEROS + 2000
    assert found["totals"]["gained"] == 1
    assert found["totals"]["unpacked"] == change["after"]["unpacked"]
    assert found["components"] == [
        {
            "component": "uses_epsilon",
            "fits": True,
            "reason": "needs epsilon>=1, which it does not hold",
            "default": False,
        }
    ]


def test_other_pins_move_only_when_told(here: World) -> None:
    """Without --move it is an error that names them; with it, what breaks is told."""
    before = here.files()
    ran = here.run("add", "one", "delta")
    assert ran.code == 1
    assert "delta cannot be added to one without moving other pins" in ran.err
    assert "these would move: beta 1.0 -> 2.0" in ran.err
    assert "eggcrate where delta" in ran.err
    moved = here.run("add", "one", "delta", "--move", "--dry-run")
    assert moved.code == 0, moved.err
    assert "~ beta" in moved.out
    assert "uses_beta no longer fits (this is its default environment)" in moved.out
    assert "needs beta<2, has 2.0" in moved.out
    assert here.files() == before


def test_a_conflict_is_told_in_the_resolvers_words(here: World) -> None:
    """And with a version that fits, the other environments and a new one to try."""
    before = here.files()
    ran = here.run("add", "one", "gamma==1.0")
    assert ran.code == 1
    assert "gamma==1.0 cannot be added to one" in ran.err
    assert "gamma (1.0) depends on beta (<1)" in ran.err
    assert "-environment" not in ran.err
    assert "this fits: eggcrate add one 'gamma==0.5'" in ran.err
    assert "eggcrate where 'gamma==1.0'" in ran.err
    assert "eggcrate new environment NAME 'gamma==1.0'" in ran.err
    assert here.files() == before


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("add", "one", "epsiln"), 1, ("no package 'epsiln'", "did you mean epsilon?")),
        (("add", "one", "epsilon==9"), 1, ("there is no epsilon ==9", "versions are 1.2.3")),
        (("add", "on", "epsilon"), 2, ("no environment 'on'", "did you mean one?")),
        (("add", "one", "modern"), 1, ("not for Python 3.11", ">=3.13", "could be two")),
        (("add", "one", "native"), 1, ("no file for Python 3.11", "cp311 win_amd64")),
        (("add", "one", "json"), 1, ("json is a part of Python 3.11",)),
        (("add", "one", "epsilon=1"), 2, ('write "epsilon==1"',)),
        (("remove", "one", "beta"), 2, ("does not ask for beta", "because alpha needs it")),
        (("remove", "one", "what"), 2, ("does not ask for what", "it asks for: alpha")),
        (("where", "epsiln"), 1, ("no package 'epsiln'", "did you mean epsilon?")),
        (("outdated", "on"), 2, ("no environment 'on'", "did you mean one?")),
    ],
)
def test_a_newcomers_mistakes(
    here: World, arguments: tuple[str, ...], code: int, told: tuple[str, ...]
) -> None:
    """Each has the nearest names and a next step; nothing is resolved and nothing changes."""
    before = here.files()
    ran = here.run(*arguments)
    assert ran.code == code
    assert all(words in ran.err for words in told), ran.err
    assert "next:" in ran.err
    assert here.files() == before


def test_what_is_there_already_changes_nothing(here: World) -> None:
    """Asked for once more, it stands as it stood."""
    before = here.files()
    ran = here.run("add", "one", "alpha")
    assert ran.code == 0, ran.err
    assert "it was asked for already" in ran.out
    assert "2.0 is the newest; what else is there keeps it out" in ran.out
    assert "nothing changes" in ran.out
    assert here.files() == before


def test_where_tells_every_environment(here: World) -> None:
    """Who holds it, who can take it and at what cost, who would have to move a pin."""
    before = here.files()
    found = here.document("where", "delta")
    assert found["schema"] == "eggcrate.where/1"
    two, one = found["environments"]
    assert (two["name"], two["fit"], two["moved"]) == ("two", "fits", [])
    assert {item["package"] for item in two["gained"]} == {"delta", "beta"}
    assert (one["name"], one["fit"]) == ("one", "moves")
    assert one["moved"] == [{"package": "beta", "from": "1.0", "to": "2.0"}]
    assert two["download"] > 0
    assert found["new_environment"] == ""
    assert here.files() == before


def test_where_none_can_a_new_environment_is_the_home(here: World) -> None:
    """Held and impossible need no resolver; each reason is one line."""
    (two, one) = here.document("where", "epsilon>=1")["environments"]
    assert (two["fit"], one["fit"]) == ("holds", "fits")
    told = here.run("where", "native").out
    assert "a new environment is the better home: no environment can take it" in told
    assert "one          cannot" in told
    assert "its wheels are for cp311 win_amd64" in told


def test_an_upgrade_of_all_environments_has_one_summary(here: World) -> None:
    """Each move once, with who makes it; majors are marked; a document for a scheduled job."""
    before = here.files()
    ran = here.run("lock", "--upgrade", "--dry-run")
    assert ran.code == 0, ran.err
    assert "2 environments: 1 changed, 1 unchanged (nothing was written)" in ran.out
    assert "beta     1.0   2.0  major  one" in ran.out
    assert here.files() == before
    outdated = here.run("outdated", "--json")
    assert outdated.code == 0, outdated.err
    one, two = json.loads(outdated.out)["environments"]
    assert {item["package"]: item["allowed"] for item in one["outdated"]} == {
        "alpha": "",
        "beta": "2.0",
    }
    assert (two["name"], two["outdated"]) == ("two", [])


@pytest.mark.network
def test_a_real_package_of_pips_own_index(tmp_path: Path) -> None:
    """With all that it needs: sizes come from the ends of wheels, none is downloaded."""
    repository = make_repository(tmp_path / "repo", tmp_path / "cache")
    folder = repository.environment("some", None, wanted=[])
    before = (folder / "pyproject.toml").read_bytes()
    ran = repository.run("add", "some", "python-dateutil", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    names = {item["package"] for item in found["changes"]}
    assert "python-dateutil" in names
    assert len(names) > 1
    assert found["totals"]["unpacked"] > found["totals"]["download"] > 200_000
    assert found["totals"]["unknown"] == []
    assert not list((tmp_path / "cache").rglob("*.whl"))
    removed = repository.run("remove", "some", "python-dateutil", "--json")
    assert removed.code == 0, removed.err
    assert (folder / "pyproject.toml").read_bytes() == before
