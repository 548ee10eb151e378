"""``eggcrate lock`` from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.repo.bases import families
from eggcrate.repo.monorepo import read_monorepo
from support.repository import HERE, make_repository

if TYPE_CHECKING:
    from pathlib import Path


def test_a_base_is_locked_with_all_of_its_family() -> None:
    """Their locks name each other's: alone it would leave them stale."""
    bases = read_monorepo(HERE).bases
    family = ("python-3.11", "python-3.11-build", "python-3.11-debug")
    assert families(["python-3.11"], bases) == family
    assert families(["python-3.11-debug"], bases) == family
    assert sorted(families(sorted(bases), bases)) == sorted(bases)


def test_the_tool_has_no_environments(tmp_path: Path) -> None:
    """``--tool ENV`` is a contradiction."""
    repository = make_repository(tmp_path / "repo", tmp_path / "cache")
    ran = repository.run("lock", "--tool", "some")
    assert ran.code == 2
    assert "--tool locks Eggcrate's own projects" in ran.err


@pytest.mark.network
def test_a_dry_run_of_lock_writes_nothing(tmp_path: Path) -> None:
    """It tells what would change, and leaves even the date of the lock."""
    repository = make_repository(tmp_path / "repo", tmp_path / "cache")
    folder = repository.environment("some", (), wanted=["iniconfig>=2"])
    before = (folder / "poetry.lock").stat().st_mtime_ns, sorted(folder.iterdir())
    ran = repository.run("lock", "--dry-run", "some")
    assert ran.code == 0, ran.err
    assert "1 would change" in ran.out
    assert "  + iniconfig 2" in ran.out
    assert ((folder / "poetry.lock").stat().st_mtime_ns, sorted(folder.iterdir())) == before
