"""Fixtures of the pipelines' tests."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from support.compiled import Repo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def _needs_kfp() -> None:
    if not importlib.util.find_spec("kfp"):
        pytest.skip("kfp (the extra `pipelines`) is not installed: run `make setup`")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.make(tmp_path / "repo")


@pytest.fixture
def by_kfp(tmp_path: Path) -> Callable[[str, Any], Any]:
    """Ask kfp itself, in a process of its own: it is slow, and full of warnings."""

    def ask(program: str, given: Any) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask
