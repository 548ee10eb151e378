"""What a person sees while the matrix runs: on a terminal, and elsewhere."""

from __future__ import annotations

import io

import pytest

from eggcrate.build.engine import BuildResult
from eggcrate.build.values import Verdict
from eggcrate.cli.matrix import _Watch
from eggcrate.matrix.cells import Cell, CellResult, Outcome
from eggcrate.progress import Console

ONE = Cell(component="clean", flavour="", environment="bare")
TWO = Cell(component="train", flavour="trees", environment="frames")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def watched(stream: io.StringIO) -> str:
    watch = _Watch(Console(stream), 2)
    watch.started(ONE)
    watch.started(TWO)
    watch.proven(1, 2, CellResult(cell=ONE, outcome=Outcome.PASSED, seconds=1.0))
    watch.proven(2, 2, CellResult(cell=TWO, outcome=Outcome.FAILED, seconds=1.0, reason="bad"))
    return stream.getvalue()


def test_a_terminal_shows_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line at the bottom, redrawn; what has ended stays above it."""
    monkeypatch.setenv("TERM", "xterm")
    told = watched(Terminal())
    assert "\r\x1b[2K0/2 done; running clean in bare, train[trees] in frames" in told
    assert "\r\x1b[2K[1/2] clean in bare: passed in 1.0 s\n" in told
    assert "\r\x1b[2K1/2 done; running train[trees] in frames\r\x1b[2K[2/2]" in told
    assert told.endswith("FAILED in 1.0 s: bad\n")


def test_elsewhere_there_are_plain_lines() -> None:
    """A log holds one line a cell, and no control characters."""
    assert watched(io.StringIO()) == (
        "[1/2] clean in bare: passed in 1.0 s\n[2/2] train[trees] in frames: FAILED in 1.0 s: bad\n"
    )


def test_no_colour_when_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR takes the colour away, not the redrawing."""
    monkeypatch.setenv("TERM", "xterm")
    coloured = Terminal()
    Console(coloured).warn("old")
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    Console(plain).warn("old")
    assert coloured.getvalue() == "\x1b[33mwarning:\x1b[0m old\n"
    assert plain.getvalue() == "warning: old\n"


@pytest.mark.parametrize(
    ("verdict", "told"), [(Verdict.UP_TO_DATE, "1 image is up to date"), (Verdict.BUILT, "built")]
)
def test_images_are_a_table_only_when_one_is_new(verdict: Verdict, told: str) -> None:
    """When nothing was built one line says so."""
    stream = io.StringIO()
    image = BuildResult(environment="bare", platform="linux/amd64", verdict=verdict)
    _Watch(Console(stream), 1).built([image])
    assert told in stream.getvalue()
    assert ("environment" in stream.getvalue()) == (verdict is Verdict.BUILT)
