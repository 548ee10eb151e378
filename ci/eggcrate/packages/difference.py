"""How two sets of packages differ: what is new, changed or gone, by how much, at what cost."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from eggcrate.packages.sizes import NOTHING, Size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from eggcrate.packages.distribution import Distribution


class Step(enum.Enum):
    """How far a package moved, by its version (PEP 440)."""

    NEW = "new"
    REMOVED = "removed"
    MAJOR = "major"
    """The epoch or the first number is another one."""
    MINOR = "minor"
    """The second number is another one."""
    PATCH = "patch"
    """Anything after it: further numbers, pre-, post- and development releases, a local label."""
    FILE = "file"
    """The same version, another file of it."""
    OTHER = "other"
    """Versions that cannot be compared."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The packages of an environment in one of its states."""

    packages: Mapping[str, str]
    """Normalised name to version."""
    direct: frozenset[str] | None = None
    """Those that its ``pyproject.toml`` asks for; ``None`` where that is not known."""
    files: Mapping[str, Distribution] = field(default_factory=dict)
    """The file of each, where it is known."""


EMPTY = Contents(packages={}, direct=frozenset())


@dataclass(frozen=True, kw_only=True)
class PackageChange:
    """What became of one package."""

    package: str
    before: str
    """Version; empty for a new package."""
    after: str
    """Version; empty for one that is gone."""
    step: Step
    backwards: bool = False
    """Whether the version is a lower one now."""
    direct: bool | None = None
    """Whether a ``pyproject.toml`` asks for it, now or before it went; ``None``: not known."""
    size_before: Size | None = None
    """``None`` when it is not known."""
    size_after: Size | None = None

    @property
    def growth(self) -> Size | None:
        """What it adds; negative numbers for what it saves; ``None`` when it is not known."""
        return subtract(self.size_after, self.size_before)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """All of it."""

    changes: tuple[PackageChange, ...]
    """The one that changes the size most comes first."""
    size_before: Size | None
    """Of all packages; ``None`` when that of one is not known."""
    size_after: Size | None
    count: int
    """How many packages there are now."""

    @property
    def growth(self) -> Size | None:
        """How much larger it is."""
        return subtract(self.size_after, self.size_before)

    def steps(self, *steps: Step) -> tuple[PackageChange, ...]:
        """Changes of these kinds."""
        return tuple(change for change in self.changes if change.step in steps)


def compare_contents(
    before: Contents,
    after: Contents,
    sizes: Callable[[Iterable[Distribution]], Mapping[Distribution, Size | None]] | None = None,
) -> Difference:
    """What became of each package between two states.

    Args:
        before: one state.
        after: the other.
        sizes: gives the size of files, see :func:`eggcrate.packages.sizes.sizes`; without it
            no size is known.
    """
    files = {*before.files.values(), *after.files.values()}
    known = sizes(files) if sizes and files else {}

    def size(contents: Contents, name: str) -> Size | None:
        if name not in contents.packages:
            return NOTHING
        file = contents.files.get(name)
        return known.get(file) if file else None

    changes = [
        _change(name, before, after, (size(before, name), size(after, name)))
        for name in sorted({*before.packages, *after.packages})
    ]
    return Difference(
        changes=tuple(sorted(filter(None, changes), key=_weight)),
        size_before=total(size(before, name) for name in before.packages),
        size_after=total(size(after, name) for name in after.packages),
        count=len(after.packages),
    )


def _change(
    name: str, before: Contents, after: Contents, sizes: tuple[Size | None, Size | None]
) -> PackageChange | None:
    old, new = before.packages.get(name, ""), after.packages.get(name, "")
    moved = step(old, new)
    if moved is None:
        held, holds = before.files.get(name), after.files.get(name)
        if held is None or holds is None or held.sha256 == holds.sha256:
            return None
        moved = Step.FILE
    asked = after.direct if new else before.direct
    return PackageChange(
        package=name,
        before=old,
        after=new,
        step=moved,
        backwards=_backwards(old, new),
        direct=name in asked if asked is not None else None,
        size_before=sizes[0],
        size_after=sizes[1],
    )


def step(before: str, after: str) -> Step | None:
    """How far apart two versions are; ``None`` when they are the same; empty: not there."""
    if before == after:
        return None
    if not before or not after:
        return Step.REMOVED if before else Step.NEW
    try:
        old, new = Version(before), Version(after)
    except InvalidVersion:
        return Step.OTHER
    if old == new:
        return None
    if (old.epoch, old.major) != (new.epoch, new.major):
        return Step.MAJOR
    return Step.MINOR if old.minor != new.minor else Step.PATCH


def _backwards(before: str, after: str) -> bool:
    try:
        return Version(after) < Version(before)
    except InvalidVersion:
        return False


_RANK = {one: rank for rank, one in enumerate((Step.MAJOR, Step.NEW, Step.REMOVED, Step.MINOR))}


def _weight(change: PackageChange) -> tuple[int, int, str]:
    growth = change.growth
    return (
        -abs(growth.unpacked) if growth else 0,
        _RANK.get(change.step, len(_RANK)),
        change.package,
    )


def subtract(after: Size | None, before: Size | None) -> Size | None:
    """The difference of two sizes, where both are known."""
    if after is None or before is None:
        return None
    return Size(
        download=after.download - before.download, unpacked=after.unpacked - before.unpacked
    )


def total(sizes: Iterable[Size | None]) -> Size | None:
    """The sum of sizes; ``None`` when one of them is not known."""
    found = NOTHING
    for one in sizes:
        if one is None:
            return None
        found += one
    return found
