"""Packages that no component imports, and environments that another one could stand in for."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from eggcrate.matrix.cells import Outcome
from eggcrate.matrix.suggestion import GOOD, Kind, Suggestion, command_of, names_of
from eggcrate.packages.selection import allows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from eggcrate.matrix.cells import CellResult
    from eggcrate.matrix.suggestion import Facts, Place, Row

_FEW, _SHARE = 2, 0.1
"""Packages that only one of two alike environments has: so many, or this share of all."""
_HEAVIER = 0.2
"""The share of its size that an environment may grow by to stand in for another."""


def unused(facts: Facts) -> Iterator[Suggestion]:
    """Direct dependencies that no component which fits has imported or asks for."""
    for place in facts.places.values():
        if place.used is None or place.own_build:
            continue
        used = place.used
        idle = frozenset(
            name
            for name in place.wanted
            if name in place.packages
            and name not in used
            and not place.without(frozenset({name})) & used
        )
        gone = place.without(idle) if idle else frozenset[str]()
        named = sorted(idle & gone, key=lambda name: (-place.sizes.get(name, 0), name))
        if not named:
            continue
        fitting = sorted(
            {one.cell.component for one in _proven(facts) if one.cell.environment == place.name}
        )
        more = sorted(gone - set(named))
        chosen = any(one.environment == place.name for one in facts.components.values())
        yield Suggestion(
            kind=Kind.UNUSED,
            subject=f"environments/{place.name}",
            sentence=f"{place.name}: no component that fits it imports {names_of(named)}",
            evidence=f"neither code nor tests of {names_of(fitting)} import them there"
            + (f"; {names_of(more)} would go too" if more else "")
            + ("" if chosen else f"; no component names {place.name} as its environment")
            + "; what is loaded by name alone, such as a plug-in, may not show",
            command=f"eggcrate remove {shlex.join([place.name, *named])} && "
            + command_of("--environment", place.name),
            size=sum(place.sizes.get(name, 0) for name in gone),
        )


def alike(facts: Facts, rows: Mapping[Row, Mapping[str, CellResult]]) -> Iterator[Suggestion]:
    """Environments that another one could stand in for, with nothing lost and little added."""
    passes: dict[str, set[Row]] = {name: set() for name in facts.places}
    runs: dict[str, set[Row]] = {name: set() for name in facts.places}
    for row, results in rows.items():
        for place, one in results.items():
            if one.outcome is not Outcome.INCOMPATIBLE:
                runs[place].add(row)
            if one.outcome in GOOD:
                passes[place].add(row)
    taken: set[str] = set()
    for mine in facts.places.values():
        fitting = [
            other
            for other in facts.places.values()
            if other.name not in {mine.name, *taken}
            and runs[mine.name]
            and runs[mine.name] <= passes[mine.name] & passes[other.name]
            and stands_in(other, mine)
        ]
        if not fitting:
            continue
        other = min(fitting, key=lambda item: (len(item.packages), item.name))
        taken.add(mine.name)
        elsewhere = {
            digest
            for place in facts.places.values()
            if place.name != mine.name
            for digest in place.layers
        }
        yield Suggestion(
            kind=Kind.ALIKE,
            subject=f"environments/{mine.name}",
            sentence=f"{other.name} would do for {mine.name} as well",
            evidence=f"it holds all that {mine.name} asks for, and every component of "
            f"{mine.name} passes in it; they differ in {_difference(mine, other)}",
            command=command_of("--environment", other.name),
            size=sum(size for digest, size in mine.layers.items() if digest not in elsewhere),
        )


def stands_in(other: Place, one: Place) -> bool:
    """Whether an environment holds what another was made for, and is hardly larger."""
    if one.own_build or other.own_build or not one.system <= other.system:
        return False
    if other.until and (one.until is None or other.until < one.until):
        return False
    kept = all(
        name in other.packages and allows(constraint, other.packages[name])
        for name, constraint in one.wanted.items()
    )
    if not kept or not allows(one.requires_python, other.target.python):
        return False
    only = set(one.packages) ^ set(other.packages)
    more = sum(other.sizes.get(name, 0) for name in set(other.packages) - set(one.packages))
    few = len(only) <= max(_FEW, _SHARE * len(one.packages))
    return few and more <= _HEAVIER * sum(one.sizes.values())


def _difference(one: Place, other: Place) -> str:
    names = sorted(
        name
        for name in {*one.packages, *other.packages}
        if one.packages.get(name) != other.packages.get(name)
    )
    return names_of(names) if names else "no package"


def _proven(facts: Facts) -> Iterator[CellResult]:
    return (one for one in facts.results if one.outcome in GOOD)
