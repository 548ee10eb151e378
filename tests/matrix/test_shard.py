"""Parts of a matrix: together they are all of it, and none is in two."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.errors import UsageError
from eggcrate.matrix.cells import Cell
from eggcrate.matrix.shard import (
    Shard,
    divide,
    durations_of,
    fingerprint,
    read_durations,
    write_durations,
)

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.sampled_from(["a", "b", "c", "train", "predict"])
CELLS = st.lists(
    st.builds(Cell, component=NAMES, flavour=st.sampled_from(["", "x", "y"]), environment=NAMES),
    max_size=60,
    unique=True,
)
DURATIONS = st.dictionaries(
    st.builds(lambda a, b: f"{a} in {b}", NAMES, NAMES), st.floats(0, 1e6), max_size=25
)


@given(cells=CELLS, durations=DURATIONS, count=st.integers(1, 12), order=st.randoms())
def test_parts_are_the_whole(
    cells: list[Cell], durations: dict[str, float], count: int, order: object
) -> None:
    """Every cell is in exactly one part, in whatever order a machine sees them."""
    parts = divide(cells, durations, count)
    assert len(parts) == count
    assert sorted(cell for part in parts for cell in part) == sorted(cells)
    shuffled = list(cells)
    order.shuffle(shuffled)  # type: ignore[attr-defined] # a random.Random
    again = divide(shuffled, dict(reversed(durations.items())), count)
    assert again == parts
    assert fingerprint(again) == fingerprint(parts)


@given(cells=CELLS, seed=st.integers(1, 10**6), count=st.integers(1, 12))
def test_no_part_is_much_longer(cells: list[Cell], seed: int, count: int) -> None:
    """The longest exceeds the shortest by no more than one cell, which cannot be divided."""
    seconds = {str(cell): (seed * (n + 1) % 997) + 1.0 for n, cell in enumerate(cells)}
    loads = [sum(seconds[str(cell)] for cell in part) for part in divide(cells, seconds, count)]
    assert max(loads) - min(loads) <= max(seconds.values(), default=0)


def test_unknown_durations_count_as_the_median() -> None:
    """A new component is neither free nor the longest of all."""
    cells = [Cell(component=name, flavour="", environment="e") for name in "abcd"]
    durations = {"a in e": 1.0, "b in e": 10.0, "c in e": 100.0}
    parts = divide(cells, durations, 2)
    assert [[cell.component for cell in part] for part in parts] == [["c"], ["a", "b", "d"]]


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", "1/2/3"])
def test_a_part_of_no_whole_is_refused(text: str) -> None:
    """Parts count from 1 to how many there are."""
    with pytest.raises(UsageError, match="part of a whole"):
        Shard.parse(text)
    assert str(Shard.parse("2/8")) == "2/8"


def test_durations_are_remembered(tmp_path: Path) -> None:
    """New ones are added; a damaged file is as good as none."""
    path = tmp_path / "cache" / "d.json"
    assert read_durations(path) == {}
    write_durations(path, {"a in e": 1.234})
    write_durations(path, {"b in e": 2.0})
    assert read_durations(path) == {"a in e": 1.23, "b in e": 2.0}
    path.write_text(path.read_text().replace("2.0", "9.0"))
    assert read_durations(path) == {}


def test_durations_are_taken_from_a_report(tmp_path: Path) -> None:
    """What one run has told can divide the next on any number of machines."""
    report = tmp_path / "matrix.json"
    cells = [
        {"component": "a", "flavour": "x", "environment": "e", "seconds": 2.5},
        {"component": "b", "flavour": "", "environment": "e", "seconds": 0.0},
    ]
    report.write_text(json.dumps({"cells": cells}))
    assert durations_of(report) == {"a[x] in e": 2.5}
    report.write_text("[]")
    with pytest.raises(UsageError, match="holds no durations"):
        durations_of(report)
