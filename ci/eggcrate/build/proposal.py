"""An environment as it would be with another ``pyproject.toml``: resolved, and nothing written."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.build.resolve import check_python, pick_base, resolve_base
from eggcrate.errors import EggcrateError, LockError, LockMissingError
from eggcrate.files import atomic_write_all
from eggcrate.packages.advice import Names, Place, names_of
from eggcrate.packages.changes import Change, compare
from eggcrate.packages.modules import provided_modules
from eggcrate.packages.relock import for_pyproject, read_pins, resolve_project
from eggcrate.packages.remembered import selected
from eggcrate.packages.sizes import NOTHING, Size, sizes
from eggcrate.packages.target import Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.pip_config import PipConfig
    from eggcrate.packages.relock import Locker
    from eggcrate.packages.target import Target
    from eggcrate.repo.monorepo import Monorepo
    from eggcrate.repo.values import Environment


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Both files of an environment as they would be, and what that changes."""

    environment: Environment
    target: Target
    origin: bytes
    """``pyproject.toml`` as it was when it was resolved."""
    pyproject: str
    lock: bytes
    changes: tuple[Change, ...]
    """Of the lock, for all targets."""
    before: tuple[Distribution, ...] | None
    """What is installed on the target; nothing when there is no lock that can be used."""
    after: tuple[Distribution, ...]

    def moved(self, asked: Iterable[str]) -> tuple[Change, ...]:
        """Pins that change though nobody asked for another version of these packages."""
        names = set(asked)
        return tuple(
            change
            for change in self.changes
            if change.before and change.after and change.package not in names
        )


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A package that the lock gains, changes or loses, with what it takes."""

    change: Change
    before: Size | None
    """``None``: it is not installed on the target, or its size is not known."""
    after: Size | None
    installed: bool
    """Whether it is installed on the target, before or after."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """All that changes, largest first, and what it comes to."""

    packages: tuple[Cost, ...]
    before: Size
    """All of the environment, as far as it is known."""
    after: Size
    unknown: tuple[str, ...]
    """Packages whose size could not be learned: the totals lack them."""

    @property
    def download(self) -> int:
        """Bytes more to download."""
        return self.after.download - self.before.download

    @property
    def unpacked(self) -> int:
        """Bytes more on disk."""
        return self.after.unpacked - self.before.unpacked


def target_of(environment: Environment, monorepo: Monorepo) -> Target:
    """The exact Python and the platform (the first one) of an environment."""
    base = pick_base(environment, monorepo.bases)
    resolved = resolve_base(base, monorepo.bases, Platform.parse(environment.platforms[0]))
    check_python(environment, resolved)
    return resolved.target


def held(
    environment: Environment, target: Target, *, cache: Path | None
) -> tuple[Distribution, ...] | None:
    """What an environment installs now; nothing when its lock cannot be used."""
    try:
        return _selected(environment, environment.path, target, cache)
    except EggcrateError:
        return None


def place_of(environment: Environment, monorepo: Monorepo) -> Place:
    """An environment with its Python, and those of the others that can be read."""
    others: dict[str, Target] = {}
    for name, other in monorepo.environments.items():
        if name != environment.name:
            try:
                others[name] = target_of(other, monorepo)
            except EggcrateError:
                continue
    return Place(name=environment.name, target=target_of(environment, monorepo), others=others)


def known_names(monorepo: Monorepo, *, cache: Path) -> Names:
    """Names of packages and modules, from the locks of all environments and the user's cache."""
    found: set[Distribution] = set()
    for environment in monorepo.environments.values():
        try:
            found.update(held(environment, target_of(environment, monorepo), cache=cache) or ())
        except EggcrateError:
            continue
    given = provided_modules(found, cache=cache)
    return names_of(
        (item.name for item in found),
        {item.name: modules for item, modules in given.items() if modules},
    )


def propose(
    environment: Environment, pyproject: str, *, target: Target, locker: Locker
) -> Proposal:
    """Resolve what an environment would be, keeping every pin that can be kept.

    Args:
        environment: as it is.
        pyproject: what its ``pyproject.toml`` would be.
        target: of it, see :func:`target_of`.
        locker: of this run.

    Raises:
        LockError: nothing satisfies the requirements, or the lock cannot be read.
        UnsupportedPackageError: a package has no file for the target.
    """
    return _proposed(
        environment,
        pyproject,
        origin=environment.pyproject_path.read_bytes(),
        start=environment,
        before=held(environment, target, cache=locker.cache),
        target=target,
        locker=locker,
    )


