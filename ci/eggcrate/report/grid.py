"""The grid: components down, environments across."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.matrix.cells import Cell, CellResult, Outcome
from eggcrate.report.table import table

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

MARKS = {
    Outcome.PASSED: "✓",
    Outcome.REUSED: "=",
    Outcome.FLAKY: "~",
    Outcome.FAILED: "✗",
    Outcome.TIMED_OUT: "T",
    Outcome.KILLED: "K",
    Outcome.BROKEN: "B",
    Outcome.INCOMPATIBLE: "·",
    Outcome.NOT_SELECTED: " ",
}
"""One character for each outcome; two never look alike."""
WAITING, RUNNING = ".", ">"
_ASCII = str.maketrans({"✓": "+", "✗": "X", "·": "-", "…": "~"})


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where each cell stands."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    places: Mapping[tuple[str, str], Cell]
    """By row and column. A component that an environment does not satisfy at all stands in
    every row of that component."""


def lay(cells: Iterable[Cell]) -> Layout:
    """Give each cell its place."""
    cells = list(cells)
    flavoured: dict[str, set[str]] = {}
    for cell in cells:
        if cell.flavour:
            flavoured.setdefault(cell.component, set()).add(cell.row)
    places: dict[tuple[str, str], Cell] = {}
    for cell in sorted(cells, key=lambda one: bool(one.flavour)):
        rows = {cell.row} if cell.flavour else flavoured.get(cell.component, {cell.row})
        places.update({(row, cell.environment): cell for row in rows})
    return Layout(
        rows=tuple(sorted({row for row, _ in places})),
        columns=tuple(sorted({cell.environment for cell in cells})),
        places=places,
    )


def word(result: CellResult | None) -> str:
    """A cell's outcome in the grid; what is not good is in capitals."""
    if result is None:
        return "not selected"
    match result.outcome:
        case Outcome.INCOMPATIBLE:
            return "-"
        case Outcome.NOT_SELECTED:
            return "yes" if result.reason else "not selected"
        case Outcome.REUSED:
            return "reused"
        case Outcome.PASSED:
            return f"passed {result.seconds:.1f} s"
        case other:
            return str(other.value).upper()


def worth_showing(results: Sequence[CellResult]) -> list[CellResult]:
    """All but the rows that fit none of the environments asked for, unless there are no others."""
    rows = {one.cell.row for one in results if one.outcome is not Outcome.INCOMPATIBLE}
    components = {row.partition("[")[0] for row in rows}
    return [
        one
        for one in results
        if one.cell.row in rows or (not one.cell.flavour and one.cell.component in components)
    ] or list(results)


def grid(results: Sequence[CellResult], size: os.terminal_size | None = None) -> str:
    """Components down, environments across; each cell its outcome.

    A component that an environment does not satisfy at all shows in every row of that
    component; the reasons are in the list that ``eggcrate matrix --list`` gives.

    Args:
        results: of all cells.
        size: of the terminal: where words do not fit, marks do; where not all rows fit, those
            do where something is not good.
    """
    layout = lay(result.cell for result in results)
    found = {result.cell: result for result in results}
    rows = {
        row: [
            found[layout.places[row, name]] if (row, name) in layout.places else None
            for name in layout.columns
        ]
        for row in layout.rows
    }
    drawn = table(
        ("component", *layout.columns),
        [(row, *(word(one) for one in cells)) for row, cells in rows.items()],
    )
    if size and max(len(one) for one in drawn.splitlines()) > size.columns:
        return _marks(rows, size)
    return drawn if not size or len(rows) < size.lines // 2 else _marks(rows, size)


def _marks(rows: dict[str, list[CellResult | None]], size: os.terminal_size) -> str:
    """One character a cell; every row, or those with something that is not good."""
    most = max(3, size.lines // 3)
    worth = [
        row
        for row, cells in rows.items()
        if any(one and (not one.outcome.good or one.outcome is Outcome.FLAKY) for one in cells)
    ]
    shown = list(rows) if len(rows) <= most else worth[:most]
    label = min(max((len(row) for row in shown), default=0), size.columns // 3)
    fits = label + 1 + max((len(rows[row]) for row in shown), default=0) < size.columns
    lines = [
        f"{squeezed(row, label):{label}} {_line(rows[row]) if fits else _count(rows[row])}"
        for row in shown
    ]
    used = {one.outcome for row in shown for one in rows[row] if one and fits}
    used.discard(Outcome.NOT_SELECTED)  # its mark is a blank
    legend = ", ".join(f"{MARKS[one]} {one.value}" for one in Outcome if one in used)
    hidden = len(worth[most:]) if len(shown) < len(rows) else 0
    left = len(rows) - len(shown) - hidden
    lines += [f"and {hidden} more rows with failures"] if hidden else []
    lines += [f"and {left} rows where all is well"] if left else []
    return "\n".join([*lines, *textwrap.wrap(legend, size.columns - 1)])


def _line(cells: Sequence[CellResult | None]) -> str:
    return "".join(MARKS[one.outcome] if one else " " for one in cells)


def _count(cells: Sequence[CellResult | None]) -> str:
    """For a row that does not fit: cut off, it would hide what failed."""
    counts = Counter(one.outcome for one in cells if one)
    counts.pop(Outcome.NOT_SELECTED, None)
    counts.pop(Outcome.INCOMPATIBLE, None)
    return ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items())


def squeezed(text: str, width: int) -> str:
    """At most ``width`` characters: what tells names apart, their ends, is kept."""
    if len(text) <= width:
        return text
    if width < 3:  # noqa: PLR2004 - no room for an end on both sides
        return text[-width:] if width > 0 else ""
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def encodable(text: str, encoding: str | None) -> str:
    """The text, with marks in ASCII where the terminal cannot show others."""
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return text.translate(_ASCII).encode("ascii", "replace").decode()
    return text
