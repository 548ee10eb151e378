"""Clocks that are set: years ahead, years back, and in the middle of a run."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.repository import HERE

PACKAGE = HERE / "ci/eggcrate"
_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
_WALL = {"time.time", "time.time_ns"}
_BY_DATE = {
    "leftovers.py": "files bear dates; nothing that is in use is removed, whatever they say",
    "pipelines/local/pruning.py": "tasks that are forgotten too early are run again",
    "repo/forge.py": "GitHub tells until when to wait; waits are bounded",
    "retries.py": "HTTP tells until when to wait; waits are bounded",
}
"""Who reads the clock that can be set as a number, and why that does no harm."""
JOBS = ("files", "store", "units", "download", "memory", "records", "unpack")
YEARS = 10

faked = pytest.mark.skipif(not _LIBRARIES, reason="not installed: faketime")


def test_no_wait_and_no_limit_is_measured_by_a_clock_that_can_be_set() -> None:
    """They use the monotonic clock; who reads the other one is listed here."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in _WALL:
                found.add(str(path.relative_to(PACKAGE)))
    assert found == set(_BY_DATE)


_ACT = """
import sys
from pathlib import Path
from support.fault_jobs import JOBS
for name in sys.argv[2:]:
    job, folder = JOBS[name], Path(sys.argv[1], name)
    if folder.exists():
        job.kept(folder)
    else:
        folder.mkdir()
        job.before(folder)
    job.act(folder)
    job.kept(folder)
    print("result", name, job.result(folder))
"""


def _faked(**told: str) -> dict[str, str]:
    library = {"LD_PRELOAD": str(_LIBRARIES[0]), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return {**os.environ, "PYTHONPATH": f"{HERE / 'ci'}:{HERE / 'tests'}", **library, **told}


def _results(folder: Path, years: int) -> list[str]:
    """Do the jobs by a clock that is years ahead, or behind."""
    done = subprocess.run(
        [sys.executable, "-c", _ACT, str(folder), *JOBS],
        env=_faked(FAKETIME=f"{years:+d}y"),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("result ")]


@faked
def test_what_was_made_years_ahead_or_ago_is_used_as_it_is(tmp_path: Path) -> None:
    """Made today, then by a clock ten years ahead, then by one ten years behind."""
    first = _results(tmp_path, 0)
    assert len(first) == len(JOBS)
    assert _results(tmp_path, YEARS) == first
    assert _results(tmp_path, -YEARS) == first


_LIMITED = """
import os, subprocess, sys, threading, time
from pathlib import Path
from eggcrate.runtimes.protocol import Command, Limits
from eggcrate.runtimes.sandbox import _follow, _Seen
clock = time.time()
threading.Timer(0.5, lambda: Path(sys.argv[1]).write_text(sys.argv[2])).start()
process = subprocess.Popen(["sleep", "60"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
limits = Limits(memory=64 << 20, seconds=2, scratch=1 << 20)
seen = _Seen()
with open(os.pipe()[0], "rb", buffering=0) as answers:
    _follow(process, answers, seen, Command(argv=("sleep",), limits=limits), None)
process.kill()
print(seen.timed_out, round((time.time() - clock) / (365.25 * 24 * 3600)))
"""


@faked
@pytest.mark.parametrize("years", [YEARS, -YEARS], ids=["ahead", "back"])
def test_a_limit_of_time_holds_when_the_clock_is_set_in_the_middle(
    years: int, tmp_path: Path
) -> None:
    """A program that may take two seconds is ended after two seconds."""
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(clock), f"{years:+d}y\n"],
        env=_faked(FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_NO_CACHE="1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split() == ["True", str(years)], done.stdout + done.stderr
    assert time.monotonic() - started < 30
