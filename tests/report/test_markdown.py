"""Markdown for a pull request."""

from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from eggcrate.matrix.cells import Outcome
from eggcrate.report.contents import images_of, read_images
from eggcrate.report.markdown import LIMIT, markdown, safe
from eggcrate.report.plain import plain
from eggcrate.report.trend import Before
from support.matrices import (
    HOSTILE,
    manifests,
    reader,
    result,
    session_of,
    vast,
    with_everything,
)


def test_the_verdict_is_the_first_line() -> None:
    """Then counts, then what is not good, before anything folded."""
    text = markdown(with_everything(), {}, ())
    assert text.startswith("## Matrix: ❌ 4 of 9 cells are not good\n")
    assert text.index("| clean | bare | **timed-out** | took longer") < text.index("<details>")
    assert "### Flaky" in text
    assert "**components/odd**" in text


def test_a_green_run_is_short() -> None:
    """Nothing to say is said in two lines."""
    text = markdown(session_of(result("a", "b", Outcome.PASSED)), {}, ())
    assert text == "## Matrix: ✅ all 1 cells are proven\n\n1 passed in 3.5 s.\n"


def test_what_has_changed_and_what_images_weigh() -> None:
    """Both are folded."""
    session = with_everything()
    previous = {one.cell: Before(outcome=Outcome.PASSED, seconds=0.5) for one in session.results}
    read = reader(manifests("bare", "sklearn-1-5", "sklearn-1-7"))
    images = read_images(images_of(session).items(), read)
    text = markdown(session, previous, images, ["pandas may be <4"])
    assert "- clean in bare: passed → **timed-out**" in text
    assert "| bare | 179.2 MB | 26 | package-0 50.0 MB" in text
    assert "- pandas may be &#60;4" in text
    assert text.count("<details>") == text.count("</details>") == 4


def test_it_fits_a_comment_and_says_what_is_cut() -> None:
    """Whole parts are left out, never half of one."""
    text = markdown(vast(), {}, ())
    assert len(text) <= LIMIT
    assert "did not fit here" in text
    assert "and 5 more" in text
    assert text.count("<details>") == text.count("</details>")
    assert text.count("```") % 4 == 0


def test_hostile_text_opens_nothing() -> None:
    """No tag, no mention, no link, and no way out of a table or a fence."""
    reason = "| @someone [x](y) <img src=x> `code` **b** #1\n# head"
    output = HOSTILE + "```\n@team\n````\n<details>"
    bad = result("a", "b", Outcome.FAILED, reason=reason, output=output)
    text = markdown(session_of(bad), {}, ())
    outside = re.sub(r"(?s)(`{3,})text\n.*?\n\1", "", text)
    assert "@" not in outside
    assert "<img" not in outside
    assert outside.count("<details>") == 1
    assert "[x]" not in outside
    assert "\n`````text\n" in text


@given(st.text(st.characters(), max_size=200))
def test_safe_text_shows_what_it_was(text: str) -> None:
    """As HTML it is the text again, on one line; as Markdown it has nothing that marks up."""
    shown = safe(text)
    assert html.unescape(shown) == " ".join(plain(text).split())
    assert not set(shown) & set("<>[]*_`|@!\\\n~")
