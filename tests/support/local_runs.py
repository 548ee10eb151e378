"""Pipelines of a checkout, run by the real command line on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def eggcrate(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "eggcrate", "--repo", str(root), *words],
        capture_output=True,
        text=True,
        check=False,
    )


def run_pipeline(root: Path, *words: str, code: int = 0) -> dict[str, Any]:
    """The record of a run (``eggcrate.run/1``), which must end with this exit code."""
    done = eggcrate(root, "run", *words, "--json")
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
