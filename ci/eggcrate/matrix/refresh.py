"""Bases on Debian's newest packages: locked beside the tree, and only decided.

New locks stand in a folder of their own until all of it is proven: what the tree holds changes in
one go, or not at all.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.build.resolve import pick_base, resolve_all
from eggcrate.errors import EggcrateError, LockError
from eggcrate.files import atomic_write_all, remove_tree
from eggcrate.packages.debian.changes import compare_debs
from eggcrate.packages.debian.lock import lock_bases, lock_system_packages
from eggcrate.packages.debian.lockfile import is_same, read_base_lock, write_base_lock
from eggcrate.repo.monorepo import Monorepo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from eggcrate.build.resolve import Resolved
    from eggcrate.packages.changes import Change
    from eggcrate.packages.debian.values import BaseLock
    from eggcrate.progress import Progress
    from eggcrate.repo.values import Base, Environment

_LOCK = "base.lock"


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A lock of Debian packages that says something else now."""

    name: str
    """``bases/NAME``, or ``environments/NAME`` of an environment's own system packages."""
    path: Path
    """Where it stands in the tree."""
    origin: bytes | None
    """What stood there when it was decided."""
    before: BaseLock | None
    after: BaseLock
    content: bytes

    @property
    def changes(self) -> tuple[Change, ...]:
        """Its packages that differ; none where only the base under it moved."""
        return compare_debs(self.before, self.after)


@dataclass(frozen=True, kw_only=True)
class Rebased:
    """An environment on a platform whose image becomes another one."""

    resolved: Resolved
    """On the new base."""
    before: Resolved | None
    """On the old one; ``None`` when that could not be resolved."""

    @property
    def name(self) -> str:
        """The environment's."""
        return self.resolved.environment.name


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """What refreshing bases comes to."""

    bases: tuple[str, ...]
    """Those that were looked at."""
    moved: tuple[Moved, ...]
    """None: every base is fresh."""
    monorepo: Monorepo
    """The repository as it would be."""
    rebased: tuple[Rebased, ...] = ()
    broken: Mapping[str, EggcrateError] = field(default_factory=dict)
    """Environments that cannot stand on the new bases, and could on the old."""
    left_out: Mapping[str, EggcrateError] = field(default_factory=dict)
    """Environments that could not be resolved before either: nothing is known of them."""
    on_request: tuple[str, ...] = ()
    """Environments that move too, and are built and proven only when somebody names them."""


@dataclass(frozen=True, kw_only=True)
class _Staged(Monorepo):
    """A repository with other locks of bases and system packages."""

    other_bases: Mapping[str, Base]
    other_environments: Mapping[str, Environment]

    @functools.cached_property
    def bases(self) -> dict[str, Base]:
        return {**self._bases[0], **self.other_bases}

    @functools.cached_property
    def environments(self) -> dict[str, Environment]:
        return {**self._environments[0], **self.other_environments}


@contextlib.contextmanager
def refreshed(
    monorepo: Monorepo,
    names: Sequence[str],
    *,
    cache: Path,
    progress: Progress,
) -> Iterator[Refresh]:
    """Lock bases to the newest packages there are; the locks are there for the block only.

    Args:
        monorepo: the repository; nothing in it is written.
        names: of bases, with all that extend them.
        cache: the user's.
        progress: told what is read.

    Raises:
        BaseError: a package is not there, or no mirror has a trustworthy index.
        ConfigError: there is no mirror.
    """
    scratch = monorepo.root / ".eggcrate"
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=scratch, prefix="stage."))
    try:
        yield _decide(monorepo, names, folder, cache=cache, progress=progress)
    finally:
        remove_tree(folder)


def write(refresh: Refresh) -> None:
    """Put the new locks into the tree, all of them or none.

    Raises:
        LockError: one was changed since it was read.
    """
    for one in refresh.moved:
        if _content(one.path) != one.origin:
            raise LockError(
                f"{one.path} was changed while its successor was proven",
                hint="run: eggcrate bases refresh",
            )
    atomic_write_all({one.path: one.content for one in refresh.moved})


def _decide(
    monorepo: Monorepo, names: Sequence[str], folder: Path, *, cache: Path, progress: Progress
) -> Refresh:
    locks = lock_bases(names, bases=monorepo.bases, cache=cache, progress=progress)
    moved: list[Moved] = []
    bases: dict[str, Base] = {}
    for name, lock in locks.items():
        base = monorepo.bases[name]
        if one := _moved(f"bases/{name}", base.lock_path, lock, folder):
            moved.append(one)
            bases[name] = replace(base, path=folder / "bases" / name)
    every = {**monorepo.bases, **bases}
    environments: dict[str, Environment] = {}
    failed: dict[str, EggcrateError] = {}
    for environment in _with_system_packages(monorepo, names):
        try:
            lock = lock_system_packages(
                environment.system_packages,
                name=environment.name,
                base=pick_base(environment, every),
                bases=every,
                platforms=environment.platforms,
                cache=cache,
                progress=progress,
            )
        except EggcrateError as error:
            failed[environment.name] = error
            continue
        name = f"environments/{environment.name}"
        shutil.copytree(environment.path, folder / name)
        if one := _moved(name, environment.path / _LOCK, lock, folder):
            moved.append(one)
            environments[environment.name] = replace(environment, path=folder / name)
    staged = _Staged(root=monorepo.root, other_bases=bases, other_environments=environments)
    found = Refresh(bases=tuple(names), moved=tuple(moved), monorepo=staged)
    return _compared(monorepo, found, failed, cache=cache) if moved or failed else found


def _with_system_packages(monorepo: Monorepo, names: Iterable[str]) -> Iterator[Environment]:
    for environment in monorepo.environments.values():
        with contextlib.suppress(EggcrateError):  # told when environments are compared
            if environment.system_packages and (
                pick_base(environment, monorepo.bases).name in names
            ):
                yield environment


def _moved(name: str, path: Path, lock: BaseLock, folder: Path) -> Moved | None:
    """The lock, when it says something else than the one there is; written to the side."""
    origin = _content(path)
    try:
        before = read_base_lock(path)
    except LockError:
        before = None
    if before is not None and is_same(before, lock):
        return None
    beside = folder / name / _LOCK
    beside.parent.mkdir(parents=True, exist_ok=True)
    beside.unlink(missing_ok=True)
    write_base_lock(beside, lock)
    return Moved(
        name=name,
        path=path,
        origin=origin,
        before=before,
        after=lock,
        content=beside.read_bytes(),
    )


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _compared(
    monorepo: Monorepo, found: Refresh, failed: Mapping[str, EggcrateError], *, cache: Path
) -> Refresh:
    """With the environments whose images become others."""
    there = found.monorepo
    old, unresolved = resolve_all(monorepo.environments, monorepo.bases, cache=cache)
    new, broken = resolve_all(there.environments, there.bases, cache=cache)
    broken = {**broken, **failed}
    known = {(one.environment.name, one.recipe.target.platform): one for one in old}
    pairs = [
        Rebased(resolved=one, before=known.get((one.environment.name, one.recipe.target.platform)))
        for one in new
        if one.environment.name not in broken
    ]
    differ = [
        one for one in pairs if not one.before or one.before.recipe.key != one.resolved.recipe.key
    ]
    return replace(
        found,
        rebased=tuple(one for one in differ if one.name not in monorepo.on_request),
        broken={name: error for name, error in broken.items() if name not in unresolved},
        left_out={name: error for name, error in broken.items() if name in unresolved},
        on_request=tuple(sorted({one.name for one in differ} & set(monorepo.on_request))),
    )
