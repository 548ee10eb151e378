"""Cells see a copy of their component's files with plain modes, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import ConfigError
from eggcrate.matrix.stage import staged

if TYPE_CHECKING:
    from pathlib import Path

STEP = {"step": ("components/step/component.py", "components/step/link", "components/step/run.sh")}


def checkout(root: Path) -> Path:
    folder = root / "components" / "step"
    (folder / "tests").mkdir(parents=True)
    (folder / "component.py").write_text("x = 1")
    (folder / "run.sh").write_text("#!/bin/sh")
    (folder / "secret.txt").write_text("not in the closure")
    (folder / "link").symlink_to("component.py")
    return folder


def test_modes_do_not_depend_on_the_checkout(tmp_path: Path) -> None:
    """A checkout under umask 077 gives cells the same files as any other."""
    folder = checkout(tmp_path / "repo")
    for path, mode in ((folder, 0o700), (folder / "component.py", 0o600)):
        path.chmod(mode)
    (folder / "run.sh").chmod(0o700)
    with staged(STEP, tmp_path / "repo", tmp_path / "scratch") as stage:
        modes = {
            str(path.relative_to(stage)): oct(path.stat().st_mode & 0o777)
            for path in sorted(stage.rglob("*"))
        }
        assert oct(stage.stat().st_mode & 0o777) == "0o755"
        assert (stage / "step/components/step/link").read_text() == "x = 1"
    assert modes == {
        "step": "0o755",
        "step/components": "0o755",
        "step/components/step": "0o755",
        "step/components/step/component.py": "0o644",
        "step/components/step/link": "0o644",
        "step/components/step/run.sh": "0o755",
        "step/components/step/tests": "0o755",
    }
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_is_edited_meanwhile_is_not_seen(tmp_path: Path) -> None:
    """A save in the editor does not change what a run proves."""
    folder = checkout(tmp_path / "repo")
    with staged(STEP, tmp_path / "repo", tmp_path / "scratch") as stage:
        (folder / "component.py").write_text("after")
        assert (stage / "step/components/step/component.py").read_text() == "x = 1"


def test_a_file_that_vanishes_is_told(tmp_path: Path) -> None:
    """Nothing is proven with a part of its files."""
    folder = checkout(tmp_path / "repo")
    (folder / "run.sh").unlink()
    with (
        pytest.raises(ConfigError, match=r"run\.sh has gone"),
        staged(STEP, tmp_path / "repo", tmp_path / "scratch"),
    ):
        pass
    assert list((tmp_path / "scratch").iterdir()) == []
