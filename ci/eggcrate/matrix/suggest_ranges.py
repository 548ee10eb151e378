"""Ranges of components that results speak against, or that might reach further."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from eggcrate.matrix import ranges
from eggcrate.matrix.cells import Outcome
from eggcrate.matrix.compatibility import compatibility
from eggcrate.matrix.suggestion import GOOD, Kind, Suggestion, command_of, names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.specifiers import SpecifierSet

    from eggcrate.matrix.cells import CellResult
    from eggcrate.matrix.suggestion import Facts, Place, Row
    from eggcrate.repo.values import Component


def _asked(component: Component, flavour: str) -> Iterator[tuple[str, str, SpecifierSet]]:
    """Text, package and range of what a row needs, but for what depends on where it is."""
    for text in (*component.dependencies, *component.flavours.get(flavour, ())):
        requirement = Requirement(text)
        if not requirement.marker and not requirement.url:
            yield text, canonicalize_name(requirement.name), requirement.specifier


def _versions(names: Iterable[str], package: str, facts: Facts) -> dict[str, Version]:
    found = {}
    for name in names:
        if package in facts.places[name].packages:
            with contextlib.suppress(InvalidVersion):  # of an old lock: it cannot be compared
                found[name] = Version(facts.places[name].packages[package])
    return found


def narrow(facts: Facts, rows: Mapping[Row, Mapping[str, CellResult]]) -> Iterator[Suggestion]:
    """Rows whose failures are on one side of a version of something that they ask for."""
    for (name, flavour), results in rows.items():
        bad = [place for place, one in results.items() if one.outcome is Outcome.FAILED]
        good = [place for place, one in results.items() if one.outcome in GOOD]
        if not bad or not good:
            continue
        told = " ".join(results[place].reason for place in bad).lower()
        candidates = []
        for text, package, specifiers in _asked(facts.components[name], flavour):
            failing = _versions(bad, package, facts)
            passing = _versions(good, package, facts)
            if len(failing) < len(bad) or len(passing) < len(good):
                continue
            fails, passes = failing.values(), passing.values()
            if min(fails) > max(passes):
                narrower = ranges.below(specifiers, min(fails), max(passes))
            elif max(fails) < min(passes):
                narrower = ranges.above(specifiers, max(fails), min(passes))
            else:
                continue
            proposed = _requirement(text, narrower)
            evidence = (
                f"fails with {package} {_several(fails)} ({names_of(bad)}), "
                f"passes with {_several(passes)} ({names_of(good)})"
            )
            candidates.append((package not in told, package, text, proposed, evidence))
        if not candidates:
            continue
        _, package, text, proposed, evidence = min(candidates)
        others = sorted(one[1] for one in candidates if one[1] != package)
        if others:
            evidence += f"; {names_of(others)} would tell them apart as well"
        row = f"{name}[{flavour}]" if flavour else name
        yield Suggestion(
            kind=Kind.NARROW,
            subject=f"components/{name}",
            sentence=f"{row} may need {proposed} where it asks for {text}",
            evidence=evidence,
            command=command_of("--component", name),
        )


def widen(facts: Facts, rows: Mapping[Row, Mapping[str, CellResult]]) -> Iterator[Suggestion]:
    """Environments that a passing component is kept out of by one bound alone."""
    for (name, flavour), results in rows.items():
        ran = [one for one in results.values() if one.outcome is not Outcome.INCOMPATIBLE]
        if not ran or any(one.outcome not in GOOD for one in ran):
            continue
        component = facts.components[name]
        for text, package, specifiers in _asked(component, flavour):
            passing = _versions([one.cell.environment for one in ran], package, facts).values()
            kept_out = {
                place: version
                for place, version in _versions(facts.places, package, facts).items()
                if not specifiers.contains(version, prereleases=True)
                and passing
                and _only_lacks(text, component, flavour, facts.places[place])
            }
            newer = {v: place for place, v in kept_out.items() if v > max(passing)}
            older = {v: place for place, v in kept_out.items() if v < min(passing)}
            nearest = ([min(newer)] if newer else []) + ([max(older)] if older else [])
            for version in nearest:
                place = {**newer, **older}[version]
                wider = ranges.loosened(specifiers, version)
                if wider is None:
                    continue
                proposed = _requirement(text, wider)
                yield Suggestion(
                    kind=Kind.WIDEN,
                    subject=f"components/{name}",
                    sentence=f"{name}: try {proposed} in place of {text}, to run in {place} too",
                    evidence=f"it passes wherever it may run ({package} {_several(passing)}); "
                    f"of all that it needs {place} lacks this alone, with {package} {version}",
                    command=command_of("--component", name, "--environment", place),
                )


def _only_lacks(text: str, component: Component, flavour: str, place: Place) -> bool:
    """Whether an environment has all that a row needs but for one requirement."""
    asked = (*component.dependencies, *component.flavours.get(flavour, ()))
    rest = tuple(other for other in asked if other != text)
    eased = replace(component, dependencies=rest, flavours={})
    return bool(compatibility(eased, place.packages, place.target).flavours)


def _requirement(text: str, specifiers: SpecifierSet) -> str:
    """The same requirement with another range."""
    requirement = Requirement(text)
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{ranges.written(specifiers)}"


def _several(versions: Iterable[Version]) -> str:
    return names_of([str(one) for one in sorted(set(versions))])
