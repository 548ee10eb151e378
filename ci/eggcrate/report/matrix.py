"""The matrix as a grid, a list of failures, and a document."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from eggcrate.matrix.cells import CellResult, Outcome
from eggcrate.progress import human_size
from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eggcrate.matrix.session import Matrix, Session

_TAIL = 25


def text(session: Session) -> str:
    """Everything a person wants to read after a run: failures, the grid, how it went."""
    parts = [failures(session.results), grid(session.results)]
    parts += [
        f"error: no environment satisfies component {name}; see eggcrate matrix --list"
        for name in session.matrix.homeless
    ]
    parts += [f"error: {error}" for error in session.matrix.errors.values()]
    parts.append(
        f"images: {session.image_seconds:.1f} s, cells: {session.cell_seconds:.1f} s\n"
        f"{summary(session.results)}"
    )
    return "\n\n".join(part for part in parts if part)


def line(count: int, total: int, result: CellResult) -> str:
    """One line of progress."""
    word = result.outcome.value if result.outcome.good else result.outcome.value.upper()
    told = f": {result.reason}" if result.reason else ""
    return f"[{count}/{total}] {result.cell}: {word} in {result.seconds:.1f} s{told}"


def listed(matrix: Matrix) -> tuple[CellResult, ...]:
    """Every pairing before anything is run: compatible ones as not selected."""
    chosen = (
        CellResult(cell=cell, outcome=Outcome.NOT_SELECTED, reason="compatible")
        for cell in matrix.grid.cells
    )
    return (*chosen, *matrix.grid.incompatible)


def grid(results: Sequence[CellResult]) -> str:
    """Components down, environments across; each cell its outcome.

    A component that an environment does not satisfy at all shows in every row of that
    component; the reasons are in the list that ``eggcrate matrix --list`` gives.
    """
    environments = sorted({result.cell.environment for result in results})
    rows: dict[str, dict[str, str]] = {}
    everywhere: dict[tuple[str, str], str] = {}
    flavoured = {result.cell.component for result in results if result.cell.flavour}
    for result in results:
        cell = result.cell
        if cell.component in flavoured and not cell.flavour:
            everywhere[cell.component, cell.environment] = _word(result)
        else:
            rows.setdefault(cell.row, {})[cell.environment] = _word(result)
    return table(
        ("component", *environments),
        [
            (
                row,
                *(
                    rows[row].get(name)
                    or everywhere.get((row.partition("[")[0], name), "not-selected")
                    for name in environments
                ),
            )
            for row in sorted(rows)
        ],
    )


def _word(result: CellResult) -> str:
    if result.outcome is Outcome.INCOMPATIBLE:
        return "-"
    if result.outcome is Outcome.PASSED:
        return f"passed {result.seconds:.1f} s"
    return result.outcome.value.upper()


def reasons(results: Iterable[CellResult]) -> str:
    """Every pairing with its outcome and reason, one a line."""
    return table(
        ("component", "environment", "outcome", "reason"),
        [
            (result.cell.row, result.cell.environment, result.outcome.value, result.reason)
            for result in sorted(results, key=lambda item: item.cell)
        ],
    )


def failures(results: Iterable[CellResult]) -> str:
    """What failed, with the tail of its output and the command to run it again."""
    parts = []
    for result in results:
        if result.outcome.good:
            continue
        tail = result.output.rstrip().splitlines()[-_TAIL:]
        parts += [
            f"{result.cell}: {result.outcome.value}: {result.reason}",
            *(f"    {line}" for line in tail),
        ]
        if result.command:
            parts.append(f"  run it again: {result.command}")
        parts.append("")
    return "\n".join(parts)


def totals(results: Iterable[CellResult]) -> dict[str, int]:
    """How many cells had each outcome."""
    return dict(Counter(result.outcome.value for result in results))


def summary(results: Sequence[CellResult]) -> str:
    """One line that says how it went."""
    counts = ", ".join(f"{count} {word}" for word, count in sorted(totals(results).items()))
    peak = max((result.memory_peak or 0 for result in results), default=0)
    return counts + (f"; at most {human_size(peak)} of memory in a cell" if peak else "")


def document(results: Sequence[CellResult]) -> dict[str, Any]:
    """The matrix as ``eggcrate.matrix/1``."""
    return {
        "cells": [
            {
                "component": result.cell.component,
                "environment": result.cell.environment,
                "flavour": result.cell.flavour,
                "image": result.image,
                "outcome": result.outcome.value,
                "seconds": round(result.seconds, 3),
                "memory_peak": result.memory_peak,
                "reason": result.reason,
                "log": log_name(result) if result.output else "",
                "command": result.command,
            }
            for result in sorted(results, key=lambda item: item.cell)
        ],
        "totals": totals(results),
    }


def log_name(result: CellResult) -> str:
    """The file in ``build/matrix/`` that holds a cell's whole output."""
    return f"logs/{result.cell.environment}/{result.cell.row}.log"
