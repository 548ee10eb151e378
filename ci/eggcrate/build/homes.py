"""Which environments can take a package: each really resolved, none touched."""

from __future__ import annotations

import enum
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from eggcrate.build.proposal import costs_of, known_names, place_of, propose
from eggcrate.errors import ConflictError, EggcrateError
from eggcrate.packages.advice import check, check_name
from eggcrate.packages.conflicts import shortened
from eggcrate.packages.relock import locked_folder, locked_versions
from eggcrate.packages.selection import allows
from eggcrate.progress import Silent
from eggcrate.repo.dependencies import read_requirement, with_requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from packaging.requirements import Requirement

    from eggcrate.build.proposal import Costs
    from eggcrate.packages.advice import Names
    from eggcrate.packages.changes import Change
    from eggcrate.packages.pip_config import PipConfig
    from eggcrate.packages.relock import Locker
    from eggcrate.progress import Progress
    from eggcrate.repo.monorepo import Monorepo
    from eggcrate.repo.values import Environment


class Fit(enum.Enum):
    """Whether an environment can take packages, best first."""

    HOLDS = "holds"
    """It has them already."""
    FITS = "fits"
    """It can, and no pin moves."""
    MOVES = "moves"
    """It can, when pins of other packages may move."""
    CANNOT = "cannot"


@dataclass(frozen=True, kw_only=True)
class Home:
    """An environment as a home of packages."""

    environment: str
    fit: Fit
    versions: Mapping[str, str]
    """Of what was asked for, as it would be locked."""
    costs: Costs | None = None
    """Nothing for one that holds them or cannot take them."""
    moved: tuple[Change, ...] = ()
    reason: str = ""
    """Why it cannot, in one line."""

    @property
    def dominated(self) -> bool:
        """Whether it would carry more for these packages than all that it carries now."""
        costs = self.costs
        return costs is not None and costs.unpacked > costs.before.unpacked


@dataclass(frozen=True, kw_only=True)
class Homes:
    """All environments, best first."""

    packages: tuple[str, ...]
    homes: tuple[Home, ...]

    @property
    def new_environment(self) -> str:
        """Why an environment of its own is the better home; empty when it is not."""
        able = [home for home in self.homes if home.fit in {Fit.HOLDS, Fit.FITS}]
        if not able:
            return "no environment can take it without moving a pin"
        if able[0].dominated:
            return "every environment that can take it would more than double for it"
        return ""


def find_homes(
    packages: Sequence[str],
    *,
    monorepo: Monorepo,
    locker: Locker,
    pip: Callable[[], PipConfig] | None = None,
    progress: Progress | None = None,
    jobs: int = 0,
) -> Homes:
    """Resolve every environment with packages added, several at once.

    Args:
        packages: requirements as a person types them.
        monorepo: the environments.
        locker: of this run.
        pip: gives pip's configuration, when an index must be asked how large a package is.
        progress: where to report to.
        jobs: how many at once; as many as there are processors by default, four at most.

    Raises:
        UsageError: what was typed is no requirement.
        PackageError: it is a module, does not exist, or has no such version.
    """
    asked = [read_requirement(text) for text in packages]
    report = progress or Silent()
    names = known_names(monorepo, cache=locker.cache)
    failures: dict[str, EggcrateError] = {
        path.removeprefix("environments/"): error
        for path, error in monorepo.broken.items()
        if path.startswith("environments/")
    }

    def one(environment: Environment) -> Home:
        report.status(f"resolving {environment.name} …")
        try:
            return _home(
                environment, packages, asked, monorepo=monorepo, names=names, locker=locker, pip=pip
            )
        except EggcrateError as error:
            failures[environment.name] = error
            return _cannot(environment.name, error, asked)

    environments = list(monorepo.environments.values())
    for each in asked if environments else ():  # what no environment can take is told once
        place = place_of(environments[0], monorepo)
        check_name(each, place=place, names=names, offers=locker.index.offers)
    with ThreadPoolExecutor(max_workers=jobs or min(4, os.cpu_count() or 1)) as pool:
        homes = list(pool.map(one, environments))
    homes += [
        _cannot(name, error, asked)
        for name, error in failures.items()
        if name not in monorepo.environments
    ]
    return Homes(packages=tuple(packages), homes=tuple(sorted(homes, key=_best_first)))


def _home(
    environment: Environment,
    packages: Sequence[str],
    asked: Sequence[Requirement],
    *,
    monorepo: Monorepo,
    names: Names,
    locker: Locker,
    pip: Callable[[], PipConfig] | None,
) -> Home:
    wanted: list[str] = [canonicalize_name(one.name) for one in asked]
    locked = _locked(environment)
    if all(
        name in locked and not one.extras and not one.url and allows(str(one.specifier), version)
        for name, one in zip(wanted, asked, strict=True)
        for version in (locked.get(name, ""),)
    ):
        versions = {name: locked[name] for name in wanted}
        return Home(environment=environment.name, fit=Fit.HOLDS, versions=versions)
    place = place_of(environment, monorepo)
    for one in asked:
        check(one, place=place, names=names, offers=locker.index.offers)
    text = environment.pyproject_path.read_bytes().decode()
    for typed in packages:
        text = with_requirement(text, typed.strip(), path=environment.pyproject_path)
    with locked_folder(environment.path, locker):
        proposal = propose(environment, text, target=place.target, locker=locker)
    moved = proposal.moved(wanted)
    versions = locked_versions(proposal.lock)
    return Home(
        environment=environment.name,
        fit=Fit.MOVES if moved else Fit.FITS,
        versions={name: versions.get(name, "") for name in wanted},
        costs=costs_of(proposal, cache=locker.cache, config=pip),
        moved=moved,
    )


def _locked(environment: Environment) -> Mapping[str, str]:
    try:
        return locked_versions(environment.lock_path.read_bytes())
    except (OSError, ValueError, KeyError):
        return {}


def _cannot(name: str, error: EggcrateError, asked: Sequence[Requirement]) -> Home:
    return Home(environment=name, fit=Fit.CANNOT, versions={}, reason=_in_one_line(error, asked))


def _in_one_line(error: EggcrateError, asked: Sequence[Requirement]) -> str:
    """The first sentence of a resolver's explanation, or what happened and why."""
    if isinstance(error, ConflictError):
        return shortened(error.why, [one.name for one in asked]).splitlines()[0]
    return "; ".join(filter(None, (error.what, error.why))).replace("\n", " ")


def _best_first(home: Home) -> tuple[int, int, str]:
    size = home.costs.unpacked if home.costs else 0
    return list(Fit).index(home.fit), size, home.environment
