"""What a run leaves in ``build/matrix/``, and what the next one learns from it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from eggcrate.matrix.cells import Outcome
from eggcrate.report.contents import fillings, images_of, read_images, stored_bytes
from eggcrate.report.folder import write_all
from eggcrate.report.trend import Before, read_previous, trend
from support.matrices import (
    cell,
    digest,
    manifests,
    reader,
    result,
    session_of,
    with_everything,
)
from support.suggesting import suggestion

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = manifests("bare", "sklearn-1-5", "sklearn-1-7")


def test_everything_is_written(tmp_path: Path) -> None:
    """Five files' worth: page, XML, Markdown, JSON, a log for each cell that ran."""
    write_all(
        with_everything(), tmp_path, read_blob=reader(IMAGES), suggestions=[suggestion("widen")]
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        *("index.html", "junit.xml", "logs", "matrix.json", "summary.md"),
    }
    log = (tmp_path / "logs/sklearn-1-7/train[trees].log").read_text()
    assert log.startswith("============================= test session starts")
    flaky = (tmp_path / "logs/sklearn-1-7/clean.log").read_text()
    assert flaky == "===== tests: failed =====\ntoo late\n\n===== tests: passed =====\nok\n"
    document = json.loads((tmp_path / "matrix.json").read_text())
    assert document["schema"] == "eggcrate.matrix/1"
    assert [one["sentence"] for one in document["suggestions"]] == ["widen"]
    assert not document["good"]
    assert [image["name"] for image in document["images"]] == ["bare", "sklearn-1-5", "sklearn-1-7"]


def test_a_cell_in_the_document_has_its_evidence(tmp_path: Path) -> None:
    """What it ended with, what it used of what it may use, its proofs and attempts."""
    write_all(with_everything(), tmp_path, read_blob=reader({}))
    cells = json.loads((tmp_path / "matrix.json").read_text())["cells"]
    killed = next(one for one in cells if one["outcome"] == "killed")
    assert (killed["exit_code"], killed["signal"]) == (None, 9)
    assert killed["memory_limit"] == 4 << 30
    assert [one["name"] for one in killed["proofs"]] == ["tests", "example large"]
    flaky = next(one for one in cells if one["outcome"] == "flaky")
    assert flaky["attempts"] == 2
    assert flaky["earlier"][0]["outcome"] == "failed"


def test_logs_of_cells_that_did_not_run_are_removed(tmp_path: Path) -> None:
    """A log beside a report is of the run that the report is of."""
    old = tmp_path / "logs/gone/train.log"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    write_all(with_everything(), tmp_path, read_blob=reader({}))
    assert not old.exists()
    assert (tmp_path / "logs/bare/split.log").exists()


def test_the_next_run_compares(tmp_path: Path) -> None:
    """Also with what was last known of cells that were not selected in between."""
    first = session_of(
        result("a", "x", Outcome.PASSED, seconds=1.0), result("b", "x", Outcome.PASSED, seconds=2.0)
    )
    write_all(first, tmp_path, read_blob=reader({}))
    second = session_of(result("a", "x", Outcome.FAILED), result("b", "x", Outcome.NOT_SELECTED))
    write_all(second, tmp_path, read_blob=reader({}))
    assert read_previous(tmp_path) == {
        cell("a", "x"): Before(outcome=Outcome.FAILED, seconds=0.0),
        cell("b", "x"): Before(outcome=Outcome.PASSED, seconds=2.0),
    }


