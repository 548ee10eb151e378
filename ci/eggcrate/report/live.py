"""The grid as it fills: on a terminal redrawn in place, elsewhere a line a cell."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from eggcrate.matrix.cells import Cell, CellResult, Outcome
from eggcrate.progress import Console
from eggcrate.report.grid import MARKS, RUNNING, WAITING, encodable, lay, squeezed, word
from eggcrate.report.matrix import line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.progress import Progress

_TICK = 1.0
_PAUSE = 0.1
"""Seconds between two drawings, so that a thousand remembered cells do not cost a thousand."""
_WIDE, _LABEL = 8, 32
_COLOURS = {
    **dict.fromkeys((Outcome.PASSED, Outcome.REUSED), "32"),
    Outcome.FLAKY: "33",
    **dict.fromkeys((Outcome.FAILED, Outcome.TIMED_OUT, Outcome.KILLED, Outcome.BROKEN), "1;31"),
    Outcome.INCOMPATIBLE: "2",
}


class Watch:
    """Shows cells while they are proven; every method may be called from any thread.

    Args:
        progress: where to show them.
        cells: those to be proven.
        others: results that are known before, such as pairings that are incompatible.
    """

    def __init__(
        self, progress: Progress, cells: Sequence[Cell], others: Sequence[CellResult] = ()
    ) -> None:
        self._progress = progress
        self._console = progress if isinstance(progress, Console) and progress.live else None
        self._layout = lay([*cells, *(result.cell for result in others)])
        self._total = len(cells)
        self._results = {result.cell: result for result in others}
        self._running: dict[Cell, float] = {}
        self._done: Counter[Outcome] = Counter()
        self._start = time.monotonic()
        self._drawn = 0.0
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._ticker: threading.Thread | None = None

    def started(self, cell: Cell) -> None:
        """A cell is begun."""
        with self._lock:
            self._running[cell] = time.monotonic()
            self._draw(now=True)
            if self._console and not self._ticker:
                self._ticker = threading.Thread(target=self._tick, name="grid", daemon=True)
                self._ticker.start()

    def proven(self, result: CellResult) -> None:
        """A cell has ended, or was proven before."""
        with self._lock:
            ran = self._running.pop(result.cell, None) is not None
            self._results[result.cell] = result
            self._done[result.outcome] += 1
            untold = result.outcome is Outcome.REUSED
            if self._console:
                untold = result.outcome in {Outcome.REUSED, Outcome.PASSED}
            if not untold:
                self._progress.info(line(self._done.total(), self._total, result))
            self._draw(now=ran or not untold)

    def close(self) -> None:
        """Nothing more comes: leave the screen to what follows."""
        self._closed.set()
        if self._ticker:
            self._ticker.join()
        with self._lock:
            reused = self._done[Outcome.REUSED]
            if self._console:
                self._progress.status("")
            elif reused:
                self._progress.info(f"{reused} of {self._total} cells passed before: reused")

    def _tick(self) -> None:
        while not self._closed.wait(_TICK):
            with self._lock:
                self._draw(now=True)

    def _draw(self, *, now: bool) -> None:
        since = time.monotonic() - self._drawn
        if self._console and not self._closed.is_set() and (now or since > _PAUSE):
            self._drawn = time.monotonic()
            text = self.drawing(self._console.size.columns, self._console.size.lines)
            self._progress.status(encodable(text, self._console.encoding))

    def drawing(self, columns: int, lines: int) -> str:
        """What stands on the screen now, in at most ``columns`` by ``lines`` characters."""
        tail = self._tail(columns - 1)
        rows = [*self._grid(columns - 1), *tail]
        return "\n".join(rows if len(rows) < lines else tail[: max(1, lines - 1)])

    def _grid(self, width: int) -> list[str]:
        """Words where there is room for them, else marks; nothing where even those do not fit."""
        names = self._layout.columns
        if not names:
            return []
        longest = max(len(row) for row in self._layout.rows)
        label = min(longest, max(_WIDE, min(_LABEL, width // 3)))
        widest = max(len(name) for name in names)
        column = min(max(widest, len("passed 99.9 s")), (width - label) // len(names) - 2)
        if column >= _WIDE:
            head = [f"{squeezed(name, column):{column}}" for name in names]
            return [
                "  ".join([" " * label, *head]).rstrip(),
                *("  ".join(self._row(row, label, column)) for row in self._layout.rows),
            ]
        for gap in (" ", ""):
            label = min(longest, width - len(names) * (1 + len(gap)) - 1 + len(gap))
            if label >= min(longest, _WIDE):
                drawn = (self._row(row, label, 1) for row in self._layout.rows)
                return [f"{cells[0]} {gap.join(cells[1:])}" for cells in drawn]
        return []

    def _row(self, row: str, label: int, column: int) -> list[str]:
        cells = (self._layout.places.get((row, name)) for name in self._layout.columns)
        return [f"{squeezed(row, label):{label}}", *(self._cell(cell, column) for cell in cells)]

    def _cell(self, cell: Cell | None, width: int) -> str:
        result = self._results.get(cell) if cell else None
        if cell in self._running:
            seconds = time.monotonic() - self._running[cell]
            return self._painted(f"{RUNNING} {seconds:.0f} s"[:width], width, "36")
        if result is None:
            return f"{WAITING if cell else ' ':{width}}"
        mark = MARKS[result.outcome]
        told = word(result)
        if width < len(told):
            told = f"{mark} {result.seconds:.1f} s" if result.seconds else mark
        shown = mark if width == 1 else told[:width]
        return self._painted(shown, width, _COLOURS.get(result.outcome, ""))

    def _painted(self, text: str, width: int, colour: str) -> str:
        padding = " " * (width - len(text))
        if colour and self._console and self._console.colour:
            return f"\x1b[{colour}m{text}\x1b[0m{padding}"
        return text + padding

    def _tail(self, width: int) -> list[str]:
        counts = ", ".join(
            f"{self._done[outcome]} {outcome.value}" for outcome in Outcome if self._done[outcome]
        )
        done = f"{self._done.total()}/{self._total} done in {time.monotonic() - self._start:.0f} s"
        running = "; ".join(str(cell) for cell in self._running)
        lines = [f"{done}: {counts}" if counts else done]
        return lines + ([f"running {running}"[:width]] if running else [])
