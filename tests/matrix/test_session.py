"""What is decided before anything is built: the cells, and what stands in the way of others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from eggcrate.matrix.cells import Cell
from eggcrate.matrix.session import Matrix, Selection, decide
from eggcrate.repo.monorepo import read_monorepo
from support.repository import Package, Repository, make_repository

if TYPE_CHECKING:
    from pathlib import Path

PANDAS = Package(
    name="pandas", version="2.2.3", files=(("pandas-2.2.3-py3-none-any.whl", "0" * 64),)
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = make_repository(tmp_path / "repo", tmp_path / "cache")
    made.environment("bare", ())
    made.environment("frames", (PANDAS,))
    return made


def add(repository: Repository, name: str, *, needs: str = "", default: str = "") -> None:
    folder = repository.root / "components" / name
    folder.mkdir()
    dependencies = f'["{needs}"]' if needs else "[]"
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\ndependencies = {dependencies}\n'
        f'[tool.eggcrate]\nenvironment = "{default}"\n'
    )


def decided(repository: Repository, **selection: tuple[str, ...]) -> Matrix:
    return decide(read_monorepo(repository.root), Selection(**selection))


def test_a_default_environment_must_exist(repository: Repository) -> None:
    """A typo in a component's default is an error that names the nearest."""
    add(repository, "a", default="frame")
    error = decided(repository).errors["components/a"]
    assert "environment 'frame' does not exist" in error.what
    assert error.hint == "did you mean frames?"


def test_a_default_environment_must_hold_what_the_component_needs(repository: Repository) -> None:
    """Fitting elsewhere is not enough: pipelines would use the default."""
    add(repository, "a", needs="pandas>=2", default="bare")
    matrix = decided(repository)
    assert [cell.environment for cell in matrix.cells] == ["frames"]
    assert matrix.errors["components/a"].why == "a needs pandas>=2, which it does not hold"


def test_a_good_default_is_no_error(repository: Repository) -> None:
    """Nor is none, nor one that was not selected."""
    add(repository, "a", needs="pandas>=2", default="frames")
    add(repository, "b")
    assert not decided(repository).errors
    assert not decided(repository, environments=("bare",)).errors


def test_a_component_without_a_home_is_told(repository: Repository) -> None:
    """No environment satisfies it, so that it would never be proven."""
    add(repository, "a", needs="numpy", default="bare")
    matrix = decided(repository)
    assert matrix.homeless == ("a",)
    assert not matrix.errors
    assert decided(repository, components=("a",)).homeless == ("a",)


def test_a_selection_covers_cells_wherever_they_come_from() -> None:
    """Those of published images by the name of their environment."""
    asked = Selection(components=("a",), environments=("two",), flavours=("", "x"))
    covered = Cell(component="a", flavour="x", environment="two@stable")
    assert asked.covers(covered)
    assert Selection().covers(covered)
    for other in ({"component": "b"}, {"flavour": "y"}, {"environment": "one@stable"}):
        assert not asked.covers(replace(covered, **other))


def test_an_environment_that_cannot_be_read_stops_no_other(repository: Repository) -> None:
    """Its error is told, unless something else was asked for."""
    add(repository, "a")
    (repository.root / "environments" / "bare" / "poetry.lock").unlink()
    broken = repository.root / "environments" / "broken"
    broken.mkdir()
    (broken / "pyproject.toml").write_text("this is not TOML")
    matrix = decided(repository)
    assert [cell.environment for cell in matrix.cells] == ["frames"]
    assert sorted(matrix.errors) == ["environments/bare", "environments/broken"]
    assert not decided(repository, environments=("frames",)).errors
