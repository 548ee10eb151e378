"""Every way a cell can end has its own word and a reason, alike in both runtimes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.matrix import running, wait_until

if TYPE_CHECKING:
    from conftest import Proven


pytestmark = pytest.mark.network  # the base's packages and pytest, when no cache holds them

OUTCOMES = {
    "passes": ("passed", ""),
    "fails": ("failed", r"test_fails\.py::test_it - AssertionError: sums are off"),
    "sleeps": ("timed-out", r"did not end within 3 s"),
    "eats": ("killed", r"more memory than its limit of 134\.2 MB"),
    "connects": ("failed", r"test_connects\.py::test_it - OSError.*[Nn]etwork is unreachable"),
    "serves": ("passed", ""),
    "crashes": ("failed", r"SIGSEGV"),
    "floods": ("failed", r"^test_floods\.py::test_it - AssertionError: after the flood"),
    "spawns": ("passed", ""),
    "writes": ("failed", r"Read-only file system: '/eggcrate/repo/components/x'"),
    "writes_root": ("failed", r"Read-only file system: '/opt/env/x'"),
    "fills": ("failed", r"OSError.*No space left on device"),
    "lives": ("passed", ""),
    "imports": ("failed", r"test_imports\.py - ModuleNotFoundError: .*not_there"),
    "exits": ("failed", r"^its program ended before its tests did$"),
    "leaves": ("failed", r"^its program ended before its tests did$"),
    "stops": ("failed", r"^its program ended before its tests did$"),
    "skips": ("failed", r"^none of its tests passed: each was skipped"),
    "testless": ("failed", r"its tests folder holds no test"),
    "folderless": ("failed", r"it has no tests folder"),
    "homeless": ("incompatible", r"needs numpy>=2, which it does not hold"),
    "misconfigured": (
        "failed",
        r"tests/conftest\.py cannot be imported: ValueError: no such setting",
    ),
}


@pytest.mark.parametrize("component", OUTCOMES)
def test_each_ending_has_its_word_and_reason(proven: Proven, component: str) -> None:
    """A reader learns from the outcome and its reason alone what to work on."""
    outcome, reason = OUTCOMES[component]
    cell = proven.cell(component)
    assert cell["outcome"] == outcome, cell
    assert re.search(reason, cell["reason"]), cell["reason"]
    assert "\n" not in cell["reason"]
    assert bool(cell["reason"]) == (outcome != "passed")


def test_a_run_that_is_not_green_exits_with_1(proven: Proven) -> None:
    """One failed cell is enough; the rest is proven nevertheless."""
    assert proven.ran.code == 1
    assert "Traceback" not in proven.ran.err
    assert proven.document["schema"] == "eggcrate.matrix/1"
    assert proven.document["totals"]["passed"] == 4
    assert [error["subject"] for error in proven.document["errors"]] == ["components/homeless"]


def test_every_cell_leaves_its_log(proven: Proven) -> None:
    """A log holds the cell's output, whole up to a megabyte; the document names it."""
    folder = proven.repository.root / "build" / "matrix"
    assert json.loads((folder / "matrix.json").read_text()) == proven.document
    for name in ("passes", "fails", "floods"):
        assert (folder / proven.cell(name)["log"]).is_file()
    flood = (folder / proven.cell("floods")["log"]).read_text()
    assert flood.startswith("[only the last 1.0 MB of the output]")
    assert len(flood) < 1_100_000
    assert "after the flood" in flood


def test_nothing_is_left_running(proven: Proven) -> None:
    """Children that a test leaves behind end with its cell."""
    assert not running("left-by-eggcrate-tests")


def test_a_green_selection_exits_with_0(proven: Proven) -> None:
    """The grid, a line of figures and nothing else on standard output."""
    ran = proven.matrix("--component", "passes", "--component", "spawns")
    assert ran.code == 0, ran.err
    lines = ran.out.strip().splitlines()
    assert lines[0].split() == ["component", "bare"]
    assert [line.split()[:2] for line in lines[2:4]] == [["passes", "reused"], ["spawns", "reused"]]
    assert "2 reused" in lines[5]
    assert "1 image is up to date" in ran.err
    assert "to prove" not in ran.err
    again = proven.matrix("--component", "passes", "--rerun")
    assert "1 passed" in again.out
    assert f"1 cell to prove in the {proven.runtime} runtime" in again.err


