"""Old local runs and tasks that nobody uses go, and nothing else does."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from eggcrate.files import exclusive
from eggcrate.pipelines.local.memory import TaskMemory
from eggcrate.pipelines.local.pruning import LOCK, TASKS_AGE, prune_runs, prune_tasks

if TYPE_CHECKING:
    from pathlib import Path

RUNS = [f"20261126-0800{number:02}-abcd" for number in range(5)]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Five runs, with an artifact that a task made read-only."""
    for name in RUNS:
        folder = tmp_path / "runs" / name / "artifacts"
        folder.mkdir(parents=True)
        (folder / "model").write_text(name)
        folder.chmod(0o555)
    return tmp_path / "runs"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_runs_stay(runs: Path) -> None:
    """As many as the setting says, all with 0, and fewer than that is no reason to remove one."""
    assert prune_runs(runs, 0) == 0
    assert prune_runs(runs, 5) == 0
    assert names(runs) == RUNS
    assert prune_runs(runs, 2) == 3
    assert names(runs) == RUNS[3:]
    assert prune_runs(runs / "none", 2) == 0


def test_a_run_that_runs_is_never_removed(runs: Path) -> None:
    """However old it is, and whatever is newer; it goes when it has ended."""
    with exclusive(runs / RUNS[0] / LOCK):
        assert prune_runs(runs, 1) == 3
        assert names(runs) == [RUNS[0], RUNS[4]]
    assert prune_runs(runs, 1) == 1
    assert names(runs) == [RUNS[4]]


def test_a_task_is_forgotten_that_no_run_uses(tmp_path: Path) -> None:
    """What is recalled is used; what runs hold of a forgotten task stays with them."""
    memory = TaskMemory(folder=tmp_path / "tasks")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model").write_text("good")
    for key in ("old", "used", "new"):
        memory.remember(key, "run-1", tmp_path / "run")
    long_ago = time.time() - TASKS_AGE - 60
    for key in ("old", "used"):
        os.utime(memory.folder / key, (long_ago, long_ago))
    assert memory.recall("used", tmp_path / "again") == "run-1"
    assert prune_tasks(memory.folder) == 1
    assert names(memory.folder) == ["new", "used"]
    assert (tmp_path / "run" / "model").read_text() == "good"
    assert prune_tasks(tmp_path / "none") == 0
