"""The matrix as people read it on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.values import Verdict
from eggcrate.matrix.cells import CellResult, Outcome
from eggcrate.progress import human_size
from eggcrate.report.document import FOLDER, document, log_name, totals
from eggcrate.report.grid import grid, worth_showing
from eggcrate.report.plain import plain, telling

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from eggcrate.build.engine import BuildResult
    from eggcrate.matrix.session import Matrix, Session

__all__ = ["FOLDER", "document", "grid", "line", "listed", "log_name", "overview", "text", "totals"]
_TAIL = 25
_MOST = 20
"""Failures that are told with their last lines where nothing limits a screen."""


def text(
    session: Session, *, size: os.terminal_size | None = None, suggestions: Sequence[str] = ()
) -> str:
    """Everything a person wants to read after a run: the grid, what went wrong, how it went.

    Args:
        session: the run.
        size: of the terminal, which the text is made to fit; without one it may be long.
        suggestions: from :mod:`eggcrate.matrix`; told as a count, the page holds them.
    """
    end = [summary(session.results), durations(session)]
    worth = worth_showing(session.results)
    left = {one.cell.row for one in session.results} - {one.cell.row for one in worth}
    if left:
        rows = "1 row fits" if len(left) == 1 else f"{len(left)} rows fit"
        end.append(f"{rows} none of these environments: eggcrate matrix --list")
    if suggestions:
        count = len(suggestions)
        end.append(f"{count} suggestion{'s' * (count > 1)}: {FOLDER}/summary.md")
    if not session.good:
        end.append(f"all of it: {FOLDER}/index.html")
    above = [
        broken_images(session.images),
        flaky(session.results),
        problems(session.matrix),
        "\n".join(end),
    ]
    lines = size.lines - 2 if size else None
    shown = grid(worth, size)
    if lines is not None:
        lines -= sum(part.count("\n") + 2 for part in [shown, *above] if part)
    parts = [shown, failures(session.results, lines, size.columns if size else None), *above]
    return "\n\n".join(part for part in parts if part)


def flaky(results: Iterable[CellResult]) -> str:
    """Cells that passed only when they were tried again."""
    return "\n".join(
        f"flaky: {result.cell}: passed at attempt {result.attempts}"
        + (f" ({plain(result.reason)})" if result.reason else "")
        for result in results
        if result.outcome is Outcome.FLAKY
    )


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
    ran = [one for one in session.results if one.outcome is not Outcome.REUSED and one.seconds]
    slowest = max(ran, key=lambda result: result.seconds, default=None)
    work = sum(result.seconds for result in ran)
    parts = [
        f"images {session.image_seconds:.1f} s ({built} built)",
        f"cells {session.cell_seconds:.1f} s ({work:.1f} s of work)",
    ]
    if slowest:
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


def failures(
    results: Iterable[CellResult], lines: int | None = None, columns: int | None = None
) -> str:
    """What failed, with the lines that tell why and the command to run it again.

    Args:
        results: of all cells.
        lines: how many there is room for; some for each, and what has none is counted.
        columns: where lines of output are cut; commands are whole, to be copied.
    """
    failed = [result for result in results if not result.outcome.good]
    most = _MOST if lines is None else max(1, lines)
    told = [(result, telling(result.output, _TAIL)) for result in failed[:most]]
    for tail in range(_TAIL, -1, -1):
        blocks = [_failure(result, output, tail, columns) for result, output in told]
        if lines is None or sum(map(len, blocks)) + len(blocks) <= lines:
            break
    else:
        most = max(1, most - 2)
        blocks = [[_head(result)[:columns] for result in failed[:most]]]
    left = len(failed) - most
    blocks += [[f"and {left} more that are not good: {FOLDER}/summary.md"]] if left > 0 else []
    return "\n\n".join("\n".join(block) for block in blocks)


def _failure(
    result: CellResult, output: Sequence[str], tail: int, columns: int | None
) -> list[str]:
    shown = output[len(output) - min(tail, len(output)) :]
    lines = [_head(result), *(f"    {one}"[:columns] for one in shown)]
    if result.output.count("\n") > len(shown):
        lines.append(f"  all of it: {FOLDER}/{log_name(result)}")
    return lines + ([f"  run it again: {result.command}"] if result.command else [])


def _head(result: CellResult) -> str:
    return f"{result.cell}: {result.outcome.value}: {plain(result.reason)}"


def summary(results: Sequence[CellResult]) -> str:
    """One line that says how it went."""
    counts = ", ".join(f"{count} {word}" for word, count in totals(results).items())
    peak = max((result.memory_peak or 0 for result in results), default=0)
    return counts + (f"; at most {human_size(peak)} of memory in a cell" if peak else "")