def test_what_was_not_good_is_carried_over(tmp_path: Path) -> None:
    """Where a run was not about a cell, which failed before, the document still says so."""
    first = session_of(
        *(result(name, "x", Outcome.FAILED, seconds=1.0) for name in "abc"),
        result("good", "x", Outcome.PASSED, seconds=1.0),
    )
    write_all(first, tmp_path, read_blob=reader({}))
    second = session_of(result("a", "x", Outcome.PASSED, seconds=1.0))
    for _ in range(2):
        write_all(second, tmp_path, read_blob=reader({}), unasked=lambda one: one.component != "c")
        document = json.loads((tmp_path / "matrix.json").read_text())
        assert [(one["component"], one["outcome"]) for one in document["cells"]] == [
            *(("a", "passed"), ("b", "not-selected")),
        ]
        assert document["totals"] == {"passed": 1, "not-selected": 1}
        assert read_previous(tmp_path)[cell("b", "x")].outcome is Outcome.FAILED
    write_all(second, tmp_path, read_blob=reader({}))
    assert set(read_previous(tmp_path)) == {cell("a", "x")}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"cells": 1}', '{"cells": [{"component": "a"}]}', '{"cells": [1]}']
)
def test_a_damaged_document_is_no_document(content: str, tmp_path: Path) -> None:
    """There is nothing to compare with, and that is all."""
    (tmp_path / "matrix.json").write_text(content)
    assert read_previous(tmp_path) == {}


def test_an_outcome_of_a_later_version_is_passed_over(tmp_path: Path) -> None:
    """A word that is not known makes no run fail."""
    one = {"component": "a", "flavour": "", "environment": "x", "outcome": "new", "seconds": 1}
    (tmp_path / "matrix.json").write_text(json.dumps({"cells": [one]}))
    assert read_previous(tmp_path) == {}


def test_a_trend_tells_outcomes_and_durations_apart() -> None:
    """What was reused is as good as passed, and took no time now; noise is not slower."""
    now = [
        result("worse", "x", Outcome.FAILED),
        result("flaky", "x", Outcome.FLAKY, seconds=5.0),
        result("mended", "x", Outcome.REUSED),
        result("lost", "x", Outcome.INCOMPATIBLE),
        result("slow", "x", Outcome.PASSED, seconds=8.0),
        result("fast", "x", Outcome.PASSED, seconds=2.0),
        result("rerun", "x", Outcome.PASSED, seconds=9.0),
        result("noise", "x", Outcome.PASSED, seconds=5.9),
        result("again", "x", Outcome.REUSED, seconds=50.0),
        result("new", "x", Outcome.FAILED),
        result("left", "x", Outcome.NOT_SELECTED),
    ]
    before = {
        one.cell: Before(outcome=Outcome.PASSED, seconds=5.0)
        for one in now
        if one.cell.component != "new"
    }
    before[cell("rerun", "x")] = Before(outcome=Outcome.REUSED, seconds=5.0)
    before[cell("mended", "x")] = Before(outcome=Outcome.KILLED, seconds=1.0)
    found = trend(now, before)
    assert [one.cell.component for one in found.worse] == ["worse", "flaky", "lost"]
    assert [one.cell.component for one in found.mended] == ["mended"]
    assert [one.cell.component for one in found.slower] == ["slow", "rerun"]
    assert [one.cell.component for one in found.faster] == ["fast"]


def test_images_are_read_from_their_manifests() -> None:
    """Packages with their bytecode, the base, layers that tell nothing; shared bytes once."""
    session = with_everything()
    images = read_images(images_of(session).items(), reader(IMAGES))
    assert [image.name for image in images] == ["bare", "sklearn-1-5", "sklearn-1-7"]
    largest = fillings(images[0].layers)
    assert (largest[0].name, largest[0].files, largest[0].bytecode) == (
        *("package-0", 40_000_000, 10_000_000),
    )
    assert {one.kind for one in largest} == {"package", "base", "other"}
    assert sum(one.size for one in largest) == images[0].size
    assert stored_bytes(images) == sum(image.size for image in images) - 2 * 24_000_000


def test_images_that_cannot_be_read_are_left_out() -> None:
    """A report is no reason to fail; published images are columns like others."""
    session = session_of(
        result("a", "frames@stable", Outcome.PASSED, image=digest("elsewhere")),
        result("a", "bare", Outcome.PASSED),
    )
    session = replace(session, images=with_everything().images[:1])
    assert set(images_of(session)) == {"bare", "frames@stable"}
    images = read_images(images_of(session).items(), reader(IMAGES))
    assert [image.name for image in images] == ["bare"]
