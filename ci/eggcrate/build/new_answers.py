"""What a new environment shall be: by flags, by what is known already, by questions."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from eggcrate.build.resolve import chain
from eggcrate.errors import ConfigError, UsageError
from eggcrate.repo.dependencies import listed, read_requirement
from eggcrate.repo.monorepo import pick
from eggcrate.repo.new_environment import (
    NewEnvironment,
    default_description,
    derived_description,
    minor_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from eggcrate.questions import Questions
    from eggcrate.repo.known_answers import KnownAnswer
    from eggcrate.repo.monorepo import Monorepo
    from eggcrate.repo.values import Base, Environment


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the command line says; empty: nothing."""

    name: str
    packages: tuple[str, ...] = ()
    python: str = ""
    base: str = ""
    description: str = ""
    owner: str = ""
    supported_until: date | None = None
    source: Environment | None = None
    """The environment that it is the next version of."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What it shall be, and what was not asked again."""

    wanted: NewEnvironment
    known: Mapping[str, KnownAnswer] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    """What a person answered now that is likely to be the same next time."""


def answer_environment(
    given: Given,
    *,
    template: str,
    monorepo: Monorepo,
    known: Mapping[str, KnownAnswer],
    questions: Questions,
) -> Answered:
    """Decide everything about a new environment that a person can decide.

    Args:
        given: by flags.
        template: text of the template's ``pyproject.toml``.
        monorepo: for bases and other environments.
        known: answers of the team and of last time.
        questions: asks the rest.

    Raises:
        UsageError: an answer is none: no requirement, no such base or Python.
    """
    for package in given.packages:
        read_requirement(package)
    if given.base:
        pick("base", [given.base], monorepo.bases)
    if given.python:
        _check_python(given.python, monorepo.bases)
    if given.base and given.python and given.python != _minor(given.base, monorepo.bases):
        raise UsageError(
            f"{given.base} does not have Python {given.python}",
            why=f"it has Python {_minor(given.base, monorepo.bases)}",
            hint="leave --python or --base away",
        )
    if given.source is not None:
        return Answered(wanted=_next_version(given, given.source, monorepo.bases, questions))
    used: dict[str, KnownAnswer] = {}
    answers: dict[str, str] = {}
    packages = given.packages or _ask_packages(template, questions)
    python = _minor(given.base, monorepo.bases) if given.base else given.python
    if not python and (told := _known_python(known, monorepo.bases)):
        python, used["python"] = told.value, told
    if not python:
        python = answers["python"] = _ask_python(monorepo.bases, questions)
    description = given.description or questions.ask(
        "description, in one line", default_description(packages, python)
    )
    owner = given.owner
    if not owner and (told := known.get("owner")):
        owner, used["owner"] = told.value, told
    if not owner:
        owner = answers["owner"] = questions.ask(
            "owner: the team that is asked when it breaks", _owner(monorepo)
        )
    wanted = NewEnvironment(
        name=given.name,
        description=description,
        python=python,
        base=given.base,
        packages=packages,
        owner=owner,
        supported_until=given.supported_until,
    )
    return Answered(wanted=wanted, known=used, answers=answers if questions.person else {})


def _next_version(
    given: Given, source: Environment, bases: Mapping[str, Base], questions: Questions
) -> NewEnvironment:
    """The next of a family: as its source is, but for what is said."""
    base = given.base
    python = _minor(base, bases) if base else given.python
    before = minor_of(source.requires_python)
    if python and python != before and source.base and not base:
        base = base_for(python, bases).name
    there = listed(source.pyproject_path.read_bytes().decode())
    asked = [
        (there[name][0], one)
        for one in given.packages
        if len(there.get(name := canonicalize_name(read_requirement(one).name), ())) == 1
    ]
    derived = derived_description(source.description, source.name, given.name, asked)
    return NewEnvironment(
        name=given.name,
        description=given.description or questions.ask("description, in one line", derived),
        python=python or before,
        base=base,
        packages=given.packages,
        owner=given.owner,
        supported_until=given.supported_until,
        source=source.name,
    )


def _known_python(
    known: Mapping[str, KnownAnswer], bases: Mapping[str, Base]
) -> KnownAnswer | None:
    """The Python of last time, unless its base is gone; the team's must be there."""
    told = known.get("python")
    if told is None or told.value in pythons(bases):
        return told
    if told.where:
        raise ConfigError(
            f"{told.where}: python is {told.value!r}, which no base has",
            why=f"bases have Python {', '.join(pythons(bases)) or 'none'}",
            hint="name one of these there, or add a base",
        )
    return None


def _ask_packages(template: str, questions: Questions) -> tuple[str, ...]:
    there = [one for entries in listed(template).values() for one in entries]
    default = shlex.join(there) if any(" " in one for one in there) else " ".join(there)
    return split_requirements(
        questions.ask("packages, separated by spaces", default, split_requirements)
    )


def split_requirements(text: str) -> tuple[str, ...]:
    """Requirements as they are typed in one line.

    Raises:
        UsageError: one of them is none.
    """
    try:
        found = tuple(shlex.split(text)) if "'" in text or '"' in text else tuple(text.split())
    except ValueError as error:
        raise UsageError(f"{text!r} is not a list of packages", why=str(error)) from error
    for one in found:
        read_requirement(one)
    return found


def _ask_python(bases: Mapping[str, Base], questions: Questions) -> str:
    there = pythons(bases)
    if not there:
        raise ConfigError(
            "there is no base to build an environment on", hint="see docs/reference.md: A base"
        )
    return questions.ask(
        f"Python ({', '.join(there)})", there[-1], lambda answer: _check_python(answer, bases)
    )


def pythons(bases: Mapping[str, Base]) -> list[str]:
    """The minor versions that bases have, oldest first."""
    found = {base.python for base in bases.values() if not base.extends}
    return sorted(found, key=Version)


def _check_python(python: str, bases: Mapping[str, Base]) -> None:
    base_for(python, bases)


def base_for(python: str, bases: Mapping[str, Base]) -> Base:
    """The base with a Python, which others may extend.

    Raises:
        UsageError: there is none.
    """
    found = [base for base in bases.values() if not base.extends and base.python == python]
    if found:
        return max(found, key=lambda base: base.name)
    there = pythons(bases)
    try:
        exact = len(Version(python).release) > 2  # noqa: PLR2004 - major and minor
    except InvalidVersion:
        exact = False
    minor = ".".join(python.split(".")[:2])
    hint = f"write {minor}" if exact and minor in there else "add a base: see docs/reference.md"
    raise UsageError(
        f"no base has Python {python}",
        why=f"bases have Python {', '.join(there) or 'none'}",
        hint=f"{hint}, or choose one of these",
    )


def _minor(base: str, bases: Mapping[str, Base]) -> str:
    return chain(bases[base], bases)[0].python


def _owner(monorepo: Monorepo) -> str:
    """The owner of most environments."""
    owners = [one.owner for one in monorepo.environments.values() if one.owner]
    return max(sorted(set(owners)), key=owners.count, default="")
