"""Components are matched with environments by the lock, and each mismatch is explained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

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
