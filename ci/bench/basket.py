"""The one basket: a single environment of all that the environments of a repository ask for.

Made as a person would who keeps one image for everything: each direct requirement, any version.
What cannot be had together is left out, the least wanted first, and told.
"""

from __future__ import annotations

import collections
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from eggcrate.errors import LockError
from eggcrate.files import atomic_write
from eggcrate.packages.relock import resolve_project
from eggcrate.repo.environments import read_environment, requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from eggcrate.packages.relock import Locker
    from eggcrate.repo.values import Environment

NAME = "one-basket"
_BUILD = "-cpu"
"""Ends the names of packages that are another package's build for processors."""


@dataclass(frozen=True, kw_only=True)
class Basket:
    """What one environment can hold of all that is asked for."""

    held: tuple[str, ...]
    dropped: dict[str, str]
    """Requirement to why."""


def wanted(environments: Iterable[Environment]) -> tuple[str, ...]:
    """All direct requirements without their versions, those that most ask for first."""
    asked = collections.Counter(
        name
        for one in environments
        for name in {_without_version(text) for text in one.dependencies}
    )
    return tuple(sorted(asked, key=lambda name: (-asked[name], name)))


def filled(names: Sequence[str], locks: Callable[[Sequence[str]], bool]) -> Basket:
    """As many as go together, in their order.

    Args:
        names: what is wanted.
        locks: whether these can be locked together.
    """
    dropped = {}
    kept: list[str] = []
    for name in names:
        plain = name.removesuffix(_BUILD)
        # Two builds of one library write the same files.
        if twin := next((one for one in kept if one.removesuffix(_BUILD) == plain), ""):
            dropped[name] = f"the same library as {twin}"
        else:
            kept.append(name)
    if locks(kept):
        return Basket(held=tuple(kept), dropped=dropped)
    held: list[str] = []
    for name in kept:
        if locks([*held, name]):
            held.append(name)
        else:
            dropped[name] = "cannot be locked with the others"
    return Basket(held=tuple(held), dropped=dropped)


def make(environments: Sequence[Environment], python: str, folder: Path, lock: Locker) -> Basket:
    """Write the basket's project and its lock.

    Args:
        environments: those whose requirements it takes.
        python: its ``requires-python``.
        folder: of the project; its name becomes the environment's.
        lock: from :func:`eggcrate.packages.relock.locker`.
    """
    folder.mkdir(parents=True)
    found: dict[tuple[str, ...], bytes] = {}

    def locks(names: Sequence[str]) -> bool:
        atomic_write(folder / "pyproject.toml", project(names, python))
        try:
            found[tuple(names)] = resolve_project(folder, locker=lock).lock
        except LockError:
            return False
        return True

    basket = filled(wanted(environments), locks)
    atomic_write(folder / "pyproject.toml", project(basket.held, python))
    atomic_write(folder / "poetry.lock", found[basket.held])
    read_environment(folder)
    return basket


def project(names: Sequence[str], python: str) -> str:
    """The basket's ``pyproject.toml``."""
    lines = "".join(f'    "{name}",\n' for name in names)
    return (
        f'[project]\nname = "{NAME}"\ndescription = "Everything in one image"\n'
        f'requires-python = "{python}"\ndependencies = [\n{lines}]\n'
        "[tool.poetry]\npackage-mode = false\n"
    )


def _without_version(text: str) -> str:
    parsed = requirement(text)
    extras = f"[{','.join(sorted(parsed.extras))}]" if parsed.extras else ""
    return canonicalize_name(parsed.name) + extras
