"""What changed since the previous run, read from the document that it left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.matrix.cells import Cell, Outcome
from eggcrate.parsing import json_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from eggcrate.matrix.cells import CellResult

_SLOWER = 1.3
_NOTICEABLE = 1.0
"""Seconds: below it a cell's duration is noise."""


@dataclass(frozen=True, kw_only=True)
class Before:
    """What became of a cell when it was last proven."""

    outcome: Outcome
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Trend:
    """Cells that are not as they were; each a list in the order of the results."""

    worse: tuple[CellResult, ...] = ()
    mended: tuple[CellResult, ...] = ()
    slower: tuple[CellResult, ...] = ()
    """Run both times, and at least a third slower."""
    faster: tuple[CellResult, ...] = ()


def read_previous(folder: Path) -> dict[Cell, Before]:
    """What the previous run left in ``matrix.json``; nothing when it left none that is whole.

    A cell that was not selected then counts as it was when it was last proven.
    """
    try:
        cells = json_of((folder / "matrix.json").read_bytes())["cells"]
        return {
            Cell(
                component=str(cell["component"]),
                flavour=str(cell["flavour"]),
                environment=str(cell["environment"]),
            ): before
            for cell in cells
            if (before := _before(cell))
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _before(cell: Mapping[str, object]) -> Before | None:
    carried = cell["outcome"] == Outcome.NOT_SELECTED.value
    outcome = cell.get("previous_outcome") if carried else cell["outcome"]
    seconds = cell.get("previous_seconds") if carried else cell["seconds"]
    if not outcome or not isinstance(seconds, int | float):
        return None
    return Before(outcome=Outcome(outcome), seconds=float(seconds))


def trend(results: Sequence[CellResult], previous: Mapping[Cell, Before]) -> Trend:
    """Compare results with what was before them; cells that are new are not compared."""
    pairs = [(result, previous[result.cell]) for result in results if result.cell in previous]
    ranks = [
        (result, before, _rank(result.outcome), _rank(before.outcome)) for result, before in pairs
    ]
    timed = [
        (result, before.seconds)
        for result, before in pairs
        if _ran(result.outcome) and before.seconds and before.outcome.good
    ]
    return Trend(
        worse=tuple(
            one
            for one, _, now, then in ranks
            if now is not None and then is not None and now > then
        ),
        mended=tuple(
            one
            for one, _, now, then in ranks
            if now is not None and then is not None and now < then
        ),
        slower=tuple(one for one, then in timed if slower(then, one.seconds)),
        faster=tuple(one for one, then in timed if slower(one.seconds, then)),
    )


def slower(before: float, after: float) -> bool:
    """Whether a duration in seconds has grown by more than chance explains."""
    return after > before * _SLOWER and after - before > _NOTICEABLE


def _ran(outcome: Outcome) -> bool:
    return outcome in {Outcome.PASSED, Outcome.FLAKY}


def _rank(outcome: Outcome) -> int | None:
    """How bad it is; nothing for cells that were not there to be proven."""
    if outcome is Outcome.NOT_SELECTED:
        return None
    if outcome in {Outcome.PASSED, Outcome.REUSED}:
        return 0
    if outcome is Outcome.FLAKY:
        return 1
    return 2 if outcome is Outcome.INCOMPATIBLE else 3
