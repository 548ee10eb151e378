"""The facts of a run that suggestions are made from."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from eggcrate.matrix.evidence import given_by
from eggcrate.matrix.suggestion import GOOD, Facts, Place
from eggcrate.packages.poetry_lock import read_lock
from eggcrate.packages.selection import applies, select
from eggcrate.packages.wanted import read_wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from eggcrate.build.resolve import Resolved
    from eggcrate.matrix.cells import CellResult
    from eggcrate.matrix.session import Matrix, Session
    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.wanted import Wanted
    from eggcrate.repo.closure import Closure
    from eggcrate.repo.values import Component


def facts_of(
    session: Session,
    *,
    sizes: Mapping[str, Mapping[str, int]],
    layers: Mapping[str, Mapping[str, int]],
    provided: Callable[[Sequence[Distribution]], Mapping[Distribution, frozenset[str] | None]],
) -> Facts:
    """Everything that a run tells.

    Args:
        session: the run.
        sizes: by environment: package to compressed bytes in its image.
        layers: by environment: digest to compressed bytes.
        provided: gives the modules in packages, as
            :func:`eggcrate.packages.modules.provided_modules` does; called once.
    """
    matrix = session.matrix
    resolved = [one for one in matrix.resolved if not one.environment.name.startswith("_")]
    packages = dict.fromkeys(d for one in resolved for d in one.recipe.distributions)
    modules = provided(tuple(packages))
    by_place: dict[str, list[CellResult]] = {}
    for result in session.results:
        by_place.setdefault(result.cell.environment, []).append(result)
    expected: dict[str, int] = {}
    for cell in matrix.grid.cells:
        expected[cell.environment] = expected.get(cell.environment, 0) + 1
    places = {}
    for one in resolved:
        name = one.environment.name
        good = [result for result in by_place.get(name, ()) if result.outcome in GOOD]
        known = good and len(good) == expected.get(name) and all(map(_imported, good))
        places[name] = replace(
            place_of(one, sizes.get(name, {})),
            used=_used(one, good, matrix, modules) if known else None,
            layers=layers.get(name, {}),
            without=functools.partial(_without, one, _wanted(one)),
        )
    return Facts(
        components=matrix.components, places=places, results=session.results, whole=_whole(matrix)
    )


def place_of(one: Resolved, sizes: Mapping[str, int]) -> Place:
    """An environment by its locks alone.

    Args:
        one: the environment.
        sizes: package to bytes.
    """
    return Place(
        name=one.environment.name,
        target=one.recipe.target,
        packages=one.packages,
        wanted={item.name: item.constraint for item in _wanted(one)},
        requires_python=one.environment.requires_python,
        system=frozenset(one.environment.system_packages),
        own_build=one.environment.dockerfile is not None,
        until=one.environment.supported_until,
        sizes=sizes,
    )


def _whole(matrix: Matrix) -> bool:
    """Whether all components are looked at, and could be."""
    return set(matrix.components) == set(matrix.everyone) and not (
        matrix.unreadable or any(name.startswith("components/") for name in matrix.errors)
    )


def _imported(result: CellResult) -> tuple[str, ...]:
    return tuple(name for proof in result.proofs for name in proof.evidence.imported)


def _wanted(one: Resolved) -> tuple[Wanted, ...]:
    environment, marked = one.environment, one.recipe.target.marker_environment()
    wanted = read_wanted(
        environment.pyproject_path, groups=environment.groups, extras=environment.extras
    )
    return tuple(item for item in wanted if applies(item.marker, marked))


def _used(
    one: Resolved,
    results: Iterable[CellResult],
    matrix: Matrix,
    modules: Mapping[Distribution, frozenset[str] | None],
) -> frozenset[str]:
    """Packages that components which fit have imported, could import, or ask for."""
    every = list(results)
    names = {name for result in every for name in _imported(result)}
    asked: set[str] = set()
    for component in {result.cell.component for result in every}:
        names.update(_named(matrix.closures[component]))
        asked.update(_asked(matrix.components[component]))
    here = {item.name: modules.get(item) for item in one.recipe.distributions}
    return given_by(names, here) | asked


def _named(closure: Closure) -> Iterator[str]:
    """Modules that a component's code, or that of its tests, names in an import."""
    for item in (*closure.foreign, *closure.test_foreign):
        yield f"{item.module}.{item.name}" if item.name not in {"", "*"} else item.module


def _asked(component: Component) -> Iterator[str]:
    for text in component.dependencies:
        yield canonicalize_name(Requirement(text).name)
    for texts in component.flavours.values():
        for text in texts:
            yield canonicalize_name(Requirement(text).name)


def _without(one: Resolved, wanted: Sequence[Wanted], names: frozenset[str]) -> frozenset[str]:
    """The packages that go when these direct dependencies go."""
    rest = [item for item in wanted if item.name not in names]
    kept = select(read_lock(one.environment.lock_path), rest, one.recipe.target, groups=())
    return frozenset(one.packages) - {package.name for package in kept}
