"""How-to pages: each command is run, in the order of its page, and does what the page shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.checkout import bare_copy, newcomer
from support.transcript import read_steps, run_step

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "how-to-add-a-package",
    "how-to-make-a-new-environment",
    "how-to-write-a-component",
    "how-to-review-a-pull-request",
)
"""Those whose commands need no service; blocks that need a terminal, a merge in progress or the
whole catalogue say so, and are run by tests of their own."""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bare_copy(ROOT, tmp_path_factory.mktemp("origin"))


@pytest.mark.network
@pytest.mark.sandbox
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_true(name: str, origin: Path, tmp_path: Path) -> None:
    """Every command of the page ends as it shows, with the output that it shows."""
    clone = tmp_path / "eggcrate"
    subprocess.run(["git", "clone", "-q", str(origin), str(clone)], check=True)
    command = clone / ".venv" / "bin" / "eggcrate"  # set up already, and make need not do it
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m eggcrate "$@"\n')
    command.chmod(0o755)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = newcomer(PATH=path, PYTHON="true", EGGCRATE_RUNTIME="sandbox")
    steps = read_steps(ROOT / "docs" / f"{name}.md")
    assert steps
    for step in steps:
        run_step(step, clone, environ)
