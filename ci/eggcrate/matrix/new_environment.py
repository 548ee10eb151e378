"""A new environment, decided before anything is written."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from eggcrate.build.proposal import known_names, propose_new, settled, target_of
from eggcrate.build.resolve import pick_base
from eggcrate.errors import ConflictError, EggcrateError, UsageError
from eggcrate.matrix.addition import unjudged, with_bounds
from eggcrate.matrix.cells import Column, lay_out, why_not
from eggcrate.packages.advice import Place, check
from eggcrate.packages.conflicts import shortened
from eggcrate.packages.debian.lock import lock_system_packages
from eggcrate.packages.debian.lockfile import read_base_lock, write_base_lock
from eggcrate.packages.difference import EMPTY, Contents, compare_contents
from eggcrate.packages.relock import locked_versions
from eggcrate.repo.dependencies import listed, read_requirement
from eggcrate.repo.environments import read_environment
from eggcrate.repo.names import near_names
from eggcrate.repo.new_environment import environment_text
from eggcrate.repo.templates import make_folder, read_unwritten, template_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eggcrate.build.judgement import Judgement, Sizes
    from eggcrate.build.proposal import Proposal
    from eggcrate.packages.debian.values import BaseLock
    from eggcrate.packages.difference import Difference
    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.relock import Locker
    from eggcrate.progress import Progress
    from eggcrate.repo.monorepo import Monorepo
    from eggcrate.repo.new_environment import NewEnvironment
    from eggcrate.repo.values import Component, Environment

_LINE = "\n        "


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A component, and whether it could run in an environment."""

    component: str
    flavours: tuple[str, ...] | None
    """Those that fit; empty: it fits and has none; ``None``: it does not fit."""
    reason: str = ""
    """In words: the requirements that are not satisfied."""

    @property
    def rows(self) -> tuple[str, ...]:
        """Such as ``train_model[sklearn]``; none when it does not fit."""
        if self.flavours is None:
            return ()
        return tuple(f"{self.component}[{one}]" for one in self.flavours) or (self.component,)


@dataclass(frozen=True, kw_only=True)
class Founded:
    """What making an environment comes to."""

    wanted: NewEnvironment
    proposal: Proposal
    base: str
    copied: Path
    """The folder that is copied: the template, or the one before in its family."""
    difference: Difference
    """From the one before in its family, or from nothing."""
    guests: tuple[Guest, ...]
    near: tuple[str, ...]
    """Environments whose names differ by a slip of a finger."""
    system: BaseLock | None = None
    """The lock of its system packages, when it has some."""
    judgement: Judgement


def decide_environment(
    wanted: NewEnvironment,
    *,
    monorepo: Monorepo,
    locker: Locker,
    sizes: Sizes,
    progress: Progress,
    judge: Callable[..., Judgement] = unjudged,
) -> Founded:
    """What a new environment comes to; nothing is written.

    Args:
        wanted: what it shall be.
        monorepo: the others, the bases and the components.
        locker: of this run.
        sizes: gives the size of files.
        progress: told of Debian packages that are locked.
        judge: judges a proposal by the rules.

    Raises:
        UsageError: it would ask for nothing else than the one before in its family.
        PackageError: a package does not exist, or not for this environment.
        ConflictError: what it asks for does not go together.
    """
    source = monorepo.environments[wanted.source] if wanted.source else None
    copied = source.path if source else template_folder("environment", monorepo.root)
    path = copied / "pyproject.toml"
    before = path.read_bytes().decode()
    text = environment_text(before, wanted, path=path)
    if source is not None:
        _check_differs(wanted, before, text)
    folder = monorepo.root / "environments" / wanted.name
    environment = replace(read_unwritten(folder, text, read_environment), path=folder)
    _check_packages(wanted, environment, monorepo, locker)
    proposal = _proposed(wanted, environment, text, source, monorepo=monorepo, locker=locker)
    versions = locked_versions(proposal.lock)
    for typed in wanted.packages:
        name = canonicalize_name(read_requirement(typed).name)
        text, _ = with_bounds(text, typed, versions.get(name, ""), path=path)
    proposal = settled(proposal, text, locker=locker)
    then = _contents(source.pyproject_path, proposal.before) if source else EMPTY
    now = _contents(None, proposal.after, text)
    return Founded(
        wanted=wanted,
        proposal=proposal,
        base=pick_base(environment, monorepo.bases).name,
        copied=copied,
        difference=compare_contents(then, now, sizes),
        guests=guests_of(proposal, monorepo.components),
        near=tuple(near_names(wanted.name, monorepo.environment_folders)),
        system=_system(environment, source, monorepo, locker.cache, progress),
        judgement=judge(proposal, rules_of=copied),
    )


