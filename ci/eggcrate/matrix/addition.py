"""Adding packages to an environment and removing them, decided before anything is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from eggcrate.build.judgement import Judgement
from eggcrate.build.proposal import (
    Costs,
    Proposal,
    costs_of,
    known_names,
    place_of,
    propose,
    settled,
)
from eggcrate.errors import ConflictError, UsageError
from eggcrate.matrix.effects import Effect, effects
from eggcrate.packages.advice import check
from eggcrate.packages.bounds import sensible_range
from eggcrate.packages.conflicts import shortened
from eggcrate.packages.poetry_lock import read_lock
from eggcrate.packages.relock import locked_versions
from eggcrate.repo.dependencies import (
    listed,
    read_requirement,
    with_range,
    with_requirement,
    without_requirement,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from packaging.requirements import Requirement

    from eggcrate.packages.advice import Place
    from eggcrate.packages.changes import Change
    from eggcrate.packages.pip_config import PipConfig
    from eggcrate.packages.relock import Locker
    from eggcrate.repo.monorepo import Monorepo
    from eggcrate.repo.values import Environment

_SHOWN = 6
_LINE = "\n        "


def unjudged(*_: object, **__: object) -> Judgement:
    """No judgement: nothing is broken."""
    return Judgement(violations=())


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A package that was asked for, as ``pyproject.toml`` asks for it now."""

    name: str
    """Normalised."""
    requirement: str
    """As written; empty for one that was removed."""
    version: str
    """The one locked; empty for one that no target needs any more."""
    why: str = ""
    """Why this range, when Eggcrate chose it."""
    newest: str = ""
    """The newest version there is, when the pins of the environment keep it out."""


@dataclass(frozen=True, kw_only=True)
class Addition:
    """What adding or removing packages comes to."""

    chosen: tuple[Chosen, ...]
    proposal: Proposal
    costs: Costs
    effects: tuple[Effect, ...]
    judgement: Judgement
    """Rules that are broken then, and were not before."""

    @property
    def changed(self) -> bool:
        """Whether either file would have other bytes."""
        environment = self.proposal.environment
        return (
            environment.pyproject_path.read_bytes() != self.proposal.pyproject.encode()
            or not environment.lock_path.is_file()
            or environment.lock_path.read_bytes() != self.proposal.lock
        )


def decide_addition(
    environment: Environment,
    packages: Sequence[str],
    *,
    monorepo: Monorepo,
    locker: Locker,
    pip: Callable[[], PipConfig] | None = None,
    judge: Callable[..., Judgement] = unjudged,
    move: bool = False,
) -> Addition:
    """What adding packages to an environment comes to; nothing is written.

    Args:
        environment: where to.
        packages: requirements as a person types them: names, with versions or without.
        monorepo: the others, for advice, and the components.
        locker: of this run.
        pip: gives pip's configuration, when an index must be asked how large a package is.
        judge: judges what would be by the rules, see :func:`judge_proposal`.
        move: whether pins of other packages may move, where they must.

    Raises:
        UsageError: what was typed is no requirement.
        PackageError: a package does not exist, or not for this environment.
        ConflictError: what is asked for does not go together with what is there.
    """
    asked = [read_requirement(text) for text in packages]
    place = place_of(environment, monorepo)
    names = known_names(monorepo, cache=locker.cache)
    for one in asked:
        check(one, place=place, names=names, offers=locker.index.offers)
    before = environment.pyproject_path.read_bytes().decode()
    text = before
    for typed in packages:
        text = with_requirement(text, typed.strip(), path=environment.pyproject_path)
    proposal = _proposed(environment, text, packages, asked, place=place, locker=locker, move=move)
    versions = locked_versions(proposal.lock)
    reasons: dict[str, str] = {}
    for one, typed in zip(asked, packages, strict=True):
        name = canonicalize_name(one.name)
        version = versions.get(name, "")
        if listed(text)[name] == listed(before).get(name):
            reasons[name] = "it was asked for already"
        else:
            text, reasons[name] = with_bounds(text, typed, version, path=environment.pyproject_path)
    proposal = settled(proposal, text, locker=locker)
    return Addition(
        chosen=tuple(
            Chosen(
                name=name,
                requirement="; ".join(listed(text)[name]),
                version=versions.get(name, ""),
                why=reasons.get(name, ""),
                newest=""
                if one.specifier or one.url
                else _newest(name, versions.get(name, ""), locker=locker, place=place),
            )
            for one in asked
            for name in (canonicalize_name(one.name),)
        ),
        proposal=proposal,
        costs=costs_of(proposal, cache=locker.cache, config=pip),
        effects=effects(proposal, monorepo.components),
        judgement=judge(proposal),
    )


