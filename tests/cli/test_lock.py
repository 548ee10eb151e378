"""``eggcrate lock`` from the command line."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from eggcrate.cli.lock import with_extensions
from eggcrate.repo.monorepo import read_monorepo
from support.repository import HERE, make_repository, take_debs

if TYPE_CHECKING:
    from pathlib import Path


def test_a_base_is_locked_with_those_that_extend_it() -> None:
    """Their locks name its own: alone it would leave them stale."""
    bases = read_monorepo(HERE).bases
    extended = ["python-3.11", "python-3.11-build", "python-3.11-debug"]
    assert with_extensions(["python-3.11"], bases) == extended
    assert with_extensions(["python-3.11-debug"], bases) == ["python-3.11-debug"]
    assert sorted(with_extensions(sorted(bases), bases)) == sorted(bases)


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


@pytest.mark.network
@pytest.mark.sandbox
def test_copies_of_the_templates_work_at_once(tmp_path: Path) -> None:
    """``cp -r``, lock, and the matrix proves the new component in the new environment."""
    repository = make_repository(tmp_path / "repo", tmp_path / "cache")
    take_debs(repository.cache)
    root = repository.root
    shutil.copytree(HERE / "environments" / "_template", root / "environments" / "mine")
    for name, copy in (("_template", "mine_too"), ("shared", "shared")):
        shutil.copytree(HERE / "components" / name, root / "components" / copy)
    for name in ("__init__.py", "conftest.py"):
        shutil.copy(HERE / "components" / name, root / "components" / name)
    settings = root / "components" / "mine_too" / "pyproject.toml"
    settings.write_text(settings.read_text().replace("sklearn-1-9", "mine"))
    locked = repository.run("lock", "mine")
    assert locked.code == 0, locked.err
    proven = repository.run("matrix", "--runtime", "sandbox")
    assert proven.code == 0, proven.out + proven.err
    assert "[1/1] mine_too in mine: passed" in proven.err