def test_evidence_is_in_the_document(proven: Proven) -> None:
    """Exit code, signal, and memory against its limit."""
    assert proven.cell("crashes")["signal"] == signal.SIGSEGV
    assert proven.cell("fails")["exit_code"] == 1
    eater = proven.cell("eats")
    assert eater["memory_limit"] == 128 << 20
    if proven.runtime == "sandbox":  # Docker does not tell it
        assert eater["memory_peak"] > 100 << 20


def test_a_harness_that_is_damaged_is_told_as_broken(proven: Proven) -> None:
    """That is not the component's fault, and is not remembered."""
    for folder in proven.repository.cache.glob("harness/*/pytest"):
        folder.rename(folder.with_name("away"))
    try:
        ran = proven.matrix("--component", "passes", "--rerun")
    finally:
        for folder in proven.repository.cache.glob("harness/*/away"):
            folder.rename(folder.with_name("pytest"))
    assert ran.code == 1
    assert "the test harness cannot start in this image" in ran.out
    assert "1 broken" in ran.out


def test_a_failure_tells_how_to_run_it_again(proven: Proven) -> None:
    """What is printed of a failed cell is its tail, its log and a command that works."""
    ran = proven.matrix("--component", "fails")
    assert ran.code == 1
    assert "fails in bare: failed: test_fails.py::test_it" in ran.out
    assert (
        "assert 1 + 1 == 3"
        in (proven.repository.root / "build/matrix" / proven.cell("fails")["log"]).read_text()
    )
    assert "run it again: eggcrate matrix --component fails --environment bare" in ran.out


def test_arguments_after_two_dashes_are_for_pytest(proven: Proven) -> None:
    """``-- -k`` chooses tests; when none is left the reason says what left none."""
    chosen = proven.matrix("--component", "passes", "--", "-k", "test_it", "-v")
    assert chosen.code == 0
    log = proven.repository.root / "build/matrix/logs/bare/passes.log"
    assert "test_passes.py::test_it PASSED" in log.read_text()
    none = proven.matrix("--component", "passes", "--", "-k", "other or more")
    assert none.code == 1
    assert "no test is left by -k 'other or more'" in none.out
    wrong = proven.matrix("--component", "passes", "--", "--no-such-option")
    assert wrong.code == 1
    assert "unrecognized arguments: --no-such-option" in wrong.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_at_once(proven: Proven, number: signal.Signals) -> None:
    """Ctrl-C, or the signal of a CI system, ends the cells too: 130, and nothing is left."""
    folder = proven.repository.root / "components" / "naps"
    if not folder.exists():
        (folder / "tests").mkdir(parents=True)
        (folder / "pyproject.toml").write_text('[project]\nname = "naps"\n')
        (folder / "tests" / "test_naps.py").write_text(
            "import time\n\ndef test_it():\n    time.sleep(600)\n"
        )
    process = subprocess.Popen(
        proven.repository.argv("matrix", "--runtime", proven.runtime, "--component", "naps"),
        env=proven.repository.variables(),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: running("components/naps/tests"), process)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert err.rstrip().endswith("interrupted")
    assert "Traceback" not in err
    assert not out
    wait_until(lambda: not running("components/naps/tests"))


def test_the_harness_is_compiled_for_the_image(proven: Proven) -> None:
    """Cells need not compile pytest: its bytecode is there, valid whatever the files' dates."""
    caches = list(proven.repository.cache.glob("harness/*/_pytest/__pycache__"))
    assert any(cache.glob("*.cpython-311.pyc") for cache in caches)
    for cache in caches:  # one for each Python that this session's tests have proven cells in
        compiled = sorted(cache.glob("*.cpython-*.pyc"))
        assert len({path.suffixes[-2] for path in compiled}) == 1
        assert len(compiled) == len(list(cache.parent.glob("*.py")))
        assert {path.read_bytes()[4:8] for path in compiled} == {b"\1\0\0\0"}  # PEP 552
