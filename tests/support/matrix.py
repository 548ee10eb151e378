"""Components and processes of the matrix's own tests."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from support.repository import Repository

BASE = {"EGGCRATE_TIMEOUT": "120", "EGGCRATE_MEMORY": "512MiB"}


def add_component(
    repository: Repository,
    name: str,
    *,
    settings: str = "",
    test: str | None = "def test_it(flavour):\n    pass\n",
    needs: tuple[str, ...] = (),
) -> Path:
    """Write a component; without a test it has no tests folder."""
    folder = repository.root / "components" / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name.replace("_", "-")}"\nrequires-python = ">=3.11"\n'
        f"dependencies = {json.dumps(needs)}\n[tool.eggcrate]\n{settings}\n"
    )
    if test is not None:
        (folder / "tests").mkdir()
        (folder / "tests" / f"test_{name}.py").write_text(test)
    return folder


def running(text: str) -> list[str]:
    """Processes of this machine, ours apart, whose arguments hold a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and path.parent.name != str(os.getpid()):
            found.append(line)
    return found


def wait_until(ready: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for something to become true, for a minute at most."""
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.05)
