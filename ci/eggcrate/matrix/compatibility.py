"""Which environments satisfy what a component needs, by their locks alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical

from eggcrate.packages.selection import allows, applies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eggcrate.packages.target import Target
    from eggcrate.repo.values import Component


@dataclass(frozen=True, kw_only=True)
class Compatibility:
    """As what a component can run in an environment, and why not as anything else."""

    flavours: tuple[str, ...]
    """The flavours that are satisfied; ``("",)`` for a component without flavours; empty when
    it is not compatible."""
    reasons: Mapping[str, str]
    """Each flavour that is not satisfied (``""`` without flavours, or when what all flavours
    share is missing) with the requirements that fail, in words."""


_PLAIN = Compatibility(flavours=("",), reasons={})


def compatibility(
    component: Component, packages: Mapping[str, str], target: Target
) -> Compatibility:
    """Match a component's requirements with the packages of an environment.

    Args:
        component: what needs.
        packages: normalised name to version of everything the environment holds on the target.
        target: the environment's Python and platform.
    """
    held = {**packages, **_stood_in(component, packages)}
    shared = unsatisfied(component.dependencies, held, target)
    if not allows(component.requires_python, target.python):
        shared = (f"needs Python {component.requires_python}, has {target.python}", *shared)
    if shared:
        return Compatibility(flavours=(), reasons={"": "; ".join(shared)})
    if not component.flavours:
        return _PLAIN
    told = {
        flavour: "; ".join(unsatisfied(requirements, held, target))
        for flavour, requirements in component.flavours.items()
    }
    return Compatibility(
        flavours=tuple(flavour for flavour, reason in told.items() if not reason),
        reasons={flavour: reason for flavour, reason in told.items() if reason},
    )


def _stood_in(component: Component, packages: Mapping[str, str]) -> dict[str, str]:
    """Packages that are not held, with the version of the first that stands in for them."""
    return {
        name: packages[other]
        for name, others in component.stand_ins.items()
        if name not in packages
        for other in reversed(others)
        if other in packages
    }


def unsatisfied(
    requirements: Sequence[str], packages: Mapping[str, str], target: Target
) -> tuple[str, ...]:
    """Each requirement that the packages do not satisfy, in words."""
    told = []
    for name, constraint in _asked(tuple(requirements), target):
        held = packages.get(canonical(name))
        if held is None:
            told.append(f"needs {name}{constraint}, which it does not hold")
        elif not allows(constraint, held):
            told.append(f"needs {name}{constraint}, has {held}")
    return tuple(told)


@functools.lru_cache(maxsize=4096)
def _asked(requirements: tuple[str, ...], target: Target) -> tuple[tuple[str, str], ...]:
    """Name and version specifier of the requirements that count on a target."""
    environment = target.marker_environment()
    return tuple(
        (requirement.name, str(requirement.specifier))
        for requirement in map(Requirement, requirements)
        if not requirement.marker or applies(str(requirement.marker), environment)
    )
