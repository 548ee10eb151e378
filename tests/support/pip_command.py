"""The pip that tests compare with and install by: where this machine's Python keeps it."""

from __future__ import annotations

import functools
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest


def pip_command(python: Path | str = sys.executable) -> list[str]:
    """The command line that is pip for an interpreter; the test is skipped where there is none.

    Debian's Python makes virtual environments without pip unless ``python3-venv`` is whole; the
    base's own pip serves them then, as it serves ``scripts/bootstrap.py``.
    """
    base = str(Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}"))
    runner = sys.executable if find_spec("pip") else base
    if runner == base and not _has_pip(base):
        pytest.skip(f"neither {sys.executable} nor {base} has pip: install python3-pip")
    command = [runner, "-m", "pip"]
    return command if str(python) == runner else [*command, "--python", str(python)]


@functools.cache
def _has_pip(python: str) -> bool:
    done = subprocess.run([python, "-c", "import pip"], capture_output=True, check=False)
    return done.returncode == 0
