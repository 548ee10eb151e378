"""Cells: one component in one image, and what became of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.matrix.compatibility import compatibility
from eggcrate.matrix.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eggcrate.packages.target import Target
    from eggcrate.repo.values import Component


class Outcome(enum.Enum):
    """What became of a cell. Different words because they mean different work."""

    PASSED = "passed"
    FAILED = "failed"
    """Its tests ran and did not all pass, or it crashed."""
    TIMED_OUT = "timed-out"
    KILLED = "killed"
    """It used more memory than it may."""
    BROKEN = "broken"
    """The image or the harness could not start, or the image could not be built."""
    INCOMPATIBLE = "incompatible"
    """The environment does not hold what the component needs: nothing to prove."""
    NOT_SELECTED = "not-selected"
    REUSED = "reused"
    """Passed before, with everything that it depends on as it is now."""
    FLAKY = "flaky"
    """Failed, and passed when it was tried again as often as its component allows: told in every
    report, never remembered as passed."""

    @property
    def good(self) -> bool:
        """Whether a run with this outcome may end green."""
        return self not in {
            Outcome.FAILED,
            Outcome.TIMED_OUT,
            Outcome.KILLED,
            Outcome.BROKEN,
        }


@dataclass(frozen=True, kw_only=True, order=True)
class Cell:
    """A component, as one of its flavours, in an environment."""

    component: str
    flavour: str
    """Empty for a component without flavours, and when no flavour is compatible."""
    environment: str
    """Name of the column: of an environment, or ``NAME@TAG`` or ``NAME@sha256:...`` of an image
    that is published and in use."""

    @property
    def row(self) -> str:
        """The component with its flavour, such as ``train_model[sklearn]``."""
        return f"{self.component}[{self.flavour}]" if self.flavour else self.component

    def __str__(self) -> str:
        return f"{self.row} in {self.environment}"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One of the programs that prove a cell, with the evidence of how it ended."""

    name: str
    """``tests``, or ``example NAME`` for a component run as compiled."""
    outcome: Outcome
    reason: str = ""
    """One sentence; empty for one that passed."""
    seconds: float = 0.0
    exit_code: int | None = None
    """``None`` unless it exited by itself."""
    signal: int | None = None
    memory_peak: int | None = None
    """Bytes; ``None`` where the runtime cannot tell."""
    memory_limit: int | None = None
    """Bytes."""
    output: str = ""
    """Its last megabyte."""
    evidence: Evidence = field(default=Evidence(), compare=False)
    """What tests told beside."""


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """The outcome of a cell with its evidence: of its proofs the first that is not good."""

    cell: Cell
    outcome: Outcome
    reason: str = ""
    """One sentence; empty for a cell that passed."""
    image: str = ""
    """Manifest digest of the image it ran in."""
    seconds: float = 0.0
    memory_peak: int | None = None
    """Bytes."""
    output: str = ""
    command: str = ""
    """What reproduces it."""
    proofs: tuple[Proof, ...] = ()
    """Each program that was run for it, of the last attempt."""
    attempts: int = 1
    """How often it was tried."""
    earlier: tuple[Proof, ...] = ()
    """What was run in attempts before the last one: none of them was good."""
    key: str = ""
    """SHA-256 over all that the result depends on; passes are remembered by it."""
    date: str = ""
    """When it was run, such as ``2026-11-22T11:45:00Z``: of a reused one, back then."""
    runtime: str = ""
    """Where it was run: ``docker`` or ``sandbox``."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """An environment as the grid sees it: what it holds, on which target."""

    environment: str
    target: Target
    packages: Mapping[str, str]
    """Normalised name to version."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Every pairing: the cells there are to prove, and why the others are not."""

    cells: tuple[Cell, ...]
    incompatible: tuple[CellResult, ...]


def lay_out(components: Sequence[Component], columns: Sequence[Column]) -> Grid:
    """Match every component with every environment.

    A flavour that an environment does not satisfy is a pairing of its own when the component
    is compatible there as another flavour or not at all.
    """
    cells: list[Cell] = []
    incompatible: list[CellResult] = []
    for component in components:
        for column in columns:
            verdict = compatibility(component, column.packages, column.target)
            cells += [_cell(component, flavour, column) for flavour in verdict.flavours]
            incompatible += [
                CellResult(
                    cell=_cell(component, flavour, column),
                    outcome=Outcome.INCOMPATIBLE,
                    reason=reason,
                )
                for flavour, reason in verdict.reasons.items()
            ]
    return Grid(cells=tuple(cells), incompatible=tuple(incompatible))


def _cell(component: Component, flavour: str, column: Column) -> Cell:
    return Cell(component=component.name, flavour=flavour, environment=column.environment)


def why_not(results: Iterable[CellResult]) -> str:
    """Why a component does not fit an environment: for itself, or for each of its flavours."""
    told = [
        f"as {one.cell.flavour} it {one.reason}" if one.cell.flavour else f"it {one.reason}"
        for one in results
    ]
    return "; ".join(told)


def homeless(grid: Grid) -> tuple[str, ...]:
    """Components that no environment satisfies: they would never be proven."""
    at_home = {cell.component for cell in grid.cells}
    everyone = {result.cell.component for result in grid.incompatible}
    return tuple(sorted(everyone - at_home))
