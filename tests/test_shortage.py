"""Eggcrate itself without memory: a clear error, never a defect, and nothing lost."""

from __future__ import annotations

import errno
import subprocess
from typing import TYPE_CHECKING

import pytest

from eggcrate.files import shortage
from support.repository import make_repository, packages
from support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = (32, 44, 56)
"""MiB of addresses: Python starts with the first, and what is asked for needs more than most."""


def test_without_memory_the_error_says_so(tmp_path: Path) -> None:
    """Wherever it runs out, while modules are read as well; with memory again it works."""
    repository = make_repository(tmp_path / "repo", tmp_path / "cache", links=tmp_path / "links")
    repository.environment("one", packages(make_wheel(tmp_path / "links", "alpha")))
    told = []
    argv = repository.argv("sbom", "one")
    for limit in LIMITS:
        done = subprocess.run(
            ["bash", "-c", f'ulimit -v {limit << 10}; exec "$@"', "-", *argv],
            env=repository.variables(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == 1, done.stderr
        told.append("not enough memory" in done.stderr)
    assert told.count(True) > 1
    assert repository.run("plan").code == 0


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), True),
        (RuntimeError("can't start new thread"), True),
        (ImportError("libx.so: failed to map segment from shared object"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (RuntimeError("something else"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_what_is_a_shortage(error: Exception, short: bool) -> None:
    """By its kind or words; an error that came of one is one, that of a lock is not."""
    assert bool(shortage(error)) is short
    outer = ValueError("read")
    outer.__context__ = error
    assert bool(shortage(outer)) is (short and not isinstance(error, BlockingIOError))
