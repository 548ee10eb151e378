"""Which environments satisfy what a component needs, by their locks alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from eggcrate.packages.selection import applies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
    share is missing) with the requirement that fails, in words."""


def compatibility(
    component: Component, packages: Mapping[str, str], target: Target
) -> Compatibility:
    """Match a component's requirements with the packages of an environment.

    Args:
        component: what needs.
        packages: normalised name to version of everything the environment holds on the target.
        target: the environment's Python and platform.
    """
    if not SpecifierSet(component.requires_python).contains(target.python, prereleases=True):
        reason = f"needs Python {component.requires_python}, has {target.python}"
        return Compatibility(flavours=(), reasons={"": reason})
    if reason := unsatisfied(component.dependencies, packages, target):
        return Compatibility(flavours=(), reasons={"": reason})
    if not component.flavours:
        return Compatibility(flavours=("",), reasons={})
    told = {
        flavour: unsatisfied(requirements, packages, target)
        for flavour, requirements in component.flavours.items()
    }
    return Compatibility(
        flavours=tuple(flavour for flavour, reason in told.items() if not reason),
        reasons={flavour: reason for flavour, reason in told.items() if reason},
    )


def unsatisfied(requirements: Iterable[str], packages: Mapping[str, str], target: Target) -> str:
    """The first requirement that the packages do not satisfy, in words; empty when none."""
    environment = target.marker_environment()
    for requirement in map(Requirement, requirements):
        if requirement.marker and not applies(str(requirement.marker), environment):
            continue
        wanted = f"{requirement.name}{requirement.specifier}"
        held = packages.get(canonicalize_name(requirement.name))
        if held is None:
            return f"needs {wanted}, which it does not hold"
        if not requirement.specifier.contains(held, prereleases=True):
            return f"needs {wanted}, has {held}"
    return ""
