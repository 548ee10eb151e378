"""Which units share a layer.

Large units are layers of their own, so that environments share them and a change re-pushes
one of them. Small ones share layers (every layer costs a pull some time): sorted by name and
cut where a hash of the name says so, so that adding a package changes one group and runs of
names such as ``google-*`` give the same group in every environment that has them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from eggcrate.build.values import UnitKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eggcrate.build.values import Unit

LARGE = 1 << 20
"""Bytes, compressed: from here on a unit is a layer of its own."""
GROUP_CEILING = 8 << 20
"""Bytes, compressed: a group is cut before it grows beyond this."""
MAX_LAYERS = 64
"""Beside the base's. Docker stops near 125 in all, and more layers pull slower."""
_CUT_ONE_IN = 16
_ORDER = (UnitKind.SYSTEM, UnitKind.VENV, UnitKind.FILES, UnitKind.BYTECODE)


def group(units: Iterable[Unit], *, max_layers: int = MAX_LAYERS) -> list[tuple[Unit, ...]]:
    """Share out units among layers, in the order in which the layers are applied.

    Within a kind the largest layers come first: small changes then leave the long prefix of
    the image as it was, which is what container engines re-use.

    Args:
        units: all units of an image beside its base's.
        max_layers: the ceiling; when there would be more, the smallest large units join groups.
    """
    everything = sorted(units, key=lambda unit: (_ORDER.index(unit.kind), unit.name, unit.key))
    large = LARGE
    while True:
        groups = _group(everything, large)
        if len(groups) <= max_layers or not any(unit.size >= large for unit in everything):
            return groups
        large *= 2


def _group(everything: list[Unit], large: int) -> list[tuple[Unit, ...]]:
    groups: list[tuple[Unit, ...]] = []
    for kind in _ORDER:
        mine = [unit for unit in everything if unit.kind is kind]
        alone = [(unit,) for unit in mine if unit.size >= large]
        groups += sorted(alone, key=lambda units: (-units[0].size, units[0].name))
        groups += _cut([unit for unit in mine if unit.size < large], max(large, GROUP_CEILING))
    return groups


def _cut(small: list[Unit], ceiling: int) -> list[tuple[Unit, ...]]:
    groups: list[tuple[Unit, ...]] = []
    current: list[Unit] = []
    for unit in small:
        if current and sum(item.size for item in current) + unit.size > ceiling:
            groups.append(tuple(current))
            current = []
        current.append(unit)
        if _cuts(unit.name):
            groups.append(tuple(current))
            current = []
    if current:
        groups.append(tuple(current))
    return groups


def _cuts(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[0] % _CUT_ONE_IN == 0
