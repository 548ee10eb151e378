"""The plan: for every environment a verdict, its reasons, and what follows from it.

The registry is the truth: an environment needs building if, and only if, its registry does not
hold the tag that its recipe names. What is published already only explains.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from eggcrate.build import image
from eggcrate.build.values import Verdict
from eggcrate.errors import LockError, UnsupportedPackageError
from eggcrate.packages.changes import Change, compare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eggcrate.build.recipe import Recipe
    from eggcrate.build.resolve import Resolved
    from eggcrate.errors import EggcrateError

STABLE = "stable"
"""The tag that moves only when somebody asks."""


class Reason(enum.Enum):
    """Why."""

    NEW = "new"
    LOCK_CHANGED = "lock-changed"
    BASE_MOVED = "base-moved"
    RECIPE_CHANGED = "recipe-changed"
    MISSING = "missing-in-registry"
    FORCED = "forced"
    LOCK_STALE = "lock-stale"
    UNSUPPORTED = "unsupported-package"
    INVALID = "invalid"
    """Its ``pyproject.toml`` asks for what cannot be."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """An image that a registry holds, as far as it says what is in it."""

    tag: str
    digest: str
    key: str
    platform: str
    base: str
    """Name of its base."""
    base_key: str
    packages: Mapping[str, str]


class Registry(Protocol):
    """What planning asks of a registry; the local store answers as well."""

    def holds(self, images: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """Which of these images (environment and tag) are there whole, with their digests."""

    def published(self, environment: str) -> Sequence[Published]:
        """Images of an environment to compare with: the stable one first, where there is one."""

    def environments(self) -> frozenset[str]:
        """Names of all environments that it holds images of, as far as it can tell."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """An environment on a platform with its verdict."""

    environment: str
    platform: str
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    key: str = ""
    image: str = ""
    """Digest, when it is published."""
    base: str = ""
    against: str = ""
    """Tag of the published image that ``changes`` compare with."""
    base_before: str = ""
    changes: tuple[Change, ...] = ()
    error: EggcrateError | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done about everything."""

    environments: tuple[Planned, ...]
    retired: tuple[str, ...] = ()
    """Environments with published images and no folder any more. Nothing deletes them."""
    resolved: tuple[Resolved, ...] = field(default=(), repr=False)
    to_build: tuple[Resolved, ...] = field(default=(), repr=False)
    published: tuple[tuple[str, str], ...] = ()
    """Environment and tag of the images that are up to date."""

    @property
    def blocked(self) -> bool:
        """Whether an environment's files must change first."""
        return any(item.verdict is Verdict.BLOCKED for item in self.environments)


def make_plan(
    resolved: Sequence[Resolved],
    failed: Mapping[str, EggcrateError],
    registry: Registry,
    *,
    known: frozenset[str],
    deleted: frozenset[str] = frozenset(),
    force: bool = False,
) -> Plan:
    """Decide what is to be built.

    Args:
        resolved: environments whose recipes are known.
        failed: environments that cannot be resolved, each with its error.
        registry: what is published.
        known: names of all environments in the working tree, planned or not.
        deleted: names that git remembers, for registries that cannot list what they hold.
        force: build even what is up to date.
    """
    held = registry.holds([(item.environment.name, item.recipe.tag) for item in resolved])
    planned = [_blocked(name, error) for name, error in failed.items()]
    to_build = []
    for item in resolved:
        digest = held.get((item.environment.name, item.recipe.tag), "")
        if digest and not force:
            planned.append(_planned(item.recipe, Verdict.UP_TO_DATE, image=digest))
            continue
        to_build.append(item)
        planned.append(_explained(item.recipe, registry, forced=bool(digest)))
    retired = (registry.environments() | deleted) - known
    return Plan(
        environments=tuple(sorted(planned, key=lambda one: (one.environment, one.platform))),
        retired=tuple(sorted(name for name in retired if registry.published(name))),
        resolved=tuple(resolved),
        to_build=tuple(to_build),
        published=tuple(held),
    )


def _blocked(name: str, error: EggcrateError) -> Planned:
    if isinstance(error, LockError):
        reason = Reason.LOCK_STALE
    elif isinstance(error, UnsupportedPackageError):
        reason = Reason.UNSUPPORTED
    else:
        reason = Reason.INVALID
    return Planned(
        environment=name, platform="", verdict=Verdict.BLOCKED, reasons=(reason,), error=error
    )


def _planned(recipe: Recipe, verdict: Verdict, *, image: str = "") -> Planned:
    return Planned(
        environment=recipe.environment,
        platform=str(recipe.target.platform),
        verdict=verdict,
        key=recipe.key,
        image=image,
        base=recipe.base,
    )


def _explained(recipe: Recipe, registry: Registry, *, forced: bool) -> Planned:
    told = _planned(recipe, Verdict.BUILD)
    if forced:
        return replace(told, reasons=(Reason.FORCED,))
    packages = {item.name: item.version for item in recipe.distributions}
    candidates = [
        one
        for one in registry.published(recipe.environment)
        if one.platform == str(recipe.target.platform)
    ]
    if not candidates:
        return replace(told, reasons=(Reason.NEW,))
    nearest = _nearest(candidates, packages)
    changes = compare(nearest.packages, packages)
    reasons = []
    if changes:
        reasons.append(Reason.LOCK_CHANGED)
    if nearest.base_key != recipe.base_key:
        reasons.append(Reason.BASE_MOVED)
    if nearest.key == recipe.key:
        reasons.append(Reason.MISSING)
    return replace(
        told,
        reasons=tuple(reasons) or (Reason.RECIPE_CHANGED,),
        against=nearest.tag,
        base_before=nearest.base,
        changes=changes,
    )


def _nearest(candidates: Sequence[Published], packages: Mapping[str, str]) -> Published:
    """The stable image; without one, that whose packages differ least."""
    for candidate in candidates:
        if candidate.tag == STABLE:
            return candidate
    return min(candidates, key=lambda one: (len(compare(one.packages, packages)), one.tag))


def read_published(tag: str, digest: str, annotations: Mapping[str, str]) -> Published | None:
    """What an image's annotations say; ``None`` when Eggcrate did not make it."""
    try:
        packages = json.loads(annotations[image.PACKAGES])
        return Published(
            tag=tag,
            digest=digest,
            key=annotations[image.KEY],
            platform=annotations.get(image.PLATFORM, ""),
            base=annotations.get("org.opencontainers.image.base.name", ""),
            base_key=annotations.get(image.BASE_KEY, ""),
            packages={str(name): str(version) for name, version in packages.items()},
        )
    except (KeyError, ValueError, AttributeError):
        return None
