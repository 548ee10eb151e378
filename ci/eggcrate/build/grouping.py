"""Which units share a layer.

Large units are layers of their own, so that environments share them and a change re-pushes
one of them. Small packages share layers (every layer costs a pull some time), files and bytecode
of neighbouring names together; so does small bytecode of large packages, apart from them. Where a
run of them is cut follows from the names alone: adding or changing a package changes the one layer
that it stands in, and runs such as ``google-*`` give the same layers in every environment that
has them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from eggcrate.build.values import UnitKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eggcrate.build.values import Unit

LARGE = 800 << 10
"""Bytes, compressed: from here on a unit is a layer of its own, and a group may not grow beyond.
What a change of a small package downloads and pushes on an empty machine is one group each."""
MAX_LAYERS = 64
"""Beside the base's. Docker stops near 125 in all, and more layers pull slower."""
_ORDER = (UnitKind.SYSTEM, UnitKind.VENV, UnitKind.FILES, UnitKind.BYTECODE)
_SHARED = frozenset({UnitKind.FILES, UnitKind.BYTECODE})


def group(units: Iterable[Unit], *, max_layers: int = MAX_LAYERS) -> list[tuple[Unit, ...]]:
    """Share out units among layers, in the order in which the layers are applied.

    Within a kind the largest layers come first: small changes then leave the long prefix of
    the image as it was, which is what container engines re-use.

    Args:
        units: all units of an image beside its base's.
        max_layers: the ceiling; when there would be more, groups grow and the smallest large
            units join them.
    """
    everything = sorted(units, key=lambda unit: (unit.name, _ORDER.index(unit.kind), unit.key))
    large = LARGE
    while True:
        groups = _group(everything, large)
        if len(groups) <= max_layers or large > sum(unit.size for unit in everything):
            return groups
        large *= 2


def _group(everything: Sequence[Unit], large: int) -> list[tuple[Unit, ...]]:
    alone = [unit for unit in everything if unit.kind not in _SHARED or unit.size >= large]
    alone.sort(key=lambda unit: (_ORDER.index(unit.kind), -unit.size))
    heavy = {unit.name for unit in alone}
    together = [unit for unit in everything if unit.kind in _SHARED and unit.size < large]
    return [
        *((unit,) for unit in alone),
        *_cut([unit for unit in together if unit.name in heavy], large),
        *_cut([unit for unit in together if unit.name not in heavy], large),
    ]


def _cut(run: Sequence[Unit], ceiling: int) -> list[tuple[Unit, ...]]:
    """A run that is too large is cut before the name whose hash is the least, and so on.

    A name that is added leaves the cuts of runs without it as they are.
    """
    if not run:
        return []
    if sum(unit.size for unit in run) <= ceiling or len(run) == 1:
        return [tuple(run)]
    at = min(range(1, len(run)), key=lambda start: _priority(run[start - 1], run[start]))
    return [*_cut(run[:at], ceiling), *_cut(run[at:], ceiling)]


def _priority(before: Unit, unit: Unit) -> tuple[bool, bytes]:
    """A package's own files and bytecode are parted last."""
    return before.name == unit.name, hashlib.sha256(unit.name.encode()).digest()
