"""What local runs leave: how much of it is kept, and for how long."""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import TYPE_CHECKING

from eggcrate.files import is_held, remove_tree

if TYPE_CHECKING:
    from pathlib import Path

LOCK = ".lock"
"""In a run's folder: held as long as it runs."""
TASKS_AGE = 30 * 24 * 3600.0
"""Seconds after which a task that no run has used is forgotten."""


def prune_runs(folder: Path, keep: int) -> int:
    """Remove the oldest runs of a pipeline; never one that is still running.

    Args:
        folder: of the pipeline's runs, whose names sort by the time that they began.
        keep: how many stay; 0: all.

    Returns:
        How many were removed.
    """
    runs = sorted(_entries(folder))
    over = [path for path in runs[:-keep] if not is_held(path / LOCK)] if keep else []
    return sum(map(_remove, over))


def prune_tasks(folder: Path, *, age: float = TASKS_AGE) -> int:
    """Forget tasks that no run has used for so long.

    Args:
        folder: of :class:`~eggcrate.pipelines.local.memory.TaskMemory`.
        age: seconds.

    Returns:
        How many were forgotten.
    """
    before = time.time() - age
    return sum(map(_remove, [path for path in _entries(folder) if _used(path) < before]))


def _entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another run was faster
        return time.time()


def _remove(path: Path) -> bool:
    """Remove a folder that nobody sees half removed; whether it was there and could be."""
    doomed = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):  # it is tried again after the next run
        path.rename(doomed)
        remove_tree(doomed)
        return True
    return False
