"""The matrix as a person reads it."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from eggcrate.errors import BuildError
from eggcrate.matrix.cells import Grid, Outcome
from eggcrate.matrix.session import Matrix, Session
from eggcrate.report import matrix as report
from eggcrate.report.table import table
from support.matrices import FAILURE, result, session_of, vast, with_everything

INCOMPATIBLE = (
    result("train", "bare", Outcome.INCOMPATIBLE, reason="needs pandas"),
    result("train", "old", Outcome.INCOMPATIBLE, "boost", reason="needs boost"),
    result("train", "new", Outcome.INCOMPATIBLE, "boost", reason="needs boost"),
)
PASSED = result("train", "old", Outcome.PASSED, "trees", seconds=2.04, memory_peak=5_000_000)
FAILED = result(
    "train",
    "new",
    Outcome.FAILED,
    "trees",
    seconds=1.0,
    reason="test_x.py::test_a - Bad",
    output="\n".join(f"line {number}" for number in range(40)),
    command="eggcrate matrix --component train",
)
MATRIX = Matrix(
    components={},
    resolved=(),
    grid=Grid(cells=(PASSED.cell, FAILED.cell), incompatible=INCOMPATIBLE),
    cells=(PASSED.cell, FAILED.cell),
    errors={"environments/bad": BuildError("it is bad", why="really", hint="mend it")},
    homeless=("lonely",),
)
SESSION = Session(
    matrix=MATRIX,
    images=(),
    results=(PASSED, FAILED, *INCOMPATIBLE),
    image_seconds=1.0,
    cell_seconds=2.5,
)


def test_the_list_is_a_grid_then_reasons_together() -> None:
    """One line a row; environments that lack the same are named together."""
    assert report.overview(MATRIX).splitlines()[:11] == [
        "component     bare  new  old",
        "------------  ----  ---  ---",
        "train[boost]  -     -    -",
        "train[trees]  -     yes  yes",
        "",
        "why not:",
        "  train",
        "    needs pandas: bare",
        "  train[boost]",
        "    needs boost: new, old",
        "",
    ]


def test_a_run_ends_with_what_went_wrong_and_where_the_time_went() -> None:
    """Grid, failures with tail, log and command, errors with what to do next, figures."""
    text = report.text(SESSION)
    assert text.splitlines()[2] == "train[trees]  -     FAILED  passed 2.0 s"
    assert "train[trees] in new: failed: test_x.py::test_a - Bad\n    line 15\n" in text
    assert "line 14" not in text
    assert "all of it: build/matrix/logs/new/train[trees].log" in text
    assert "run it again: eggcrate matrix --component train" in text
    assert "error: it is bad\n  why:  really\n  next: mend it" in text
    assert "error: no environment satisfies component lonely" in text
    assert text.splitlines()[-4:] == [
        "1 passed, 1 failed, 3 incompatible; at most 5.0 MB of memory in a cell",
        (
            "3.5 s: images 1.0 s (0 built), cells 2.5 s (3.0 s of work), "
            "slowest: train[trees] in old, 2.0 s"
        ),
        "1 row fits none of these environments: eggcrate matrix --list",
        "all of it: build/matrix/index.html",
    ]


def test_reasons_of_incompatible_pairings_are_not_in_a_run() -> None:
    """They are what ``--list`` is for."""
    assert "needs boost" not in report.text(SESSION)


def test_what_was_not_selected_shows_as_such() -> None:
    """A grid never leaves a place empty."""
    left = result("train", "old", Outcome.NOT_SELECTED, "trees")
    assert "not selected" in report.grid([left, *INCOMPATIBLE])


def test_progress_is_a_line_a_cell() -> None:
    """What failed is in capitals, with its reason."""
    assert report.line(1, 2, PASSED) == "[1/2] train[trees] in old: passed in 2.0 s"
    assert report.line(2, 2, FAILED) == (
        "[2/2] train[trees] in new: FAILED in 1.0 s: test_x.py::test_a - Bad"
    )


def test_the_document_holds_everything() -> None:
    """Cells in order, totals by outcome, errors in parts; JSON can write it."""
    document = json.loads(json.dumps(report.document(MATRIX, SESSION.results)))
    assert document["totals"] == {"passed": 1, "failed": 1, "incompatible": 3}
    assert len(document["cells"]) == 5
    assert document["errors"] == [
        {"subject": "environments/bad", "what": "it is bad", "why": "really", "hint": "mend it"},
        {
            "subject": "components/lonely",
            "what": "no environment satisfies it",
            "why": "",
            "hint": "eggcrate matrix --list shows what each environment lacks",
        },
    ]
    assert {cell["log"] for cell in document["cells"]} == {"", "logs/new/train[trees].log"}


def test_numbers_are_aligned_to_the_right() -> None:
    """A table's columns line up, and no line ends in blanks."""
    assert table(("name", "size"), [("a", "1"), ("long name", "1000")], right="size") == (
        "name       size\n---------  ----\na             1\nlong name  1000"
    )


@pytest.mark.parametrize("columns", [20, 80, 200])
@pytest.mark.parametrize("lines", [24, 50])
def test_a_summary_fits_a_screen(columns: int, lines: int) -> None:
    """Of 20,000 cells with a hundred failures, what matters and no more."""
    session = replace(vast(), image_seconds=1.0)
    text = report.text(session, size=os.terminal_size((columns, lines)))
    assert len(text.splitlines()) <= lines - 2
    assert "component_000 in env" in text or columns < 40
    assert "more that are not good" in text
    assert "rows where all is well" in text


def test_a_summary_gives_failures_what_room_there_is() -> None:
    """Of a test that failed: the errors, where, and the summary, not the whole of pytest."""
    session = session_of(
        *(
            result("train", f"env-{number}", Outcome.FAILED, reason="bad", output=FAILURE)
            for number in range(4)
        )
    )
    roomy = report.text(session, size=os.terminal_size((100, 60)))
    assert roomy.count("AssertionError: assert [3, 1] == [1, 3]") == 4
    assert "test session starts" not in roomy
    tight = report.text(session, size=os.terminal_size((100, 20)))
    assert tight.count("train in env-") == 4
    assert "AssertionError: assert" not in tight
    assert len(tight.splitlines()) <= 18


def test_flaky_reused_and_suggestions_are_told() -> None:
    """Nothing that deserves a look is green in silence."""
    text = report.text(with_everything(), suggestions=["widen it"])
    assert "flaky: clean in sklearn-1-7: passed at attempt 2 (timing)" in text
    assert "1 reused" in text
    assert "1 suggestion: build/matrix/summary.md" in text


def test_output_of_programs_does_nothing_to_the_terminal() -> None:
    """Colours, titles and control characters in logs are not passed on."""
    text = report.text(with_everything())
    assert "\x1b" not in text
    assert "\x07" not in text


def test_rows_that_fit_nowhere_are_a_count() -> None:
    """They are not read in the run of one environment; where there are no others, all show."""
    told = report.text(SESSION)
    assert "train[boost]" not in told.partition("\n\n")[0]
    assert "1 row fits none of these environments: eggcrate matrix --list" in told
    only = report.text(replace(SESSION, results=INCOMPATIBLE))
    assert "train[boost]" in only
    assert "of these environments" not in only
