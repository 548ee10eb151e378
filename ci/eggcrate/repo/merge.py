"""Two sides' changes of a ``pyproject.toml``, taken together by what they mean.

Dependencies are merged one package at a time, everything else one key at a time: what one side
left as it was is taken from the other. Text that is not touched by theirs is kept as ours has it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tomlkit
from packaging.utils import canonicalize_name

from eggcrate.errors import ConfigError
from eggcrate.parsing import toml_of
from eggcrate.repo.dependencies import edited

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_Keys = tuple[str, ...]
_ABSENT: Any = object()


@dataclass(frozen=True, kw_only=True)
class Clash:
    """What both sides changed, each to something else."""

    what: str
    """A package or a key."""
    ours: str
    """Empty: our side removed it."""
    theirs: str

    def __str__(self) -> str:
        return (
            f"{self.what}: ours {self.ours or 'removed it'}, theirs {self.theirs or 'removed it'}"
        )


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The result of a merge."""

    text: str
    """Of both sides, but for what clashes: that is as ours has it."""
    clashes: tuple[Clash, ...]


def merged_pyproject(base: str, ours: str, theirs: str, *, path: Path) -> Merged:
    """Merge two descendants of a ``pyproject.toml``.

    Args:
        base: their common ancestor; empty when there is none.
        ours: the side whose text is kept where theirs says nothing else.
        theirs: the other side.
        path: of the file, for messages.

    Raises:
        ConfigError: one of the three is no TOML.
    """
    old, mine, other = (_read(text, path, side) for text, side in _sides(base, ours, theirs))
    text, clashes = ours, list[Clash]()
    for keys in sorted({*_leaves(old), *_leaves(mine), *_leaves(other)}):
        before, here, there = (_value(data, keys) for data in (old, mine, other))
        if there in (before, here):
            continue
        if _is_dependencies(keys) and isinstance(here, list) and isinstance(there, list):
            sides = (before if isinstance(before, list) else [], here, there)
            text, found = _packages(text, keys, sides, path)
            clashes += found
        elif here == before:
            text = _set(text, theirs, keys)
        else:
            clashes.append(
                Clash(what=".".join(keys), ours=_told(here), theirs=_told(there)),
            )
    return Merged(text=text, clashes=tuple(clashes))


def _sides(base: str, ours: str, theirs: str) -> tuple[tuple[str, str], ...]:
    return (base, "the common ancestor's"), (ours, "our side's"), (theirs, "their side's")


def _read(text: str, path: Path, side: str) -> dict[str, Any]:
    try:
        return toml_of(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {side} version is not valid TOML", why=str(error)) from error


def _is_dependencies(keys: _Keys) -> bool:
    """Whether a list holds requirements (PEP 621, PEP 735)."""
    return (
        keys == ("project", "dependencies")
        or keys[:2] == ("project", "optional-dependencies")
        or keys[:1] == ("dependency-groups",)
    )


def _packages(
    text: str, keys: _Keys, sides: tuple[list[Any], ...], path: Path
) -> tuple[str, list[Clash]]:
    old, mine, other = map(_by_name, sides)
    clashes = []
    for name in dict.fromkeys((*other, *mine, *old)):
        was, ours, theirs = old.get(name, ()), mine.get(name, ()), other.get(name, ())
        if theirs in (was, ours):
            continue
        if ours == was and name:
            text = edited(text, keys, name, theirs, path=path)
        else:
            told = {"ours": ", ".join(ours), "theirs": ", ".join(theirs)}
            clashes.append(Clash(what=f"{'.'.join(keys)}, {name or 'a table'}", **told))
    return text, clashes


def _by_name(entries: list[Any]) -> dict[str, tuple[str, ...]]:
    """Normalised name to all that is asked for of it; under no name what is no requirement."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        match = re.match(r"\s*([\w.-]+)", entry) if isinstance(entry, str) else None
        name = canonicalize_name(match[1]) if match else ""
        found[name] = (*found.get(name, ()), str(entry))
    return found


def _leaves(table: Mapping[str, Any], above: _Keys = ()) -> Iterator[_Keys]:
    """Keys of everything that is not a table; an empty table says nothing."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key)


def _value(table: Mapping[str, Any], keys: _Keys) -> Any:
    value: Any = table
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return _ABSENT
        value = value[key]
    return value


def _set(text: str, theirs: str, keys: _Keys) -> str:
    """Our text with their value of a key, or without the key when they removed it."""
    document, other = tomlkit.parse(text), tomlkit.parse(theirs)
    table: Any = document
    source: Any = other
    for key in keys[:-1]:
        source = source.get(key) if source is not None else None
        if key not in table:
            table[key] = tomlkit.table()
        table = table[key]
    if source is None or keys[-1] not in source:
        table.pop(keys[-1], None)
    elif keys[-1] in table:
        table[keys[-1]] = source[keys[-1]].unwrap()
    else:
        table[keys[-1]] = source[keys[-1]]
    return tomlkit.dumps(document)


def _told(value: Any) -> str:
    return "" if value is _ABSENT else str(value)
