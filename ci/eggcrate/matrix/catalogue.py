"""The catalogue: environments, components and pipelines, by the repository's files alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from eggcrate.build.states import contents_of
from eggcrate.errors import EggcrateError
from eggcrate.matrix.compatibility import compatibility
from eggcrate.matrix.suggest_from import place_of
from eggcrate.matrix.suggest_spare import stands_in
from eggcrate.repo.environments import requirement
from eggcrate.repo.pipelines import pipeline_names, read_config
from eggcrate.repo.signatures import read_signature
from eggcrate.repo.steps import read_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eggcrate.build.resolve import Resolved
    from eggcrate.matrix.compatibility import Compatibility
    from eggcrate.packages.difference import Contents
    from eggcrate.packages.sizes import Size
    from eggcrate.repo.monorepo import Monorepo
    from eggcrate.repo.signatures import Signature
    from eggcrate.repo.steps import Step
    from eggcrate.repo.values import Component, Environment

_ALIKE = 0.9
"""Share of equal pins from which on two environments are called near-duplicates."""
_FEW = 5
"""Environments with fewer packages are not compared: most of them would be alike."""


@dataclass(frozen=True, kw_only=True)
class CatalogueEnvironment:
    """An environment, on the first of its platforms."""

    resolved: Resolved
    contents: Contents
    size: Size | None
    """Of its packages; ``None`` where it is not known."""

    @property
    def environment(self) -> Environment:
        """What it is."""
        return self.resolved.environment

    @property
    def name(self) -> str:
        """Its folder's."""
        return self.environment.name

    @property
    def main(self) -> tuple[tuple[str, str], ...]:
        """The packages that it asks for, in its own order, with their versions."""
        written = dict.fromkeys(
            canonicalize_name(requirement(text).name) for text in self.environment.dependencies
        )
        direct = self.contents.direct or frozenset()
        names = [*written, *sorted(direct.difference(written))]
        held = self.contents.packages
        return tuple((name, held[name]) for name in names if name in held)


@dataclass(frozen=True, kw_only=True)
class CatalogueComponent:
    """A component, and where it can run."""

    component: Component
    signature: Signature
    fits: Mapping[str, Compatibility]
    """By environment."""

    @property
    def environments(self) -> tuple[str, ...]:
        """Those that satisfy it, as one flavour at least."""
        return tuple(name for name, found in self.fits.items() if found.flavours)

    def of(self, flavour: str) -> tuple[str, ...]:
        """Those that satisfy it as this flavour."""
        return tuple(name for name, found in self.fits.items() if flavour in found.flavours)


@dataclass(frozen=True, kw_only=True)
class CataloguePipeline:
    """A pipeline, and the components that it wires together."""

    name: str
    signature: Signature
    steps: tuple[Step, ...]
    projects: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Alike:
    """Two environments of which one may be enough."""

    one: str
    other: str
    same: int
    """Packages that both hold in the same version."""
    count: int
    """Packages that either holds."""
    replaces: bool
    """Whether the other holds all that this one was made for, and is hardly larger."""


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All of it, by name."""

    environments: Mapping[str, CatalogueEnvironment]
    components: Mapping[str, CatalogueComponent]
    pipelines: Mapping[str, CataloguePipeline]
    errors: Mapping[str, EggcrateError] = field(default_factory=dict)
    """Folders that cannot be read."""

    def components_of(self, environment: str) -> tuple[str, ...]:
        """The components that an environment satisfies."""
        return tuple(
            name for name, one in self.components.items() if environment in one.environments
        )

    def pipelines_of(self, component: str) -> tuple[str, ...]:
        """The pipelines that call a component."""
        return tuple(
            name
            for name, one in self.pipelines.items()
            if any(step.component == component for step in one.steps)
        )


def first_platforms(resolved: Iterable[Resolved]) -> tuple[Resolved, ...]:
    """Each environment once, on the first of its platforms."""
    found: dict[str, Resolved] = {}
    for one in resolved:
        found.setdefault(one.environment.name, one)
    return tuple(found[name] for name in sorted(found))


def catalogue_of(
    monorepo: Monorepo,
    resolved: Sequence[Resolved],
    failed: Mapping[str, EggcrateError],
    sizes: Mapping[str, Size | None],
) -> Catalogue:
    """Read the catalogue; what cannot be read is told beside what can.

    Args:
        monorepo: the repository.
        resolved: its environments, each once.
        failed: those that cannot be resolved.
        sizes: what the packages of each take, as far as it is known.
    """
    errors = {
        **monorepo.broken,
        **{f"environments/{name}": error for name, error in failed.items()},
    }
    components: dict[str, CatalogueComponent] = {}
    for name, component in monorepo.components.items():
        try:
            signature = read_signature(component.path / "component.py", name)
        except EggcrateError as error:
            errors[f"components/{name}"] = error
            continue
        fits = {
            one.environment.name: compatibility(component, one.packages, one.recipe.target)
            for one in resolved
        }
        components[name] = CatalogueComponent(component=component, signature=signature, fits=fits)
    pipelines: dict[str, CataloguePipeline] = {}
    for name in pipeline_names(monorepo.root):
        try:
            pipelines[name] = _pipeline(monorepo, name)
        except EggcrateError as error:
            errors[f"pipelines/{name}"] = error
    return Catalogue(
        environments={
            one.environment.name: CatalogueEnvironment(
                resolved=one, contents=contents_of(one), size=sizes.get(one.environment.name)
            )
            for one in resolved
        },
        components=components,
        pipelines=pipelines,
        errors=errors,
    )


def _pipeline(monorepo: Monorepo, name: str) -> CataloguePipeline:
    path = monorepo.root / "pipelines" / name / "pipeline.py"
    return CataloguePipeline(
        name=name,
        signature=read_signature(path, name),
        steps=read_steps(path),
        projects=read_config(monorepo.root, name).projects,
    )


def near_duplicates(catalogue: Catalogue) -> tuple[Alike, ...]:
    """Pairs of environments of which one may be enough, the most alike first.

    One that could stand in for another, by the rule that an impact tells of new environments; or
    nine tenths of all pins the same.
    """
    found = []
    places = {name: place_of(one.resolved, {}) for name, one in catalogue.environments.items()}
    for one in catalogue.environments.values():
        for other in catalogue.environments.values():
            if one.name == other.name:
                continue
            mine, theirs = one.contents.packages, other.contents.packages
            same = sum(theirs.get(name) == version for name, version in mine.items())
            count = len({*mine, *theirs})
            replaces = stands_in(places[other.name], places[one.name])
            back = stands_in(places[one.name], places[other.name])
            close = count >= _FEW and same >= _ALIKE * count
            # A pair that is alike both ways, or neither way for sure, is told once.
            first = one.name < other.name
            if (replaces and (not back or first)) or (
                close and not replaces and not back and first
            ):
                found.append(
                    Alike(one=one.name, other=other.name, same=same, count=count, replaces=replaces)
                )
    return tuple(sorted(found, key=lambda pair: (-pair.same / max(pair.count, 1), pair.one)))
