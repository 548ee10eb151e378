"""Every environment's pins beside what indexes offer; each page is read once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.build.proposal import target_of
from eggcrate.errors import EggcrateError
from eggcrate.packages.indexes import shared_sources
from eggcrate.packages.outdated import Outdated, outdated, read_offers
from eggcrate.packages.poetry_lock import read_lock
from eggcrate.packages.selection import select
from eggcrate.packages.wanted import read_wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.packages.indexes import Indexes
    from eggcrate.packages.poetry_lock import LockedPackage
    from eggcrate.packages.target import Target
    from eggcrate.packages.wanted import Wanted
    from eggcrate.repo.monorepo import Monorepo
    from eggcrate.repo.values import Environment


@dataclass(frozen=True, kw_only=True)
class Age:
    """An environment's pins that have newer versions."""

    environment: str
    pins: int
    """How many there are in all."""
    outdated: tuple[Outdated, ...]


def ages(
    names: Sequence[str], *, monorepo: Monorepo, indexes: Indexes
) -> tuple[list[Age], dict[str, EggcrateError]]:
    """Compare environments with what is offered.

    Args:
        names: of the environments.
        monorepo: that holds them.
        indexes: pip's.

    Returns:
        What could be compared, and why the others could not, a page that cannot be read among
        them.
    """
    read: dict[str, tuple[Target, tuple[LockedPackage, ...], tuple[Wanted, ...]]] = {}
    failed: dict[str, EggcrateError] = {}
    for name in names:
        try:
            if (broken := monorepo.broken.get(f"environments/{name}")) is not None:
                raise broken
            read[name] = _read(monorepo.environments[name], monorepo)
        except EggcrateError as error:
            failed[name] = error
    projects = {item.name for _, packages, _ in read.values() for item in packages}
    offered = read_offers(projects, indexes, shared_sources(indexes, include_local=False))
    found = []
    for name, (target, packages, wanted) in read.items():
        unread = [offered[item.name] for item in packages]
        if errors := [one for one in unread if isinstance(one, EggcrateError)]:
            failed[name] = errors[0]
            continue
        pins = outdated(packages, wanted, target, offered)
        found.append(Age(environment=name, pins=len(packages), outdated=pins))
    return found, failed


def _read(
    environment: Environment, monorepo: Monorepo
) -> tuple[Target, tuple[LockedPackage, ...], tuple[Wanted, ...]]:
    target = target_of(environment, monorepo)
    wanted = read_wanted(
        environment.pyproject_path, groups=environment.groups, extras=environment.extras
    )
    lock = read_lock(environment.lock_path)
    return target, select(lock, wanted, target, groups=environment.groups), wanted
