"""Components are matched with environments by the lock, and each mismatch is explained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from eggcrate.matrix.cells import Cell, Column, Outcome, homeless, lay_out
from eggcrate.matrix.compatibility import compatibility
from eggcrate.packages.target import Platform, Target
from eggcrate.repo.values import Component

TARGET = Target(python="3.11.2", platform=Platform.parse("linux/amd64"), glibc=(2, 36))
PLAIN = Component(
    name="step",
    path=Path("components/step"),
    description="",
    requires_python=">=3.10",
    dependencies=("pandas>=2,<3",),
)
FLAVOURED = replace(
    PLAIN,
    name="train",
    flavours={"sklearn": ("scikit-learn>=1.3",), "xgboost": ("xgboost-cpu>=2",)},
)


@pytest.mark.parametrize(
    ("packages", "reason"),
    [
        ({"pandas": "2.2.3"}, None),
        ({"pandas": "3.0.0"}, "needs pandas<3,>=2, has 3.0.0"),
        ({"polars": "1.0"}, "needs pandas<3,>=2, which it does not hold"),
    ],
)
def test_a_requirement_that_fails_is_named(packages: dict[str, str], reason: str | None) -> None:
    """Missing and out of range are told apart."""
    found = compatibility(PLAIN, packages, TARGET)
    assert found.flavours == (() if reason else ("",))
    assert found.reasons == ({"": reason} if reason else {})


def test_a_flavour_makes_a_cell_and_the_others_a_reason() -> None:
    """A component is tested as each flavour that is satisfied."""
    found = compatibility(FLAVOURED, {"pandas": "2.2", "scikit-learn": "1.5.2"}, TARGET)
    assert found.flavours == ("sklearn",)
    assert found.reasons == {"xgboost": "needs xgboost-cpu>=2, which it does not hold"}


def test_another_build_of_a_package_stands_in_for_it() -> None:
    """Under the version it has; the package itself goes first, and no other is taken for it."""
    asked = replace(
        FLAVOURED,
        flavours={"xgboost": ("xgboost>=1.7",)},
        stand_ins={"xgboost": ("xgboost-cpu", "xgboost-arm")},
    )
    held = {"pandas": "2.2", "xgboost-cpu": "2.1.4", "xgboost-arm": "1.0"}
    assert compatibility(asked, held, TARGET).flavours == ("xgboost",)
    old = {"pandas": "2.2", "xgboost-arm": "1.0"}
    assert compatibility(asked, old, TARGET).reasons == {"xgboost": "needs xgboost>=1.7, has 1.0"}
    both = compatibility(asked, held | {"xgboost": "1.6"}, TARGET)
    assert both.reasons == {"xgboost": "needs xgboost>=1.7, has 1.6"}
    other = compatibility(asked, {"pandas": "2.2", "xgboost-gpu": "2.1.4"}, TARGET)
    assert other.reasons == {"xgboost": "needs xgboost>=1.7, which it does not hold"}


def test_what_all_flavours_share_comes_first() -> None:
    """Without pandas no flavour can work: one reason, not one a flavour."""
    found = compatibility(FLAVOURED, {"scikit-learn": "1.5.2"}, TARGET)
    assert (found.flavours, list(found.reasons)) == ((), [""])


def test_python_and_markers_count() -> None:
    """requires-python is checked; a requirement for another Python is not."""
    old = replace(PLAIN, requires_python=">=3.12")
    assert compatibility(old, {"pandas": "2.2"}, TARGET).reasons == {
        "": "needs Python >=3.12, has 3.11.2"
    }
    marked = replace(PLAIN, dependencies=("tomli ; python_version < '3.11'", "pandas"))
    assert compatibility(marked, {"pandas": "2.2"}, TARGET).flavours == ("",)


def test_the_grid_holds_every_pairing_once() -> None:
    """Cells and incompatible pairings together are all there is."""
    columns = [
        Column(environment="a", target=TARGET, packages={"pandas": "2", "scikit-learn": "1.5"}),
        Column(environment="b", target=TARGET, packages={"pandas": "2"}),
        Column(environment="c", target=TARGET, packages={}),
    ]
    grid = lay_out([PLAIN, FLAVOURED], columns)
    assert set(grid.cells) == {
        Cell(component="step", flavour="", environment="a"),
        Cell(component="step", flavour="", environment="b"),
        Cell(component="train", flavour="sklearn", environment="a"),
    }
    assert {(r.cell.row, r.cell.environment) for r in grid.incompatible} == {
        ("train[xgboost]", "a"),
        ("train[sklearn]", "b"),
        ("train[xgboost]", "b"),
        ("step", "c"),
        ("train", "c"),
    }
    assert all(r.outcome is Outcome.INCOMPATIBLE for r in grid.incompatible)


def test_a_component_that_no_environment_satisfies_is_homeless() -> None:
    """It would never be proven, so it is an error and not a row of dashes."""
    grid = lay_out(
        [PLAIN, replace(PLAIN, name="lost", dependencies=("no-such-package",))],
        [Column(environment="a", target=TARGET, packages={"pandas": "2"})],
    )
    assert homeless(grid) == ("lost",)


def test_every_requirement_that_fails_is_named() -> None:
    """Whoever mends an environment wants to know all of it at once."""
    needy = replace(PLAIN, requires_python=">=3.12", dependencies=("pandas>=2", "polars", "pip"))
    found = compatibility(needy, {"pandas": "1.5", "pip": "25"}, TARGET)
    assert found.reasons == {
        "": "needs Python >=3.12, has 3.11.2; needs pandas>=2, has 1.5; "
        "needs polars, which it does not hold"
    }


NAMES = st.sampled_from(["pandas", "Scikit_Learn", "xgboost-cpu"])
SPECIFIERS = st.sampled_from(["", ">=2", "<2", "==1.*", "~=1.5", "!=2.0", ">=1,<2"])
MARKERS = st.sampled_from(["", "; python_version < '3.12'", "; sys_platform == 'win32'"])
REQUIREMENTS = st.lists(
    st.builds(lambda *parts: "".join(parts), NAMES, SPECIFIERS, MARKERS), max_size=3
).map(tuple)


@given(
    dependencies=REQUIREMENTS,
    flavours=st.dictionaries(st.sampled_from(["a", "b"]), REQUIREMENTS),
    packages=st.dictionaries(
        NAMES.map(canonicalize_name), st.sampled_from(["1.0", "1.5.2", "2.0", "2.1rc1"])
    ),
    python=st.sampled_from(["3.10.1", "3.12.3"]),
)
def test_a_flavour_is_compatible_when_all_its_requirements_hold(
    dependencies: tuple[str, ...],
    flavours: dict[str, tuple[str, ...]],
    packages: dict[str, str],
    python: str,
) -> None:
    """What is remembered between cells does not change the answer of each."""
    target = replace(TARGET, python=python)

    def holds(text: str) -> bool:
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate(
            dict(target.marker_environment())
        ):
            return True
        held = packages.get(canonicalize_name(requirement.name))
        return held is not None and requirement.specifier.contains(held, prereleases=True)

    component = replace(
        PLAIN, requires_python=">=3.11", dependencies=dependencies, flavours=flavours
    )
    found = compatibility(component, packages, target)
    shared = python != "3.10.1" and all(map(holds, dependencies))
    expected = {name for name, needs in (flavours or {"": ()}).items() if all(map(holds, needs))}
    assert set(found.flavours) == (expected if shared else set())
    assert set(found.reasons) == ((flavours or {"": ()}).keys() - expected if shared else {""})
