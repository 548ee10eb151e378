"""The part of an impact that is about components and their cells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from eggcrate.matrix.cells import Column, Outcome, lay_out
from eggcrate.matrix.impact import ComponentImpact, Fate, LostCell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eggcrate.build.before import Before
    from eggcrate.matrix.cells import Cell, CellResult
    from eggcrate.matrix.session import Matrix


def component_impacts(
    matrix: Matrix,
    before: Before,
    results: Sequence[CellResult],
    touched: frozenset[str],
    renamed: Mapping[str, str],
) -> tuple[ComponentImpact, ...]:
    """Components that the change has to do with, by name.

    Args:
        matrix: what there is to prove now.
        before: what there was.
        results: where each cell stands.
        touched: environments that are not as they were.
        renamed: old name to new name of environments; their cells are neither lost nor gained.
    """
    earlier = frozenset(
        replace(cell, environment=renamed.get(cell.environment, cell.environment))
        for cell in _cells_before(matrix, before)
    )
    now = frozenset(matrix.grid.cells)
    mine = frozenset(cell for cell in now if "@" not in cell.environment)
    found = []
    for name in sorted({*before.components, *matrix.everyone}):
        files = _files(name, matrix, before)
        fate = _fate(name, matrix, before, files)
        told = ComponentImpact(
            name=name,
            fate=fate,
            files=files,
            lost=tuple(
                LostCell(cell=cell, reason=_reason(cell, matrix))
                for cell in sorted(earlier - mine)
                if cell.component == name and name in matrix.everyone
            ),
            gained=tuple(
                cell
                for cell in sorted(mine - earlier)
                if cell.component == name and name in before.components
            ),
            results=tuple(
                sorted(
                    (
                        one
                        for one in results
                        if one.cell.component == name and _concerns(one, fate, touched)
                    ),
                    key=lambda one: one.cell,
                )
            ),
        )
        affected = any(cell.component == name and cell.environment in touched for cell in mine)
        bad = any(not one.outcome.good for one in told.results)
        if told.fate is not Fate.AFFECTED or told.lost or told.gained or affected or bad:
            found.append(told)
    return tuple(found)


def _concerns(one: CellResult, fate: Fate, touched: frozenset[str]) -> bool:
    """Whether a change has to do with a cell: its code or its environment, or it is not good."""
    place = one.cell.environment.partition("@")[0]  # what is published stands beside what is new
    return fate is not Fate.AFFECTED or place in touched or not one.outcome.good


def _cells_before(matrix: Matrix, before: Before) -> frozenset[Cell]:
    """The cells that there were, on the platform that cells are proven on."""
    columns = []
    for one in matrix.resolved:
        name, platform = one.environment.name, str(one.recipe.target.platform)
        if name not in before.environments:
            continue
        then = before.resolved.get((name, platform), one)
        columns.append(Column(environment=name, target=then.recipe.target, packages=then.packages))
    here = {column.environment for column in columns}
    for (name, platform), then in before.resolved.items():
        target = then.recipe.target
        same = not matrix.resolved or platform == str(matrix.resolved[0].recipe.target.platform)
        if name not in here and same and name not in matrix.on_request:
            columns.append(Column(environment=name, target=target, packages=then.packages))
    return frozenset(lay_out(list(before.components.values()), columns).cells)


def _files(name: str, matrix: Matrix, before: Before) -> tuple[str, ...]:
    """Changed files that a component's cells depend on."""
    known = matrix.closures[name].files if name in matrix.closures else ()
    folder = f"components/{name}/"
    return tuple(
        sorted(path for path in before.changed if path in known or path.startswith(folder))
    )


def _fate(name: str, matrix: Matrix, before: Before, files: Sequence[str]) -> Fate:
    if name not in before.components:
        return Fate.NEW
    if name not in matrix.everyone:
        # A component that cannot be read is still there.
        return Fate.CHANGED if f"components/{name}" in matrix.errors else Fate.REMOVED
    return Fate.CHANGED if files else Fate.AFFECTED


def _reason(cell: Cell, matrix: Matrix) -> str:
    """Why a pairing is no cell any more."""
    exact = [one for one in matrix.grid.incompatible if one.cell == cell]
    about = [
        one
        for one in matrix.grid.incompatible
        if (one.cell.component, one.cell.environment) == (cell.component, cell.environment)
        and not one.cell.flavour
    ]
    for one in (*exact, *about):
        return one.reason
    if f"environments/{cell.environment}" in matrix.errors:
        return "the environment cannot be resolved"
    if all(item.environment.name != cell.environment for item in matrix.resolved):
        return "the environment is gone"
    component = matrix.everyone.get(cell.component)
    if component and cell.flavour and cell.flavour not in component.flavours:
        return f"the flavour {cell.flavour} is gone"
    return "the component asks for something else now"


def counted(results: Sequence[CellResult]) -> tuple[int, int, int]:
    """How many cells are proven, not good, and not proven yet."""
    unproven = sum(one.outcome is Outcome.NOT_SELECTED for one in results)
    bad = sum(not one.outcome.good for one in results)
    return len(results) - unproven - bad, bad, unproven
