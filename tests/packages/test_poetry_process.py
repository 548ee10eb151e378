"""Poetry is imported once, and each of its runs is one of its own."""

from __future__ import annotations

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from eggcrate.packages.poetry_process import Poetry
from eggcrate.process import Answerer, ProcessError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TELLS = "import os, sys\nfor line in sys.stdin:\n    print(os.getpid(), line.strip(), flush=True)"
_STARTS = """
import subprocess, sys
for line in sys.stdin:
    print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
"""


@pytest.fixture
def poetry(tmp_path: Path) -> Iterator[Poetry]:
    made = Poetry(environment={**os.environ, "POETRY_CACHE_DIR": str(tmp_path / "cache")})
    try:
        yield made
    finally:
        made.close()


def project(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    (folder / name / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1"\nrequires-python = ">=3.11"\n'
        f'dependencies = ["{name}-needs"]\n[tool.poetry]\npackage-mode = false\n'
    )
    return folder / name


def test_runs_know_nothing_of_each_other(poetry: Poetry, tmp_path: Path) -> None:
    """Each in its own folder with its own outcome, side by side and one after the other."""
    names = ("one", "two", "three", "four")
    folders = [project(tmp_path, name) for name in names]
    (tmp_path / "none").mkdir()

    def told(folder: Path) -> bytes:
        done = poetry.run(folder, ["content-hash"])
        assert done.returncode == 0, done.stderr
        return done.stdout

    with ThreadPoolExecutor(2) as pool:
        first = list(pool.map(told, folders))
    assert len(set(first)) == len(names)
    failed = poetry.run(tmp_path / "none", ["lock", "--no-interaction", "--no-ansi"])
    assert failed.returncode == 1
    assert b"could not find a pyproject.toml" in failed.stderr
    assert b"Traceback" in poetry.run(tmp_path / "missing", ["lock"]).stderr
    assert [told(folder) for folder in folders] == first


def test_one_that_is_ended_is_told(tmp_path: Path) -> None:
    """With what it said last, and at once; so is one that cannot be started."""
    died = Answerer([sys.executable, "-c", "raise SystemExit('out of luck')"], os.environ)
    with pytest.raises(ProcessError, match="ended with exit code 1") as raised:
        died.ask("question")
    assert "out of luck" in raised.value.why
    died.close()
    with pytest.raises(ProcessError, match="could not be started"):
        Answerer([str(tmp_path / "nothing")], os.environ)


def test_what_it_started_ends_with_it() -> None:
    """Nothing of it is left when it is closed, however busy it is; Ctrl-C does not reach it."""
    calm = Answerer([sys.executable, "-c", _TELLS], os.environ)
    pid, _, line = calm.ask("a line").partition(" ")
    assert (line, os.getpgid(int(pid)) != os.getpgid(0)) == ("a line", True)
    assert calm.ask("another").startswith(pid)
    calm.close()
    busy = Answerer([sys.executable, "-c", _STARTS], os.environ)
    started = int(busy.ask("go"))
    os.kill(started, 0)
    busy.close()
    end = time.monotonic() + 20
    while _runs(started) and time.monotonic() < end:
        time.sleep(0.02)
    assert not _runs(started)


def _runs(pid: int) -> bool:
    """Whether a process runs that nobody may wait for: a dead one counts as none."""
    try:
        os.kill(pid, signal.SIG_DFL)
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - it may be gone meanwhile
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
