"""Two sides' changes of a ``poetry.lock``, taken together one package at a time."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from eggcrate.errors import LockError
from eggcrate.packages.selection import allows
from eggcrate.parsing import toml_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PACKAGE = re.compile(r"^\[\[package\]\]$", re.MULTILINE)
_REST = re.compile(r"^\[(?!\[package\]\]$|package\.)", re.MULTILINE)
_NONE = "package = []\n\n"
_Blocks = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MergedLock:
    """A lock with the pins of both sides."""

    text: str
    both: tuple[str, ...]
    """Packages that both sides changed, each in its own way: the newer pin was taken."""
    unmet: tuple[str, ...]
    """Requirements of locked packages that no longer hold, in words."""

    @property
    def sound(self) -> bool:
        """Whether each pin is one that a side chose and goes together with the others."""
        return not (self.both or self.unmet)


@dataclass(frozen=True, kw_only=True)
class _Parts:
    head: str
    packages: Mapping[str, _Blocks]
    rest: str


def merged_lock(base: str, ours: str, theirs: str) -> MergedLock:
    """Merge two descendants of a lock.

    A pin that one side left as it was is the other side's; of pins that both sides changed the
    newer one stays. What is not a package (``metadata``) is ours: Poetry's ``content-hash`` can
    only be told by locking again.

    Args:
        base: their common ancestor; empty when there is none.
        ours: one side.
        theirs: the other side.

    Raises:
        LockError: a side is no lock that falls apart into packages.
    """
    old, mine, other = (_parts(text) for text in (base, ours, theirs))
    packages: dict[str, _Blocks] = {}
    both = []
    for name in sorted(mine.packages.keys() | other.packages.keys()):
        was, here, there = (side.packages.get(name, ()) for side in (old, mine, other))
        if there in {here, was}:
            packages[name] = here
        elif here == was:
            packages[name] = there
        else:
            packages[name] = max(here, there, key=_age)
            both.append(name)
    chosen = {name: blocks for name, blocks in packages.items() if blocks}
    head = mine.head if chosen else f"{mine.head.removesuffix(chr(10))}{_NONE}"
    text = "".join([head, *(block for blocks in chosen.values() for block in blocks)])
    known = mine.packages.keys() | other.packages.keys()
    return MergedLock(
        text=text + mine.rest, both=tuple(both), unmet=tuple(_unmet(chosen.values(), known))
    )


def _parts(text: str) -> _Parts:
    if not text.strip():
        return _Parts(head="", packages={}, rest="")
    rest = _REST.search(text)
    if rest is None or '"""' in text or "[metadata.files]" in text:
        raise LockError(
            "a lock cannot be merged by packages",
            why="it is not as Poetry 2 writes them",
            hint="take either side's file (git checkout --ours), then run: eggcrate lock",
        )
    body, end = text[: rest.start()], text[rest.start() :]
    head, *blocks = _PACKAGE.split(body)
    packages: dict[str, _Blocks] = {}
    try:
        for block in blocks:
            name = str(toml_of(f"[[package]]{block}")["package"][0]["name"])
            packages[name] = (*packages.get(name, ()), f"[[package]]{block}")
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise LockError("a lock cannot be merged by packages", why=str(error)) from error
    return _Parts(head=head.replace(_NONE, "\n"), packages=packages, rest=end)


def _age(blocks: _Blocks) -> list[Version]:
    """What newer pins are greater by; one that was removed is the oldest."""
    found = []
    for block in blocks:
        try:
            found.append(Version(_package(block)["version"]))
        except (InvalidVersion, KeyError):
            found.append(Version("0"))
    return sorted(found, reverse=True)


def _package(block: str) -> dict[str, Any]:
    found: dict[str, Any] = toml_of(block)["package"][0]
    return found


def _unmet(chosen: Iterable[_Blocks], known: Iterable[str]) -> list[str]:
    """Requirements that the pins do not satisfy, extras aside: these need not be locked."""
    packages = [_package(block) for blocks in chosen for block in blocks]
    versions: dict[str, list[str]] = {}
    for package in packages:
        versions.setdefault(package["name"], []).append(package["version"])
    told = []
    names = set(known)
    for package in packages:
        for needed, specs in package.get("dependencies", {}).items():
            name = re.sub(r"[-_.]+", "-", needed).lower()
            for spec in specs if isinstance(specs, list) else [specs]:
                table = {"version": spec} if isinstance(spec, str) else spec
                constraint = str(table.get("version", "*"))
                if table.get("optional") or "extra ==" in str(table.get("markers", "")):
                    continue
                held = versions.get(name, [])
                if held and not any(allows(constraint, one) for one in held):
                    has = ", ".join(held)
                    told.append(
                        f"{package['name']} {package['version']} needs {name} {constraint}, "
                        f"the lock has {has}"
                    )
                elif not held and name in names:
                    told.append(
                        f"{package['name']} {package['version']} needs {name}, which was removed"
                    )
    return told
