"""From an environment's files to its recipe: everything that is decided before work begins."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from eggcrate.build.compilers import compiler_base
from eggcrate.build.context import context_key, named_bases, pinned
from eggcrate.build.recipe import Recipe, canonical
from eggcrate.errors import ConfigError, EggcrateError, LockStaleError
from eggcrate.packages.debian.lockfile import base_lock, read_base_lock
from eggcrate.packages.debian.values import lock_key
from eggcrate.packages.distribution import Distribution, Kind
from eggcrate.packages.remembered import selected
from eggcrate.packages.target import Platform, Target
from eggcrate.repo.environments import python_range

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eggcrate.packages.debian.values import BaseLock
    from eggcrate.repo.values import Base, Environment

BACKENDS = Path(__file__).parent / "backends"
"""Project and lock of the build backends that sdists are built with."""
SDIST_VERSION = 1
"""Raised whenever the same sdist and backends would give another wheel."""
BASE_VERSION = 2
"""Raised whenever the same Debian packages would give other base layers."""


@dataclass(frozen=True, kw_only=True)
class BaseLink:
    """A base with its lock: one link of the chain that ``extends`` makes."""

    base: Base
    lock: BaseLock


@dataclass(frozen=True, kw_only=True)
class ResolvedBase:
    """A base for a platform: the chain from the lowest base up, and what it gives."""

    chain: tuple[BaseLink, ...]
    target: Target
    key: str
    """Hash of what its locks say for the platform."""

    @property
    def name(self) -> str:
        """The name of the uppermost base."""
        return self.chain[-1].base.name

    @property
    def interpreter(self) -> str:
        """Absolute path of its Python inside the image."""
        return self.chain[0].base.interpreter or f"/usr/bin/python{self.target.minor}"


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """An environment for a platform, ready to be built."""

    environment: Environment
    base: ResolvedBase
    system: BaseLock | None
    """The lock of its own system packages."""
    recipe: Recipe
    stages: Mapping[str, ResolvedBase] = field(default_factory=dict)
    """Build argument and base of what else its ``Dockerfile`` builds with."""

    @property
    def packages(self) -> Mapping[str, str]:
        """Normalised name to version of everything it holds."""
        return {item.name: item.version for item in self.recipe.distributions}


def resolve(
    environment: Environment,
    bases: Mapping[str, Base],
    platform: Platform,
    *,
    cache: Path | None = None,
    known: dict[str, ResolvedBase] | None = None,
) -> Resolved:
    """Read an environment's locks and decide what its image is made from.

    Args:
        environment: what to read.
        bases: by name.
        platform: what to build for.
        cache: the user's, to remember what locks give; without it they are read every time.
        known: bases resolved already, for those who resolve many environments; added to.

    Raises:
        ConfigError: unknown base, or a ``requires-python`` that the base does not meet.
        LockError: a lock is missing, stale or cannot be read.
        UnsupportedPackageError: a locked package cannot be installed on the target.
    """
    base = _known_base(pick_base(environment, bases), bases, platform, known)
    check_python(environment, base)
    distributions = selected(
        environment.path,
        base.target,
        groups=environment.groups,
        extras=environment.extras,
        cache=cache,
    )
    system = _system(environment, base)
    stages = _stages(environment, bases, platform)
    recipe = Recipe(
        environment=environment.name,
        target=base.target,
        base=base.name,
        base_key=base.key,
        interpreter=base.interpreter,
        distributions=distributions,
        compile=environment.compile,
        allow_overlap=environment.allow_overlap,
        system_key=lock_key(system.packages.get(str(platform), ())) if system else "",
        sdist_key=_sdist_key(distributions, base, bases),
        dockerfile_key=context_key(
            environment, {name: one.key for name, one in stages.items()}, base.target
        )
        if environment.dockerfile
        else "",
        base_digest=base.chain[0].base.image.rpartition("@")[2],
        description=environment.description,
        owner=environment.owner,
        supported_until=str(environment.supported_until or ""),
        user=environment.user,
    )
    return Resolved(environment=environment, base=base, system=system, recipe=recipe, stages=stages)


def _known_base(
    base: Base, bases: Mapping[str, Base], platform: Platform, known: dict[str, ResolvedBase] | None
) -> ResolvedBase:
    if known is None:
        return resolve_base(base, bases, platform)
    name = f"{base.name} {platform}"
    if name not in known:
        known[name] = resolve_base(base, bases, platform)
    return known[name]


def _stages(
    environment: Environment, bases: Mapping[str, Base], platform: Platform
) -> dict[str, ResolvedBase]:
    if not environment.dockerfile:
        return {}
    named = named_bases(environment.dockerfile, bases)
    return {argument: resolve_base(base, bases, platform) for argument, base in named.items()}


def _sdist_key(
    distributions: Sequence[Distribution], base: ResolvedBase, bases: Mapping[str, Base]
) -> str:
    """What sdists are built with, which no lock of the environment names.

    Backends are pure Python, so that they are the same on every machine.
    """
    if all(item.kind is Kind.WHEEL for item in distributions):
        return ""
    pins = [item.sha256 for item in pinned(BACKENDS, base.target)]
    compilers = compiler_base([link.base for link in base.chain], bases)
    more = [resolve_base(compilers, bases, base.target.platform).key] if compilers else []
    return hashlib.sha256(canonical([SDIST_VERSION, pins, *more])).hexdigest()


def pick_base(environment: Environment, bases: Mapping[str, Base]) -> Base:
    """The base an environment names, or the newest that fits its ``requires-python``.

    Raises:
        ConfigError: there is no such base, or its Python is not one the environment allows.
    """
    where = environment.pyproject_path
    allowed = python_range(environment.requires_python)
    if environment.base:
        base = bases.get(environment.base)
        if base is None:
            folder = where.parents[2] / "bases" / environment.base
            raise ConfigError(
                f"{where}: there is no base {environment.base!r}",
                why=f"{folder / 'base.toml'} cannot be read" if folder.is_dir() else "",
                hint=f"bases are: {', '.join(sorted(bases)) or 'none'}",
            )
        return base
    fitting = [
        base
        for base in bases.values()
        if not base.extends and allowed.contains(_python(base, bases), prereleases=True)
    ]
    if not fitting:
        have = ", ".join(f"{base.name} has {_python(base, bases)}" for base in bases.values())
        raise ConfigError(
            f"{where}: no base has Python {environment.requires_python}",
            why=have,
            hint="change requires-python, or add a base",
        )
    return max(fitting, key=lambda base: (Version(base.python), base.name))


def _python(base: Base, bases: Mapping[str, Base]) -> str:
    return base_lock(chain(base, bases)[0]).python


def chain(base: Base, bases: Mapping[str, Base]) -> tuple[Base, ...]:
    """A base with all that it extends, lowest first."""
    found = [base]
    while found[0].extends:
        found.insert(0, bases[found[0].extends])
    return tuple(found)


def resolve_base(base: Base, bases: Mapping[str, Base], platform: Platform) -> ResolvedBase:
    """Read the locks of a base for a platform.

    Raises:
        ConfigError: the base is not made for the platform.
        LockError: a lock is missing, stale or cannot be read.
    """
    links: list[BaseLink] = []
    for one in chain(base, bases):
        parent = links[-1].lock if links else None
        links.append(BaseLink(base=one, lock=base_lock(one, parent=parent)))
    if str(platform) not in base.platforms:
        raise ConfigError(
            f"base {base.name} is not locked for {platform}",
            why=f"its platforms are {', '.join(base.platforms)}",
            hint=f"add it to platforms in {links[0].base.path / 'base.toml'}, "
            "then run: eggcrate lock --bases",
        )
    lowest = links[0].lock
    return ResolvedBase(
        chain=tuple(links),
        target=Target(python=lowest.python, platform=platform, glibc=lowest.glibc),
        key=base_key(links, platform),
    )


def base_key(links: Sequence[BaseLink], platform: Platform) -> str:
    """Identity of a base on a platform."""
    parts = [
        link.base.image or lock_key(link.lock.packages.get(str(platform), ())) for link in links
    ]
    return hashlib.sha256(canonical([BASE_VERSION, str(platform), parts])).hexdigest()


def _system(environment: Environment, base: ResolvedBase) -> BaseLock | None:
    if not environment.system_packages:
        return None
    path = environment.path / "base.lock"
    relock = f"run: eggcrate lock {environment.name}"
    if base.chain[0].base.image:
        raise ConfigError(
            f"{environment.pyproject_path}: system-packages need a base of Debian packages",
            why=f"base {base.name} is a registry image",
            hint="choose another base, or give the environment a Dockerfile",
        )
    lock = read_base_lock(path)
    if lock.roots != tuple(sorted(environment.system_packages)):
        raise LockStaleError(f"{path} does not hold the system-packages asked for", hint=relock)
    if lock.parent != base.chain[-1].lock.key:
        raise LockStaleError(f"{path} was made for an older {base.name}", hint=relock)
    return lock


def check_python(environment: Environment, base: ResolvedBase) -> None:
    """Refuse a base whose Python the environment does not allow.

    Raises:
        ConfigError: it is outside ``requires-python``.
    """
    if not python_range(environment.requires_python).contains(base.target.python, prereleases=True):
        raise ConfigError(
            f"{environment.pyproject_path}: requires-python is {environment.requires_python}, "
            f"base {base.name} has Python {base.target.python}",
            hint="name another base, or change requires-python and lock again",
        )


def resolve_all(
    environments: Mapping[str, Environment],
    bases: Mapping[str, Base],
    platforms: Sequence[Platform] | None = None,
    *,
    cache: Path | None = None,
) -> tuple[list[Resolved], dict[str, EggcrateError]]:
    """Resolve several environments; what fails is kept beside what does not.

    Args:
        environments: by name.
        bases: by name.
        platforms: instead of each environment's own.
        cache: the user's, see :func:`resolve`.
    """
    resolved: list[Resolved] = []
    failed: dict[str, EggcrateError] = {}
    known: dict[str, ResolvedBase] = {}
    for name, environment in environments.items():
        try:
            wanted = platforms or [Platform.parse(text) for text in environment.platforms]
            resolved += [
                resolve(environment, bases, platform, cache=cache, known=known)
                for platform in wanted
            ]
        except EggcrateError as error:
            failed[name] = error
    return resolved, failed
