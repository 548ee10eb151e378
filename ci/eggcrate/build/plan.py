"""The plan: for every environment a verdict, its reasons, and what follows from it.

The registry is the truth: an environment needs building if, and only if, its registry does not
hold the tag that its recipe names. What is published already only explains.
"""

from __future__ import annotations

from eggcrate.parsing import json_of
import enum
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from eggcrate.build import image
from eggcrate.build.values import Verdict
from eggcrate.errors import LockError, UnsupportedPackageError
from eggcrate.packages.changes import Change, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from eggcrate.build.keys import Keyed
    from eggcrate.build.resolve import Resolved
    from eggcrate.errors import EggcrateError

STABLE = "stable"
"""The tag that moves only when somebody asks."""
_SETTINGS = {
    "description": "org.opencontainers.image.description",
    "owner": image.OWNER,
    "supported-until": image.SUPPORTED_UNTIL,
    "user": image.USER,
}
_AT_ONCE = 8
"""Of how many environments it is asked at once what is published."""


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
    settings: Mapping[str, str] = field(default_factory=dict)
    """What it says of itself as its environment's settings asked for."""


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
    settings: tuple[Change, ...] = ()
    """Settings that an image tells and that are others now."""
    error: EggcrateError | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done about everything."""

    environments: tuple[Planned, ...]
    retired: tuple[str, ...] = ()
    """Environments with published images and no folder any more. Nothing deletes them."""
    keyed: tuple[Keyed, ...] = field(default=(), repr=False)
    changed: tuple[Keyed, ...] = field(default=(), repr=False)
    """Those of ``keyed`` that are to be built."""
    published: tuple[tuple[str, str], ...] = ()
    """Environment and tag of the images that are up to date."""

    @property
    def resolved(self) -> tuple[Resolved, ...]:
        """Everything that can be built."""
        return tuple(item.resolved for item in self.keyed)

    @property
    def to_build(self) -> tuple[Resolved, ...]:
        """What is to be built."""
        return tuple(item.resolved for item in self.changed)

    @property
    def blocked(self) -> bool:
        """Whether an environment's files must change first."""
        return any(item.verdict is Verdict.BLOCKED for item in self.environments)


def make_plan(
    keyed: Sequence[Keyed],
    failed: Mapping[str, EggcrateError],
    registry: Registry,
    *,
    known: frozenset[str],
    deleted: Callable[[], frozenset[str]] = frozenset,
    force: bool = False,
) -> Plan:
    """Decide what is to be built.

    Args:
        keyed: environments whose recipes' keys are known.
        failed: environments that cannot be resolved, each with its error.
        registry: what is published.
        known: names of all environments in the working tree, planned or not.
        deleted: tells the names that git remembers; asked when the registry lists none.
        force: build even what is up to date.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="listed") as aside:
        listed = aside.submit(registry.environments)
        held = registry.holds([(item.environment, item.tag) for item in keyed])
    changed = [item for item in keyed if force or (item.environment, item.tag) not in held]
    retired = (listed.result() or deleted()) - known
    asked = {item.environment for item in changed if (item.environment, item.tag) not in held}
    there = _published(registry, sorted(asked | retired))
    planned = [_blocked(name, error) for name, error in failed.items()]
    for item in keyed:
        digest = held.get((item.environment, item.tag), "")
        if not digest:
            planned.append(_explained(item, there[item.environment]))
        elif force:
            planned.append(replace(_planned(item, Verdict.BUILD), reasons=(Reason.FORCED,)))
        else:
            planned.append(_planned(item, Verdict.UP_TO_DATE, image=digest))
    return Plan(
        environments=tuple(sorted(planned, key=lambda one: (one.environment, one.platform))),
        retired=tuple(sorted(name for name in retired if there[name])),
        keyed=tuple(keyed),
        changed=tuple(changed),
        published=tuple(held),
    )


def _published(registry: Registry, names: Sequence[str]) -> dict[str, Sequence[Published]]:
    if not names:
        return {}
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="published") as pool:
        return dict(zip(names, pool.map(registry.published, names), strict=True))


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


def _planned(item: Keyed, verdict: Verdict, *, image: str = "") -> Planned:
    return Planned(
        environment=item.environment,
        platform=item.platform,
        verdict=verdict,
        key=item.key,
        image=image,
        base=item.base,
    )


def _explained(item: Keyed, there: Sequence[Published]) -> Planned:
    told = _planned(item, Verdict.BUILD)
    candidates = [one for one in there if one.platform == item.platform]
    if not candidates:
        return replace(told, reasons=(Reason.NEW,))
    recipe = item.resolved.recipe
    packages = {one.name: one.version for one in recipe.distributions}
    closest = nearest(candidates, packages)
    changes = compare(closest.packages, packages)
    reasons = []
    if changes:
        reasons.append(Reason.LOCK_CHANGED)
    if closest.base_key != recipe.base_key:
        reasons.append(Reason.BASE_MOVED)
    if closest.key == item.key:
        reasons.append(Reason.MISSING)
    return replace(
        told,
        reasons=tuple(reasons) or (Reason.RECIPE_CHANGED,),
        against=closest.tag,
        base_before=closest.base,
        changes=changes,
        settings=compare(closest.settings, _settings(image.about(recipe))),
    )


def _settings(annotations: Mapping[str, str]) -> dict[str, str]:
    told = {name: annotations.get(key, "") for name, key in _SETTINGS.items()}
    return {name: value for name, value in told.items() if value}


def nearest(candidates: Sequence[Published], packages: Mapping[str, str]) -> Published:
    """The stable image; without one, that whose packages differ least."""
    for candidate in candidates:
        if candidate.tag == STABLE:
            return candidate
    return min(candidates, key=lambda one: (len(compare(one.packages, packages)), one.tag))


def read_published(tag: str, digest: str, annotations: Mapping[str, str]) -> Published | None:
    """What an image's annotations say; ``None`` when Eggcrate did not make it."""
    try:
        packages = json_of(annotations[image.PACKAGES])
        return Published(
            tag=tag,
            digest=digest,
            key=annotations[image.KEY],
            platform=annotations.get(image.PLATFORM, ""),
            base=annotations.get("org.opencontainers.image.base.name", ""),
            base_key=annotations.get(image.BASE_KEY, ""),
            packages={str(name): str(version) for name, version in packages.items()},
            settings=_settings(annotations),
        )
    except (KeyError, ValueError, AttributeError):
        return None
