"""Which cells a run is about: those that failed last time, and why others are affected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.errors import EggcrateError, UsageError
from eggcrate.matrix.cells import Cell, Outcome
from eggcrate.parsing import json_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from eggcrate.matrix.session import Matrix

_BAD = frozenset(outcome.value for outcome in Outcome if not outcome.good)
_SHOWN = 5


def failed_cells(report: Path) -> frozenset[Cell]:
    """The cells of a ``matrix.json`` that were not good when they were last proven.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    try:
        cells = json_of(report.read_bytes())["cells"]
        return frozenset(
            Cell(
                component=str(cell["component"]),
                flavour=str(cell["flavour"]),
                environment=str(cell["environment"]),
            )
            for cell in cells
            if _last_known(cell) in _BAD
        )
    except FileNotFoundError as error:
        raise UsageError(
            "there is no last run to take failures from",
            why=f"{report} does not exist",
            hint="run eggcrate matrix without --failed",
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{report} cannot be read", why=repr(error), hint="run eggcrate matrix without --failed"
        ) from error


def _last_known(cell: Mapping[str, object]) -> object:
    """The outcome of a cell; of one that was not selected, that which it had before."""
    outcome = cell["outcome"]
    return cell.get("previous_outcome") if outcome == Outcome.NOT_SELECTED.value else outcome


def missing(failed: AbstractSet[Cell], matrix: Matrix) -> dict[str, EggcrateError]:
    """An error for each cell that failed and is not there to be proven again.

    Args:
        failed: those that are asked for.
        matrix: where they should be.
    """
    there = {*matrix.grid.cells, *(found.cell for found in matrix.grid.incompatible)}
    return {
        str(cell): UsageError(
            f"{cell} failed the last time and is not there to be proven again",
            hint="add --released: it was proven in a published image"
            if "@" in cell.environment and not matrix.released
            else "run eggcrate matrix without --failed, which tells what there is now",
        )
        for cell in sorted(failed - there)
    }


def explain(cells: Sequence[Cell], matrix: Matrix, changed: AbstractSet[str]) -> tuple[str, ...]:
    """Which changed files the affected cells depend on, in a line for each row and column.

    Args:
        cells: those affected.
        matrix: that they are of.
        changed: files that differ, relative to the repository.
    """
    lines = []
    told: set[Cell] = set()
    for name in sorted({cell.component for cell in cells}):
        files = matrix.closures[name].files if name in matrix.closures else ()
        if mine := changed & {*files, f"components/{name}/pyproject.toml"}:
            lines.append(f"  component {name}: {_listed(mine)}")
            told.update(cell for cell in cells if cell.component == name)
    for name in sorted({cell.environment for cell in cells}):
        if mine := _of_environment(name, matrix, changed):
            lines.append(f"  environment {name}: {_listed(mine)}")
            told.update(cell for cell in cells if cell.environment == name)
    if rest := [cell for cell in cells if cell not in told]:
        lines.append(
            f"  no file tells why: {_listed(map(str, rest))} (never proven as they are, or by "
            "another version of Eggcrate)"
        )
    return tuple(lines)


def _of_environment(name: str, matrix: Matrix, changed: AbstractSet[str]) -> set[str]:
    folders = [f"environments/{name}/"]
    for item in matrix.resolved:
        if item.environment.name == name:
            folders += [f"bases/{link.base.name}/" for link in item.base.chain]
    return {path for path in changed if path.startswith(tuple(folders))}


def _listed(names: Iterable[str]) -> str:
    every = sorted(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
