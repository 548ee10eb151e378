"""Coverage over cells: what is combined, and how it is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.matrix.cells import Cell, CellResult, Outcome, Proof
from eggcrate.matrix.coverage import Coverage, combine, coverage_distributions, coverage_mount
from eggcrate.matrix.evidence import Evidence, Lines
from eggcrate.packages.target import Platform, Target
from eggcrate.report.coverage import document, lcov, page, text, write_coverage
from support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = st.frozensets(st.integers(1, 9))
OWN, HELPER = "components/predict/component.py", "components/shared/frames.py"


def lines(statements: set[int], covered: set[int]) -> Lines:
    return Lines(statements=frozenset(statements), covered=frozenset(covered))


def measured(component: str, environment: str, **told: Lines) -> CellResult:
    paths = {"own": f"components/{component}/component.py", "helper": HELPER}
    evidence = Evidence(lines={paths[name]: one for name, one in told.items()})
    return CellResult(
        cell=Cell(component=component, flavour="", environment=environment),
        outcome=Outcome.PASSED,
        proofs=(Proof(name="tests", outcome=Outcome.PASSED, evidence=evidence),),
    )


def both() -> Coverage:
    """A component in two environments, a helper that another one uses too, and a silent cell."""
    return combine(
        [
            measured("predict", "old", own=lines({1, 2, 3}, {1}), helper=lines({1, 2}, {1})),
            measured("predict", "new", own=lines({1, 2, 3}, {2})),
            measured("train", "new", own=lines({1}, {1}), helper=lines({1, 2, 3}, {2})),
            measured("train", "old"),
            CellResult(
                cell=Cell(component="train", flavour="", environment="bare"),
                outcome=Outcome.INCOMPATIBLE,
            ),
        ]
    )


def test_a_line_counts_when_it_ran_in_any_cell() -> None:
    """Of any component, on any Python; whose cells ran it stays known."""
    found = both()
    files = {one.path: one for one in found.files}
    assert files[OWN].missing == (3,)
    assert files[OWN].owner == "predict"
    assert files[HELPER].lines == lines({1, 2, 3}, {1, 2})
    assert files[HELPER].owner == ""
    assert {name: len(one.covered) for name, one in files[HELPER].by.items()} == {
        "predict": 1,
        "train": 1,
    }
    assert found.cells == {"predict": 2, "train": 1}
    assert found.silent == ("train in old",)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_the_order_of_cells_does_not_matter(
    one: frozenset[int], two: frozenset[int], three: frozenset[int]
) -> None:
    """Putting lines together is a union."""
    every = [Lines(statements=found | {1}, covered=found) for found in (one, two, three)]
    assert every[0] | every[1] == every[1] | every[0]
    assert (every[0] | every[1]) | every[2] == every[0] | (every[1] | every[2])
    assert every[0] | every[0] == every[0]


def test_it_is_told_to_people_and_programs(tmp_path: Path) -> None:
    """A table, JSON, lcov, and a page that shows sources as text."""
    found = both()
    (tmp_path / OWN).parent.mkdir(parents=True)
    (tmp_path / OWN).write_text("a = 1\nb = '<script>'\nc = 3\n")
    write_coverage(found, tmp_path / "out", tmp_path)
    told = json.loads((tmp_path / "out" / "coverage.json").read_text())
    assert told == document(found)
    assert told["schema"] == "eggcrate.coverage/1"
    assert told["totals"] == {"statements": 7, "covered": 5}
    assert told["components"][0] == {"name": "predict", "cells": 2, "statements": 3, "covered": 2}
    shown = text(found).splitlines()
    assert shown[2].split() == ["predict", "3", "2", "66%"]
    assert shown[4].split() == [HELPER, "3", "2", "66%"]
    assert shown[-1] == "not measured: train in old"
    assert f"SF:{OWN}\nDA:1,1\nDA:2,1\nDA:3,0\nLF:3\nLH:2\nend_of_record\n" in lcov(found.files)
    html = page(found, tmp_path)
    assert "<script" not in html
    assert "b = &#x27;&lt;script&gt;&#x27;" in html
    assert '<span class="no">   3 c = 3</span>' in html


def test_nothing_measured_is_said() -> None:
    """And is no division by nothing."""
    assert text(combine([])) == "coverage: no cell told any line"
    assert document(combine([]))["totals"] == {"statements": 0, "covered": 0}


@pytest.mark.parametrize("python", ["3.9.2", "3.11.2", "3.13.5"])
@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_coverage_is_locked_for_every_python(python: str, platform: str) -> None:
    """One wheel, with its tracer in C where there is one for the image."""
    target = Target(python=python, platform=Platform.parse(platform), glibc=(2, 36))
    (wheel,) = coverage_distributions(target)
    assert wheel.name == "coverage"
    assert wheel.sha256
    assert "none-any" not in wheel.filename


def test_coverage_is_made_ready_once(tmp_path: Path) -> None:
    """Unpacked for everyone to read; the second call fetches nothing."""
    wheel = make_wheel(tmp_path / "links", "coverage")
    target = Target(python="3.11.2", platform=Platform.parse("linux/amd64"), glibc=(2, 36))
    asked: list[int] = []

    def fetch(wheels):
        asked.append(len(wheels))
        return dict.fromkeys(wheels, wheel)

    first = coverage_mount(target, cache=tmp_path / "cache", fetch=fetch)
    assert coverage_mount(target, cache=tmp_path / "cache", fetch=fetch) == first
    assert asked == [1]
    assert (first.source / "coverage.py").is_file()
    assert first.source.stat().st_mode & 0o777 == 0o755
    assert not first.writable
