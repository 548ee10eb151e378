"""What suggestions are made from, and what they say."""

from __future__ import annotations

import enum
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.matrix.cells import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from eggcrate.matrix.cells import CellResult
    from eggcrate.packages.target import Target
    from eggcrate.repo.values import Component

GOOD = frozenset({Outcome.PASSED, Outcome.REUSED})
Row = tuple[str, str]
"""Component and flavour."""


class Kind(enum.Enum):
    """What a suggestion is about."""

    NARROW = "narrow"
    UNUSED = "unused"
    ALIKE = "alike"
    WIDEN = "widen"


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """Something to try."""

    kind: Kind
    subject: str
    """Folder of what would change, such as ``components/predict``."""
    sentence: str
    evidence: str
    """What it rests on."""
    command: str
    """What proves it, once it is done."""
    size: int = 0
    """Compressed bytes that it saves, as far as that is known."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """An environment, as far as suggestions look at it."""

    name: str
    target: Target
    packages: Mapping[str, str]
    """Normalised name to version."""
    wanted: Mapping[str, str] = field(default_factory=dict)
    """Direct dependencies that count on the target, with their constraints."""
    requires_python: str = ""
    system: frozenset[str] = frozenset()
    own_build: bool = False
    """Whether a ``Dockerfile`` may put anything into it."""
    until: date | None = None
    """How long it is supported, if that is limited."""
    used: frozenset[str] | None = None
    """Packages that components which fit have imported or ask for; ``None`` when it is not
    known of all of them."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Package to compressed bytes in its image."""
    layers: Mapping[str, int] = field(default_factory=dict)
    """Digest to compressed bytes."""
    without: Callable[[frozenset[str]], frozenset[str]] = field(
        default=lambda names: names, compare=False
    )
    """Gives the packages that go when these direct dependencies go."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that suggestions are made from."""

    components: Mapping[str, Component]
    places: Mapping[str, Place]
    """By the name of the column."""
    results: Sequence[CellResult]
    whole: bool = False
    """Whether these are all components there are: else nothing can be called unused."""


def names_of(names: Sequence[str]) -> str:
    """A few of them, and how many more."""
    most = 4
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def command_of(*arguments: str) -> str:
    """A command line that proves cells."""
    return shlex.join(("eggcrate", "matrix", *arguments))
