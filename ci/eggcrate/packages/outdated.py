"""Which pins have newer versions, and who keeps them out: read from locks and indexes alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from eggcrate.errors import EggcrateError
from eggcrate.packages.offers import offers, project_links
from eggcrate.packages.selection import allows, applies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eggcrate.packages.indexes import Indexes, Source
    from eggcrate.packages.offers import Offer
    from eggcrate.packages.poetry_lock import LockedPackage
    from eggcrate.packages.target import Target
    from eggcrate.packages.wanted import Wanted

_JOBS = 16


@dataclass(frozen=True, kw_only=True)
class Outdated:
    """A pin that has a newer version."""

    package: str
    version: str
    allowed: str
    """The newest version that every range in the environment allows; empty: the pin is it."""
    newest: str
    """The newest version there is for the environment's Python and platform."""
    direct: bool
    """Whether ``pyproject.toml`` asks for it."""
    held_by: tuple[str, ...]
    """The ranges that do not allow the newest version, such as ``pandas 2.3 needs numpy <3``."""

    @property
    def major(self) -> bool:
        """Whether the newest version is another major version."""
        return Version(self.newest).release[:1] != Version(self.version).release[:1]


@dataclass(frozen=True, kw_only=True)
class _Range:
    constraint: str
    told: str


def read_offers(
    names: Iterable[str], indexes: Indexes, sources: Sequence[Source]
) -> dict[str, Mapping[Version, Offer] | EggcrateError]:
    """What is offered of each project; a page that cannot be read stands beside the others."""

    def one(name: str) -> Mapping[Version, Offer] | EggcrateError:
        try:
            return offers(name, project_links(indexes, sources, name) or ())
        except EggcrateError as error:
            return error

    wanted = sorted(set(names))
    with ThreadPoolExecutor(_JOBS, thread_name_prefix="outdated") as pool:
        return dict(zip(wanted, pool.map(one, wanted), strict=True))


def outdated(
    packages: Sequence[LockedPackage],
    wanted: Sequence[Wanted],
    target: Target,
    offered: Mapping[str, Mapping[Version, Offer] | EggcrateError],
) -> tuple[Outdated, ...]:
    """The pins of an environment that have newer versions; direct ones first.

    Args:
        packages: what it installs on the target.
        wanted: its direct dependencies.
        target: its Python and platform.
        offered: what is offered of each package, see :func:`read_offers`.
    """
    ranges = _ranges(packages, wanted, target)
    direct = {item.name for item in wanted}
    found = []
    for package in packages:
        every = offered.get(package.name, {})
        if package.source is not None or isinstance(every, EggcrateError):
            continue
        newer = _newer(package, every, target)
        if newer:
            asked = ranges.get(package.name, ())
            fitting = [
                version
                for version in newer
                if all(allows(one.constraint, str(version)) for one in asked)
            ]
            found.append(
                Outdated(
                    package=package.name,
                    version=package.version,
                    allowed=str(fitting[-1]) if fitting else "",
                    newest=str(newer[-1]),
                    direct=package.name in direct,
                    held_by=tuple(
                        one.told for one in asked if not allows(one.constraint, str(newer[-1]))
                    ),
                )
            )
    return tuple(sorted(found, key=lambda one: (not one.direct, one.package)))


def _newer(package: LockedPackage, every: Mapping[Version, Offer], target: Target) -> list[Version]:
    """Versions above the pin that can be installed, oldest first; previews only for a preview."""
    try:
        pin = Version(package.version)
    except InvalidVersion:
        return []
    return [
        version
        for version, offer in every.items()
        if version > pin
        and not offer.yanked
        and (pin.is_prerelease or not version.is_prerelease)
        and offer.runs_on(target.python)
        and offer.installs_on(target)
    ]


def _ranges(
    packages: Sequence[LockedPackage], wanted: Sequence[Wanted], target: Target
) -> dict[str, list[_Range]]:
    """Who asks for which versions of a package, on the target."""
    environment = target.marker_environment()
    found: dict[str, list[_Range]] = {}
    for item in wanted:
        if applies(item.marker, environment):
            one = _Range(constraint=item.constraint, told=f"pyproject.toml asks for {item.text}")
            found.setdefault(item.name, []).append(one)
    for package in packages:
        for needed in package.dependencies:
            if applies(needed.marker, environment):
                told = f"{package} needs {needed.name} {needed.constraint}"
                one = _Range(constraint=needed.constraint, told=told)
                found.setdefault(needed.name, []).append(one)
    return found
