"""The grid on a terminal while it fills, and plain lines elsewhere."""

from __future__ import annotations

import io
import threading

import pytest

from eggcrate.matrix.cells import Cell, CellResult, Outcome
from eggcrate.progress import Console, Silent, clipped
from eggcrate.report.live import Watch
from support.matrices import cell, result, vast, with_everything
from support.terminals import Terminal

ONE, TWO = cell("clean", "bare"), cell("train", "frames", "trees")
PASSED = CellResult(cell=ONE, outcome=Outcome.PASSED, seconds=1.0)
FAILED = CellResult(cell=TWO, outcome=Outcome.FAILED, seconds=2.0, reason="bad")


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("NO_COLOR", "1")


def test_the_grid_fills_in_place() -> None:
    """Waiting, running, ended: the same lines each time, and what failed stays above them."""
    terminal = Terminal()
    watch = Watch(Console(terminal), [ONE, TWO])
    watch.started(ONE)
    watch.started(TWO)
    assert terminal.screen == [
        "              bare           frames",
        "clean         > 0 s",
        "train[trees]                 > 0 s",
        "0/2 done in 0 s",
        "running clean in bare; train[trees] in frames",
    ]
    watch.proven(PASSED)
    assert terminal.screen[1] == "clean         passed 1.0 s"
    watch.proven(FAILED)
    assert terminal.screen == [
        "[2/2] train[trees] in frames: FAILED in 2.0 s: bad",
        "              bare           frames",
        "clean         passed 1.0 s",
        "train[trees]                 FAILED",
        "2/2 done in 0 s: 1 passed, 1 failed",
    ]
    watch.close()
    assert terminal.screen == ["[2/2] train[trees] in frames: FAILED in 2.0 s: bad", ""]


def test_what_others_say_meanwhile_stays() -> None:
    """A line of progress from elsewhere pushes the grid down, it is not drawn over."""
    terminal = Terminal()
    console = Console(terminal)
    watch = Watch(console, [ONE, TWO])
    watch.started(ONE)
    console.info("by the way")
    watch.started(TWO)
    assert terminal.screen[:2] == ["by the way", "              bare           frames"]
    watch.close()
    assert terminal.screen == ["by the way", ""]


@pytest.mark.parametrize(
    ("columns", "lines", "first"),
    [
        ("80", "24", "              bare           sklearn-1-5    sklearn-1-7"),
        ("30", "24", "clean        > > >"),
        ("16", "24", "clean     > > >"),
        ("13", "24", "clean    >>>"),
        ("9", "24", "0/10 don"),
        ("80", "6", "0/10 done in 0 s"),
        ("80", "2", "0/10 done in 0 s"),
    ],
)
def test_a_small_terminal_gets_less(
    columns: str, lines: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words, then marks, then marks without a gap, then a count; never a line too much."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", lines)
    terminal = Terminal()
    session = with_everything()
    watch = Watch(Console(terminal), session.matrix.cells, session.matrix.grid.incompatible)
    for one in session.matrix.cells:
        watch.started(one)
    watch.close()
    drawn = watch.drawing(int(columns), int(lines)).splitlines()
    assert len(drawn) < int(lines)
    assert max(map(len, drawn[:-1]), default=0) <= 80
    assert clipped(drawn[0], int(columns) - 1).startswith(first)


def test_thousands_of_remembered_cells_are_not_thousands_of_drawings() -> None:
    """Drawing is paced; on a terminal of the usual size the vast grid is a count."""
    terminal = Terminal()
    session = vast()
    reused = [one for one in session.results if one.outcome is Outcome.REUSED]
    watch = Watch(Console(terminal), [one.cell for one in reused])
    for one in reused:
        watch.proven(one)
    watch.close()
    assert terminal.getvalue().count("done in") < 1000


def test_elsewhere_there_is_a_line_for_each_that_ran() -> None:
    """What was reused is one line together; there are no control characters."""
    stream = io.StringIO()
    third = result("old", "bare", Outcome.REUSED)
    watch = Watch(Console(stream), [ONE, TWO, third.cell])
    watch.proven(third)
    watch.started(ONE)
    watch.proven(PASSED)
    watch.proven(FAILED)
    watch.close()
    assert stream.getvalue() == (
        "[2/3] clean in bare: passed in 1.0 s\n"
        "[3/3] train[trees] in frames: FAILED in 2.0 s: bad\n"
        "1 of 3 cells passed before: reused\n"
    )


def test_colours_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR there is none; without it a failure is red, and the words are the same."""
    plain, coloured = Terminal(), Terminal()
    drawings = []
    for terminal in (plain, coloured):
        watch = Watch(Console(terminal), [TWO])
        watch.started(TWO)
        watch.proven(FAILED)
        watch.close()
        drawings.append(watch.drawing(80, 24))
        monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1;31mFAILED\x1b[0m" in drawings[1]
    assert "\x1b" not in drawings[0]
    assert "\x1b[1;31m" not in plain.getvalue()


def test_a_terminal_without_unicode_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark that cannot be written is no reason to fail."""
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    terminal.encoding = "ascii"  # type: ignore[misc] # a terminal of another time
    watch = Watch(Console(terminal), [ONE, TWO])
    watch.started(ONE)
    watch.proven(PASSED)
    watch.close()
    assert terminal.getvalue().isascii()
    assert "clean        +" in terminal.getvalue()


def test_cells_end_in_any_thread() -> None:
    """Counts are right when many threads tell at once, and nothing is left running."""
    stream = Terminal()
    cells = [Cell(component=f"c{n}", flavour="", environment="bare") for n in range(40)]
    watch = Watch(Console(stream), cells)

    def run(part: list[Cell]) -> None:
        for one in part:
            watch.started(one)
            watch.proven(CellResult(cell=one, outcome=Outcome.PASSED))

    threads = [threading.Thread(target=run, args=(cells[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = watch.drawing(80, 60)
    watch.close()
    assert last.endswith("40/40 done in 0 s: 40 passed")
    assert not [one for one in threading.enumerate() if one.name == "grid"]


def test_silence_is_possible() -> None:
    """As a library nothing is written."""
    watch = Watch(Silent(), [ONE])
    watch.started(ONE)
    watch.proven(PASSED)
    watch.close()


def test_clipping_counts_no_colours() -> None:
    """A line is cut by what is seen, and its colour is ended."""
    line = "\x1b[31mred\x1b[0m and more"
    assert clipped(line, 5) == "\x1b[31mred\x1b[0m a"
    assert clipped(line, 2) == "\x1b[31mre\x1b[0m"
    assert clipped("short", 5) == "short"
