"""The matrix as a grid, a list of failures, and a document."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from eggcrate.build.values import Verdict
from eggcrate.matrix.cells import CellResult, Outcome
from eggcrate.progress import human_size
from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eggcrate.build.engine import BuildResult
    from eggcrate.matrix.session import Matrix, Session

FOLDER = "build/matrix"
"""Where the documents and logs of a run are, below the repository."""
_TAIL = 25


def text(session: Session) -> str:
    """Everything a person wants to read after a run: the grid, what went wrong, how it went."""
    parts = [
        grid(session.results),
        failures(session.results),
        broken_images(session.images),
        problems(session.matrix),
        f"{summary(session.results)}\n{durations(session)}",
    ]
    return "\n\n".join(part for part in parts if part)


def problems(matrix: Matrix) -> str:
    """What stands in the way of proving all that was asked for; empty when nothing does."""
    parts = [f"error: {error}" for error in matrix.errors.values()]
    parts += [f"error: no environment satisfies component {name}" for name in matrix.homeless]
    if matrix.homeless:
        parts.append("  next: eggcrate matrix --list shows what each environment lacks")
    return "\n".join(parts)


def broken_images(images: Sequence[BuildResult]) -> str:
    """Why images could not be built, in full."""
    return "\n\n".join(f"image {one.environment}: {one.error}" for one in images if one.error)


def durations(session: Session) -> str:
    """Where the time went."""
    built = sum(image.verdict is Verdict.BUILT for image in session.images)
    cells = [result.seconds for result in session.results if result.seconds]
    slowest = max(session.results, key=lambda result: result.seconds, default=None)
    parts = [
        f"images {session.image_seconds:.1f} s ({built} built)",
        f"cells {session.cell_seconds:.1f} s ({sum(cells):.1f} s of work)",
    ]
    if slowest and cells:
        parts.append(f"slowest: {slowest.cell}, {slowest.seconds:.1f} s")
    return f"{session.seconds:.1f} s: " + ", ".join(parts)


def line(count: int, total: int, result: CellResult) -> str:
    """One line of progress."""
    word = result.outcome.value if result.outcome.good else result.outcome.value.upper()
    told = f": {result.reason}" if result.reason else ""
    return f"[{count}/{total}] {result.cell}: {word} in {result.seconds:.1f} s{told}"


def listed(matrix: Matrix) -> tuple[CellResult, ...]:
    """Every pairing before anything is run: compatible ones as not selected."""
    chosen = (
        CellResult(cell=cell, outcome=Outcome.NOT_SELECTED, reason="compatible")
        for cell in matrix.cells
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
    match result.outcome:
        case Outcome.INCOMPATIBLE:
            return "-"
        case Outcome.NOT_SELECTED:
            return "yes" if result.reason else "not selected"
        case Outcome.PASSED:
            return f"passed {result.seconds:.1f} s"
        case other:
            return str(other.value).upper()


def overview(matrix: Matrix) -> str:
    """Which component fits where, and for those that do not, what is in the way."""
    parts = [grid(listed(matrix)), reasons(matrix.grid.incompatible), problems(matrix)]
    return "\n\n".join(part for part in parts if part)


def reasons(incompatible: Iterable[CellResult]) -> str:
    """Why not, by component; environments with the same reason together."""
    found: dict[str, dict[str, list[str]]] = {}
    for result in sorted(incompatible, key=lambda item: item.cell):
        by_reason = found.setdefault(result.cell.row, {})
        by_reason.setdefault(result.reason, []).append(result.cell.environment)
    lines = ["why not:"] if found else []
    for row, by_reason in found.items():
        lines += [f"  {row}"]
        lines += [f"    {reason}: {', '.join(names)}" for reason, names in by_reason.items()]
    return "\n".join(lines)


def failures(results: Iterable[CellResult]) -> str:
    """What failed, with the tail of its output and the command to run it again."""
    parts = []
    for result in results:
        if result.outcome.good:
            continue
        lines = result.output.rstrip().splitlines()
        parts.append(f"{result.cell}: {result.outcome.value}: {result.reason}")
        parts += [f"    {line}" for line in lines[-_TAIL:]]
        if len(lines) > _TAIL:
            parts.append(f"  all of it: {FOLDER}/{log_name(result)}")
        if result.command:
            parts.append(f"  run it again: {result.command}")
        parts.append("")
    return "\n".join(parts).rstrip()


def totals(results: Iterable[CellResult]) -> dict[str, int]:
    """How many cells had each outcome."""
    counts = Counter(result.outcome for result in results)
    return {outcome.value: counts[outcome] for outcome in Outcome if counts[outcome]}


def summary(results: Sequence[CellResult]) -> str:
    """One line that says how it went."""
    counts = ", ".join(f"{count} {word}" for word, count in totals(results).items())
    peak = max((result.memory_peak or 0 for result in results), default=0)
    return counts + (f"; at most {human_size(peak)} of memory in a cell" if peak else "")


def document(matrix: Matrix, results: Sequence[CellResult]) -> dict[str, Any]:
    """The matrix as ``eggcrate.matrix/1``."""
    return {
        "errors": [
            {"subject": subject, "what": error.what, "why": error.why, "hint": error.hint}
            for subject, error in matrix.errors.items()
        ]
        + [
            {"subject": f"components/{name}", "what": "no environment satisfies it"}
            for name in matrix.homeless
        ],
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