def propose_new(
    environment: Environment,
    pyproject: str,
    *,
    source: Environment | None,
    monorepo: Monorepo,
    locker: Locker,
) -> Proposal:
    """Resolve an environment that is not there yet.

    Args:
        environment: as it would be.
        pyproject: its ``pyproject.toml``.
        source: the one whose pins it keeps where it can, and is compared with; without one
            everything is new.
        monorepo: for the bases.
        locker: of this run.

    Raises:
        LockError: nothing satisfies the requirements.
        UnsupportedPackageError: a package has no file for the target.
    """
    return _proposed(
        environment,
        pyproject,
        origin=b"",
        start=source,
        before=held(source, target_of(source, monorepo), cache=locker.cache) if source else (),
        target=target_of(environment, monorepo),
        locker=locker,
    )


def _proposed(
    environment: Environment,
    pyproject: str,
    *,
    origin: bytes,
    start: Environment | None,
    before: tuple[Distribution, ...] | None,
    target: Target,
    locker: Locker,
) -> Proposal:
    pins = read_pins(start.lock_path) if start else {}
    lock = start.lock_path.read_bytes() if start and pins else None
    found = resolve_project(environment.path, locker=locker, pyproject=pyproject, lock=lock)
    return Proposal(
        environment=environment,
        target=target,
        origin=origin,
        pyproject=pyproject,
        lock=found.lock,
        changes=compare(pins, found.versions),
        before=before,
        after=_with_files(environment, pyproject, found.lock, target),
    )


def carry_out(proposal: Proposal) -> None:
    """Write both files of a proposal, together.

    Raises:
        LockError: ``pyproject.toml`` was edited meanwhile; nothing is written.
    """
    environment = proposal.environment
    if environment.pyproject_path.read_bytes() != proposal.origin:
        raise LockError(
            f"{environment.pyproject_path} was changed while it was being locked",
            hint="run it again; both files were left as they were",
        )
    atomic_write_all(
        {environment.lock_path: proposal.lock, environment.pyproject_path: proposal.pyproject}
    )


def settled(proposal: Proposal, pyproject: str, *, locker: Locker) -> Proposal:
    """The same proposal for another text that its pins satisfy: nothing is resolved again."""
    if pyproject == proposal.pyproject:
        return proposal
    lock = for_pyproject(proposal.environment.path, proposal.lock, pyproject, locker=locker)
    return Proposal(**{**vars(proposal), "pyproject": pyproject, "lock": lock})


def costs_of(
    proposal: Proposal, *, cache: Path, config: Callable[[], PipConfig] | None = None
) -> Costs:
    """What a proposal costs, from the directories of wheels.

    Args:
        proposal: what would be.
        cache: the user's.
        config: pip's configuration, for what is not remembered; without it no index is asked.
    """
    before = {item.name: item for item in proposal.before or ()}
    after = {item.name: item for item in proposal.after}
    known = sizes({*before.values(), *after.values()}, cache=cache, config=config)

    def size(files: Mapping[str, Distribution], name: str) -> Size | None:
        return known.get(files[name]) if name in files else None

    packages = [
        Cost(
            change=change,
            before=size(before, change.package),
            after=size(after, change.package),
            installed=change.package in before or change.package in after,
        )
        for change in proposal.changes
    ]
    return Costs(
        packages=tuple(sorted(packages, key=_largest_first)),
        before=sum((known[item] or NOTHING for item in before.values()), NOTHING),
        after=sum((known[item] or NOTHING for item in after.values()), NOTHING),
        unknown=tuple(sorted({item.name for item, one in known.items() if one is None})),
    )


def _largest_first(cost: Cost) -> tuple[int, str]:
    return -(cost.after or cost.before or NOTHING).unpacked, cost.change.package


def _with_files(
    environment: Environment, pyproject: str, lock: bytes, target: Target
) -> tuple[Distribution, ...]:
    with tempfile.TemporaryDirectory(prefix="eggcrate-") as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_bytes(pyproject.encode())
        (folder / "poetry.lock").write_bytes(lock)
        return _selected(environment, folder, target, None)


def _selected(
    environment: Environment, folder: Path, target: Target, cache: Path | None
) -> tuple[Distribution, ...]:
    if not (folder / "poetry.lock").is_file():
        raise LockMissingError(f"{folder / 'poetry.lock'} does not exist")
    return selected(
        folder, target, groups=environment.groups, extras=environment.extras, cache=cache
    )
