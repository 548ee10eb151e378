"""What a person sees while work goes on; the grid is in ``tests/report/test_live.py``."""

from __future__ import annotations

import io

import pytest

from eggcrate.build.engine import BuildResult
from eggcrate.build.values import Verdict
from eggcrate.cli import matrix_terminal
from eggcrate.progress import Console
from support.terminals import Terminal


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
    matrix_terminal.Terminal(Console(stream), ()).built([image])
    assert told in stream.getvalue()
    assert ("environment" in stream.getvalue()) == (verdict is Verdict.BUILT)