def found_environment(founded: Founded) -> None:
    """Make its folder, with its locks in it; whole or not at all."""
    proposal = founded.proposal
    contents: dict[str, str | bytes] = {
        "pyproject.toml": proposal.pyproject,
        "poetry.lock": proposal.lock,
    }
    if founded.system is not None:
        with tempfile.TemporaryDirectory(prefix="eggcrate-") as name:
            write_base_lock(Path(name, "base.lock"), founded.system)
            contents["base.lock"] = Path(name, "base.lock").read_bytes()
    make_folder(founded.copied, proposal.environment.path, contents)


def _next_minor(asked: str) -> str:
    """The minor version after the highest that a requirement names."""
    named = [one.version.removesuffix(".*") for one in read_requirement(asked).specifier]
    most = max(map(Version, named), default=Version("1.1"))
    return f"{most.major}.{most.minor + 1}.0"


def _check_differs(wanted: NewEnvironment, before: str, after: str) -> None:
    """Refuse a next version that asks for what the one before asks for."""
    old, new = listed(before), listed(after)
    for typed in wanted.packages:
        name = canonicalize_name(read_requirement(typed).name)
        if new[name] == old.get(name):
            raise UsageError(
                f"{wanted.source} asks for {'; '.join(old[name])} already",
                why=f"--set '{typed}' changes nothing",
                hint=f"name another version, such as --set '{name}~={_next_minor(old[name][0])}'",
            )


def _check_packages(
    wanted: NewEnvironment, environment: Environment, monorepo: Monorepo, locker: Locker
) -> None:
    """Refuse packages that do not exist, or not for its Python, before a resolver is asked."""
    others = {}
    for name, other in monorepo.environments.items():
        try:
            others[name] = target_of(other, monorepo)
        except EggcrateError:
            continue
    place = Place(
        name=wanted.name,
        target=target_of(environment, monorepo),
        others=others,
        command=command_of(wanted),
    )
    names = known_names(monorepo, cache=locker.cache)
    for typed in wanted.packages:
        check(read_requirement(typed), place=place, names=names, offers=locker.index.offers)


def command_of(wanted: NewEnvironment) -> str:
    """The command that makes it, but for its packages."""
    command = f"eggcrate new environment {wanted.name}"
    return f"{command} --from {wanted.source} --set" if wanted.source else command


def _proposed(
    wanted: NewEnvironment,
    environment: Environment,
    text: str,
    source: Environment | None,
    *,
    monorepo: Monorepo,
    locker: Locker,
) -> Proposal:
    try:
        return propose_new(environment, text, source=source, monorepo=monorepo, locker=locker)
    except ConflictError as error:
        names = [read_requirement(one).name for one in wanted.packages]
        told = "; ".join(sorted(one for entries in listed(text).values() for one in entries))
        raise ConflictError(
            f"{wanted.name} cannot be made: nothing satisfies all that it asks for",
            why=shortened(error.why, names).replace("\n", _LINE),
            hint=_LINE.join(
                [
                    f"it asks for {told}",
                    "give more of these another range"
                    + (": --set may be repeated" if source else ""),
                ]
            ),
        ) from error


def _contents(
    path: Path | None, files: tuple[Distribution, ...] | None, text: str = ""
) -> Contents:
    asked = listed(path.read_bytes().decode() if path else text)
    return Contents(
        packages={item.name: item.version for item in files or ()},
        direct=frozenset(asked),
        files={item.name: item for item in files or ()},
    )


def guests_of(proposal: Proposal, components: Mapping[str, Component]) -> tuple[Guest, ...]:
    """Which components could run in an environment, by its lock alone."""
    column = Column(
        environment=proposal.environment.name,
        target=proposal.target,
        packages={item.name: item.version for item in proposal.after},
    )
    grid = lay_out(list(components.values()), [column])
    found = []
    for name in components:
        cells = [cell for cell in grid.cells if cell.component == name]
        others = [one for one in grid.incompatible if one.cell.component == name]
        found.append(
            Guest(
                component=name,
                flavours=tuple(filter(None, (cell.flavour for cell in cells))) if cells else None,
                reason="" if cells else why_not(others),
            )
        )
    return tuple(found)


def _system(
    environment: Environment,
    source: Environment | None,
    monorepo: Monorepo,
    cache: Path,
    progress: Progress,
) -> BaseLock | None:
    if not environment.system_packages:
        return None
    base = pick_base(environment, monorepo.bases)
    if source is not None and pick_base(source, monorepo.bases).name == base.name:
        lock = read_base_lock(source.path / "base.lock")
        return replace(lock, base=environment.name)
    return lock_system_packages(
        environment.system_packages,
        name=environment.name,
        base=base,
        bases=monorepo.bases,
        platforms=environment.platforms,
        cache=cache,
        progress=progress,
    )
