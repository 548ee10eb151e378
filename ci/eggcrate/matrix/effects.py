"""What a change of an environment does to the components that could run in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.matrix.cells import Column, lay_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eggcrate.build.proposal import Proposal
    from eggcrate.matrix.cells import Cell
    from eggcrate.packages.distribution import Distribution
    from eggcrate.repo.values import Component


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A component, as one of its flavours, that fits now and did not, or the other way round."""

    row: str
    """Such as ``train_model[sklearn]``."""
    fits: bool
    """Whether it fits afterwards."""
    reason: str
    """The requirement that was not satisfied before, or is not afterwards."""
    default: bool
    """Whether the environment is the one that the component runs in by default."""


def effects(proposal: Proposal, components: Mapping[str, Component]) -> tuple[Effect, ...]:
    """The components whose compatibility with an environment changes, by locks alone.

    Args:
        proposal: the environment before and after. One whose lock could not be used before has
            no effects: there is nothing to compare with.
        components: by name.
    """
    if proposal.before is None:
        return ()
    cells, reasons = _laid_out(proposal, proposal.before, components)
    after_cells, after_reasons = _laid_out(proposal, proposal.after, components)
    changed = [(cell, True, _reason(reasons, cell)) for cell in after_cells - cells]
    changed += [(cell, False, _reason(after_reasons, cell)) for cell in cells - after_cells]
    return tuple(
        Effect(
            row=cell.row,
            fits=fits,
            reason=reason,
            default=components[cell.component].environment == proposal.environment.name,
        )
        for cell, fits, reason in sorted(changed, key=lambda one: (one[1], one[0]))
    )


def _laid_out(
    proposal: Proposal, files: Iterable[Distribution], components: Mapping[str, Component]
) -> tuple[set[Cell], dict[Cell, str]]:
    column = Column(
        environment=proposal.environment.name,
        target=proposal.target,
        packages={item.name: item.version for item in files},
    )
    grid = lay_out(list(components.values()), [column])
    return set(grid.cells), {one.cell: one.reason for one in grid.incompatible}


def _reason(reasons: Mapping[Cell, str], cell: Cell) -> str:
    """Why a flavour did not fit: for itself, or because of what all flavours share."""
    own = reasons.get(cell)
    shared = (
        reason
        for one, reason in reasons.items()
        if (one.component, one.flavour) == (cell.component, "")
    )
    return own or next(shared, "")
