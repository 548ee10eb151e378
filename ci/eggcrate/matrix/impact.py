"""What a change does, as one value: the story that its pull request is told by."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eggcrate.build.judgement import Judgement
    from eggcrate.build.layer_cost import LayerCost
    from eggcrate.build.plan import Planned
    from eggcrate.errors import EggcrateError
    from eggcrate.matrix.cells import Cell, CellResult
    from eggcrate.packages.difference import Difference


class Fate(enum.Enum):
    """What became of an environment or component."""

    NEW = "new"
    CHANGED = "changed"
    REMOVED = "removed"
    RENAMED = "renamed"
    """It holds what another held that is gone."""
    AFFECTED = "affected"
    """It is as it was; what it runs in, or what it asks for, is not."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentImpact:
    """An environment that is not as it was, on one platform."""

    name: str
    platform: str
    fate: Fate
    difference: Difference | None = None
    """Of its packages; ``None`` when it cannot be resolved, now or before."""
    planned: Planned | None = None
    """Verdict and reasons, by what is published."""
    key_before: str = ""
    key: str = ""
    base_before: str = ""
    """Name of its base."""
    base: str = ""
    base_moved: bool = False
    """Whether the base holds something else now."""
    budget: int | None = None
    """Bytes that its packages may have, unpacked."""
    cost: LayerCost | None = None
    twins: tuple[str, ...] = ()
    """Environments that could stand in for it."""
    renamed_from: str = ""
    still_named: tuple[str, ...] = ()
    """Files of components and pipelines that say its old name."""
    error: EggcrateError | None = None
    """Why it cannot be built as it is, or why what it was cannot be told."""


@dataclass(frozen=True, kw_only=True)
class LostCell:
    """A pairing that was a cell, and is none any more."""

    cell: Cell
    reason: str


@dataclass(frozen=True, kw_only=True)
class ComponentImpact:
    """A component that the change has to do with."""

    name: str
    fate: Fate
    files: tuple[str, ...] = ()
    """Files of its closure that changed."""
    lost: tuple[LostCell, ...] = ()
    gained: tuple[Cell, ...] = ()
    results: tuple[CellResult, ...] = ()
    """Where its cells stand."""


class Weight(enum.Enum):
    """How much a reviewer has to make of something."""

    STOP = "stop"
    """It must not be merged like this."""
    LOOK = "look"
    """Somebody must decide whether it is wanted."""
    NOTE = "note"
    """To be known."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Something that a reviewer has to decide, or to know before."""

    weight: Weight
    kind: str
    """In a word: ``policy``, ``cell``, ``size``, …"""
    subject: str
    what: str
    """One sentence."""
    hint: str = ""
    """What to do about it, in words."""
    command: str = ""
    """What to run for it."""


@dataclass(frozen=True, kw_only=True)
class Impact:
    """All of it."""

    base: str
    """What the change is compared with, as it was asked for."""
    commit: str
    """The commit that both come from."""
    changed_files: int
    environments: tuple[EnvironmentImpact, ...]
    unchanged: int
    """Environments that are as they were."""
    components: tuple[ComponentImpact, ...]
    decisions: tuple[Decision, ...]
    """The heaviest first."""
    judgement: Judgement
    registry: str = ""
    """Where images are published; empty: the local store stands in for it."""
    errors: Mapping[str, EggcrateError] = field(default_factory=dict)
    """What stands in the way of proving components."""
    proven: int = 0
    """Cells that are proven as they are now."""
    failed: int = 0
    unproven: int = 0

    @property
    def nothing(self) -> bool:
        """Whether the change does nothing to environments and components."""
        return not (self.environments or self.components or self.decisions)

    @property
    def good(self) -> bool:
        """Whether nothing stands in the way of merging, as far as it is known."""
        return not any(one.weight is Weight.STOP for one in self.decisions)
