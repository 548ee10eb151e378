"""Sections of measured figures, and the words for figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.document import (
    BENCHMARKS,
    MEASUREMENTS,
    human_ratio,
    human_seconds,
    machine,
    markdown_table,
    replaced,
    write_section,
)
from eggcrate.errors import EggcrateError

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (
    "# Page\n<!-- a: begin -->\nold\n<!-- a: end -->\nprose\n<!-- b: begin -->\n<!-- b: end -->\n"
)
TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"])).filter(
    lambda text: "<!--" not in text
)


@given(first=TEXT, second=TEXT)
def test_a_section_is_replaced_and_nothing_else(first: str, second: str) -> None:
    """What people wrote stays, each section holds what was written last, in any order."""
    once = replaced(replaced(PAGE, "a", first), "b", second)
    assert once == replaced(replaced(PAGE, "b", second), "a", first)
    assert replaced(replaced(once, "a", "old"), "b", "") == replaced(PAGE, "b", "")


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<!-- a: begin -->\n",
        "<!-- a: end -->\n<!-- a: begin -->\n",
        "<!-- a: begin -->\n<!-- a: begin -->\n<!-- a: end -->\n",
        "<!-- a: begin -->\n<!-- a: end -->\n<!-- a: begin -->\n<!-- a: end -->\n",
    ],
)
def test_a_page_without_one_such_section_is_refused(page: str) -> None:
    """A section that is missing, open or there twice is an error, not a page spoilt."""
    with pytest.raises(EggcrateError, match="'a'"):
        replaced(page, "a", "text")


def test_writing_twice_is_writing_once(tmp_path: Path) -> None:
    """A section written again with the same text leaves the same page."""
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text(PAGE)
    write_section(page, "b", "figures\n")
    once = page.read_text()
    write_section(page, "b", "figures\n")
    assert once == page.read_text()
    assert once.startswith(PAGE.partition("<!-- b")[0])


@pytest.mark.parametrize(
    ("page", "name"),
    [
        (BENCHMARKS, "builds"),
        (BENCHMARKS, "scale"),
        (MEASUREMENTS, "imports"),
        (MEASUREMENTS, "install"),
    ],
)
def test_the_pages_have_the_sections_that_are_written(page: Path, name: str) -> None:
    """No measurement of many minutes ends with a page that has no place for it."""
    assert "text" in replaced(page.read_text(), name, "text")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.213, "0.21 s"), (0.996, "1.0 s"), (9.96, "10.0 s"), (59.96, "60 s"), (125.4, "125 s")],
)
def test_seconds_have_digits_that_mean_something(seconds: float, words: str) -> None:
    """Hundredths below a second, tenths below a minute, none above."""
    assert human_seconds(seconds) == words


@pytest.mark.parametrize(
    ("slow", "fast", "words"),
    [(1, 2, "0.5 x"), (9.96, 1, "10 x"), (123.4, 1, "120 x"), (3.44, 1, "3.4 x")],
)
def test_ratios_have_two_digits(slow: float, fast: float, words: str) -> None:
    """More digits than two would not be the same on the next run."""
    assert human_ratio(slow, fast) == words


def test_a_table_in_markdown() -> None:
    """Numbers stand to the right."""
    table = markdown_table(("step", "s"), [("cold", "1")])
    assert table == "| step | s |\n| --- | ---: |\n| cold | 1 |"


def test_the_machine_is_told_by_its_shape() -> None:
    """Cores, memory, system, Python."""
    assert "core" in machine()
    assert "GB of memory" in machine()