def decide_removal(
    environment: Environment,
    packages: Sequence[str],
    *,
    monorepo: Monorepo,
    locker: Locker,
    pip: Callable[[], PipConfig] | None = None,
    judge: Callable[..., Judgement] = unjudged,
    move: bool = False,
) -> Addition:
    """What removing packages from an environment comes to; see :func:`decide_addition`.

    Raises:
        UsageError: the environment does not ask for a package.
    """
    text = environment.pyproject_path.read_bytes().decode()
    names = [canonicalize_name(read_requirement(package).name) for package in packages]
    for name in names:
        if name not in (there := listed(text)):
            raise _not_asked_for(name, environment, sorted(there))
        text = without_requirement(text, name, path=environment.pyproject_path)
    place = place_of(environment, monorepo)
    proposal = propose(environment, text, target=place.target, locker=locker)
    if (moved := proposal.moved(names)) and not move:
        raise _moves(environment, "removed from", names, moved)
    versions = locked_versions(proposal.lock)
    return Addition(
        chosen=tuple(
            Chosen(name=name, requirement="", version=versions.get(name, "")) for name in names
        ),
        proposal=proposal,
        costs=costs_of(proposal, cache=locker.cache, config=pip),
        effects=effects(proposal, monorepo.components),
        judgement=judge(proposal),
    )


def _proposed(
    environment: Environment,
    text: str,
    packages: Sequence[str],
    asked: Sequence[Requirement],
    *,
    place: Place,
    locker: Locker,
    move: bool,
) -> Proposal:
    names = [canonicalize_name(one.name) for one in asked]
    try:
        proposal = propose(environment, text, target=place.target, locker=locker)
    except ConflictError as error:
        tries = _other_versions(environment, asked, place=place, locker=locker)
        raise ConflictError(
            f"{', '.join(packages)} cannot be added to {environment.name}",
            why=shortened(error.why, [one.name for one in asked]).replace("\n", _LINE),
            hint=_LINE.join([*tries, *elsewhere(packages)]),
        ) from error
    if (moved := proposal.moved(names)) and not move:
        raise _moves(environment, "added to", packages, moved)
    return proposal


def _other_versions(
    environment: Environment, asked: Sequence[Requirement], *, place: Place, locker: Locker
) -> list[str]:
    """Versions of what was asked for that do go together with what is there."""
    if not any(one.specifier for one in asked):
        return []  # the resolver has tried them all
    text = environment.pyproject_path.read_bytes().decode()
    for one in asked:
        if canonicalize_name(one.name) in listed(text):
            text = without_requirement(text, one.name, path=environment.pyproject_path)
        text = with_requirement(text, one.name, path=environment.pyproject_path)
    try:
        found = propose(environment, text, target=place.target, locker=locker)
    except ConflictError:
        return []
    versions = locked_versions(found.lock)
    wanted = [f"'{one.name}=={versions[canonicalize_name(one.name)]}'" for one in asked]
    return [f"this fits: eggcrate add {environment.name} {' '.join(wanted)}"]


def elsewhere(packages: Sequence[str]) -> list[str]:
    """What to try when an environment cannot take packages."""
    quoted = " ".join(f"'{one}'" if re.search(r"[^\w.-]", one) else one for one in packages)
    return [
        f"see which environment can take it: eggcrate where {quoted}",
        f"or make one for it: eggcrate new environment NAME {quoted}",
    ]


def _moves(
    environment: Environment, verb: str, packages: Sequence[str], moved: Sequence[Change]
) -> ConflictError:
    told = [f"{one.package} {one.before} -> {one.after}" for one in moved[:_SHOWN]]
    more = f" and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else ""
    return ConflictError(
        f"{', '.join(packages)} cannot be {verb} {environment.name} without moving other pins",
        why=f"these would move: {', '.join(told)}{more}",
        hint=_LINE.join(["--move lets them", *elsewhere(packages)]),
    )


def with_bounds(text: str, typed: str, version: str, *, path: Path) -> tuple[str, str]:
    """A ``pyproject.toml`` that asks for a range, where a person named none.

    Args:
        text: of it; asks for the package as it was typed.
        typed: the requirement as it was typed.
        version: the one that is locked; nothing to go by when it is empty or several.
        path: of the file, for messages.

    Returns:
        The text, and why it is this range; empty when nothing is changed.
    """
    name = canonicalize_name(read_requirement(typed).name)
    if not version or "," in version or all(map(_is_bounded, listed(text)[name])):
        return text, ""
    range_, why = sensible_range(Version(version))
    return with_requirement(text, with_range(typed.strip(), range_), path=path), why


def _is_bounded(written: str) -> bool:
    one = read_requirement(written)
    return bool(one.specifier or one.url)


def _newest(name: str, version: str, *, locker: Locker, place: Place) -> str:
    """The newest version that would run there; empty when it is the one that was chosen."""
    offers = locker.index.offers(name) or {}
    able = [
        one.version
        for one in offers.values()
        if not (one.yanked or one.version.is_prerelease) and one.runs_on(place.target.python)
    ]
    return str(able[-1]) if able and version and able[-1] > Version(version) else ""


def _not_asked_for(name: str, environment: Environment, there: Sequence[str]) -> UsageError:
    askers: list[str] = []
    if environment.lock_path.is_file():
        askers = [
            package.name
            for package in read_lock(environment.lock_path).packages
            if any(needed.name == name for needed in package.dependencies)
        ]
    return UsageError(
        f"{environment.name} does not ask for {name}",
        why=f"it is there because {', '.join(askers[:_SHOWN])} needs it" if askers else "",
        hint=f"it asks for: {', '.join(there) or 'nothing'}",
    )
