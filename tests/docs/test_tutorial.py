"""The tutorial, as it is printed, is what happens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.checkout import bare_copy, git, newcomer
from support.transcript import read_steps, run_step

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
_NUMBERED = 8


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    return bare_copy(ROOT, tmp_path)


@pytest.mark.network
@pytest.mark.sandbox
@pytest.mark.timeout(900)
def test_the_tutorial_is_true(origin: Path, tmp_path: Path) -> None:
    """Each command of the tutorial, in a fresh clone, does and prints what the page shows.

    A package added, its impact, a component broken, named and mended, a new environment, a green
    matrix; and the pull request merges.
    """
    environ = newcomer(REPOSITORY=str(origin))
    steps = read_steps(PAGE)
    clone = tmp_path / "eggcrate"
    for step in steps:
        run_step(step, clone if clone.exists() else tmp_path, environ)
        if step.command.startswith("make test-matrix"):
            cells = json.loads((clone / "build/matrix/matrix.json").read_text())["cells"]
            outcomes = {cell["outcome"] for cell in cells if cell["outcome"] != "incompatible"}
            assert ("failed" in outcomes) == step.fails
            assert outcomes & {"passed", "reused"}
    assert PAGE.read_text().count("\n**") == _NUMBERED, "the page promises eight commands"
    changed = git(clone, "diff", "--name-only", "main", "origin/narwhals").split()
    assert changed == [f"environments/sklearn-1-7/{n}" for n in ("poetry.lock", "pyproject.toml")]
    git(clone, "switch", "-q", "main")
    git(clone, "merge", "-q", "origin/narwhals")
