"""Choosing the Debian packages of a base, and writing down exactly which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.errors import BaseError, LockError
from eggcrate.packages.debian.archive import SignedArchives
from eggcrate.packages.debian.lockfile import base_lock, read_base_lock
from eggcrate.packages.debian.mirror import configured_mirrors
from eggcrate.packages.debian.resolve import resolve
from eggcrate.packages.debian.values import BaseLock, LockedDeb
from eggcrate.packages.debian.versions import upstream_version
from eggcrate.packages.target import Platform

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from eggcrate.packages.debian.mirror import Mirrors
    from eggcrate.progress import Progress
    from eggcrate.repo.values import Base


def lock_bases(
    names: Iterable[str],
    *,
    bases: Mapping[str, Base],
    cache: Path,
    progress: Progress,
    upgrade: bool = True,
    mirrors: Mirrors | None = None,
    keys: bytes | None = None,
) -> dict[str, BaseLock]:
    """Lock these bases and those they extend, each after the one it extends; write nothing.

    Bases that are registry images need no lock and are left out.

    Args:
        names: what to lock.
        bases: all bases by name.
        cache: the user's cache.
        progress: told what is read.
        upgrade: take the newest packages; else keep what is locked where the archive has it.
        mirrors: where to read; by default those configured on this machine.
        keys: an OpenPGP keyring to trust in place of Debian's own keys.

    Raises:
        BaseError: a package is not there, or no mirror has a trustworthy index.
        ConfigError: there is no mirror.
    """
    locks: dict[str, BaseLock] = {}
    archives = _archives(bases, cache=cache, progress=progress, mirrors=mirrors, keys=keys)
    wanted = (link for name in names for link in reversed(_lineage(name, bases)))
    for base in dict.fromkeys(link.name for link in wanted if not link.image):
        locks[base] = _lock(bases[base], bases, locks, archives, upgrade=upgrade)
    return locks


def lock_system_packages(
    packages: Collection[str],
    *,
    name: str,
    base: Base,
    bases: Mapping[str, Base],
    platforms: Collection[str],
    cache: Path,
    progress: Progress,
    current: BaseLock | None = None,
    mirrors: Mirrors | None = None,
    keys: bytes | None = None,
) -> BaseLock:
    """Choose the Debian packages that an environment adds to its base; write nothing.

    Args:
        packages: the environment's ``system-packages``.
        name: the environment's.
        base: its base, locked already.
        bases: all bases by name.
        platforms: the environment's.
        cache: the user's cache.
        progress: told what is read.
        current: the lock there is; what it pins is kept where the archive still has it.
        mirrors: as for :func:`lock_bases`.
        keys: as for :func:`lock_bases`.

    Raises:
        BaseError: a package is not there, or the base has none to add to.
        LockError: the base is not locked.
        ConfigError: there is no mirror.
    """
    if base.image:
        raise BaseError(
            f"{name} asks for system packages on {base.name}, which is a registry image",
            hint="use a base of Debian packages, or put them into the registry image",
        )
    if missing := sorted(set(platforms) - set(base.platforms)):
        raise BaseError(
            f"{name} is for {', '.join(missing)}, which its base {base.name} is not made for",
            hint="name the platform in base.toml, and lock the base again",
        )
    archives = _archives(bases, cache=cache, progress=progress, mirrors=mirrors, keys=keys)
    lineage = _lineage(base.name, bases)
    parents = [base_lock(link) for link in lineage]
    return _choose(
        name=name,
        roots=packages,
        exclude=(),
        platforms=platforms,
        lineage=lineage,
        parents=parents,
        archives=archives,
        keep=current,
    )


def _archives(
    bases: Mapping[str, Base],
    *,
    cache: Path,
    progress: Progress,
    mirrors: Mirrors | None,
    keys: bytes | None,
) -> SignedArchives:
    seen: dict[str, datetime] = {}
    for base in bases.values():
        if lock := _existing(base):
            for suite, date in lock.releases.items():
                seen[suite] = max(date, seen.get(suite, date))
    return SignedArchives(
        mirrors or configured_mirrors(), cache=cache, progress=progress, seen=seen, keys=keys
    )


def _existing(base: Base) -> BaseLock | None:
    try:
        return read_base_lock(base.lock_path)
    except LockError:
        return None


def _lock(
    base: Base,
    bases: Mapping[str, Base],
    locks: Mapping[str, BaseLock],
    archives: SignedArchives,
    *,
    upgrade: bool,
) -> BaseLock:
    lineage = _lineage(base.name, bases)
    parents = [locks.get(link.name) or base_lock(link) for link in lineage[1:]]
    lock = _choose(
        name=base.name,
        roots=base.packages,
        exclude=base.exclude,
        platforms=base.platforms,
        lineage=lineage,
        parents=parents,
        archives=archives,
        keep=None if upgrade else _existing(base),
    )
    if not lock.python.startswith(f"{base.python}."):
        raise BaseError(
            f"base {base.name} is for Python {base.python}, and {lock.suite} gives {lock.python}",
            hint=f"correct python or packages in {base.path / 'base.toml'}",
        )
    return lock


def _choose(
    *,
    name: str,
    roots: Collection[str],
    exclude: Collection[str],
    platforms: Collection[str],
    lineage: list[Base],
    parents: list[BaseLock],
    archives: SignedArchives,
    keep: BaseLock | None,
) -> BaseLock:
    """Choose on each platform; ``lineage`` ends with the base that names the suite."""
    suite = lineage[-1].suite
    excluded = {*exclude, *(entry for base in lineage for entry in base.exclude)}
    packages = {
        platform: resolve(
            archives(suite, Platform.parse(platform).architecture),
            roots,
            exclude=excluded,
            parent=[deb for parent in parents for deb in parent.packages[platform]],
            keep={deb.name: deb for deb in keep.packages.get(platform, ())} if keep else {},
        )
        for platform in sorted(platforms)
    }
    foundation = parents[-1].packages if parents else packages
    return BaseLock(
        base=name,
        suite=suite,
        python=_python(foundation, lineage[-1]),
        glibc=_glibc(foundation, lineage[-1]),
        extends=parents[0].base if parents else "",
        parent=parents[0].key if parents else "",
        roots=tuple(sorted(roots)),
        exclude=tuple(sorted(exclude)),
        releases=archives.dates(suite),
        packages=packages,
    )


def _lineage(name: str, bases: Mapping[str, Base]) -> list[Base]:
    """The base, the one it extends, and so on to the one that names a suite."""
    lineage = [bases[name]]
    while lineage[-1].extends:
        lineage.append(bases[lineage[-1].extends])
    return lineage


def _python(packages: Mapping[str, tuple[LockedDeb, ...]], base: Base) -> str:
    return _upstream(packages, f"python{base.python}-minimal", base).partition("~")[0]


def _glibc(packages: Mapping[str, tuple[LockedDeb, ...]], base: Base) -> tuple[int, int]:
    major, minor = _upstream(packages, "libc6", base).split(".")[:2]
    return int(major), int(minor)


def _upstream(packages: Mapping[str, tuple[LockedDeb, ...]], name: str, base: Base) -> str:
    """The one upstream version that a package has on all platforms."""
    found = {
        upstream_version(deb.version)
        for debs in packages.values()
        for deb in debs
        if deb.name == name
    }
    if len(found) != 1:
        raise BaseError(
            f"base {base.name} has {name} in {len(found)} versions, not in one",
            why=", ".join(sorted(found)),
            hint=f"see packages in {base.path / 'base.toml'}",
        )
    return found.pop()
