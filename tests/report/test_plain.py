"""Output of programs as text that does nothing."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from eggcrate.report.plain import plain, tail, telling
from support.matrices import FAILURE, HOSTILE


def test_sequences_are_gone_and_text_stays() -> None:
    """Colours, titles, links, overprinted progress, direction marks; tabs and lines stay."""
    assert plain("\x1b[1;31mred\x1b[0m\tok\r\n") == "red\tok\n"
    assert plain("\x1b]8;;http://x\x07link\x1b]8;;\x1b\\ \x1b]0;title\x07.") == "link ."
    assert plain("10%\r50%\r100%\r\nnext\r") == "100%\nnext"
    assert plain("a\u202eb\u2028c\x9bd\ud800\x00") == "abcd"
    assert plain("größer → \N{EGG}") == "größer → \N{EGG}"


@given(st.text(st.characters()))
def test_nothing_that_acts_survives(text: str) -> None:
    """Whatever goes in: no control character but tabs and line ends comes out."""
    left = plain(text)
    assert not [c for c in left if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\n"]
    assert plain(left) == left


@given(st.text("ab\n", max_size=60), st.integers(0, 40))
def test_a_tail_is_the_end(text: str, limit: int) -> None:
    """Never longer than asked for, and what is missing is counted."""
    end, missing = tail(text, limit)
    assert len(end) <= limit
    assert text[missing:] == end


def test_pytest_is_told_by_its_errors() -> None:
    """The assertion, where it stands, and the summary; of anything else the last lines."""
    assert telling(FAILURE, 10) == [
        "E       AssertionError: assert [3, 1] == [1, 3]",
        "E         At index 0 diff: 3 != 1",
        "components/train/tests/test_train.py:12: AssertionError",
        "FAILED components/train/tests/test_train.py::test_it_keeps_the_order - Assertio...",
    ]
    assert telling("a\nb\nc\n\n", 2) == ["b", "c"]
    assert telling(FAILURE, 0) == []
    assert telling(HOSTILE, 1) == ["100%"]
