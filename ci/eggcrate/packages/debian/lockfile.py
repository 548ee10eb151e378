"""``base.lock`` on disk: TOML, one package a line, no host names."""

from __future__ import annotations

import dataclasses
import functools
import re
import tomllib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eggcrate.errors import LockError, LockMissingError, LockStaleError
from eggcrate.files import atomic_write
from eggcrate.packages.debian.values import BaseLock, LockedDeb, is_pool_path
from eggcrate.parsing import toml_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from eggcrate.repo.values import Base

FORMAT = 1
_HEADER = "# Made by `{command}` from Debian's signed indexes. Do not edit.\n"
_COMMAND = "eggcrate lock --bases"
_HINT = f"run: {_COMMAND}"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SAFE = re.compile(r"[A-Za-z0-9.+~:_/ ()<>=-]*")
_DEB_FIELDS = ("name", "version", "architecture", "sha256", "size", "path")


def base_lock(base: Base, *, parent: BaseLock | None = None) -> BaseLock:
    """What is locked for a base; for a registry image, what its ``base.toml`` says.

    Args:
        base: the base.
        parent: the lock of the base it extends, to notice when that one has moved on.

    Raises:
        LockMissingError: it was never locked.
        LockStaleError: ``base.toml``, or the base it extends, has changed since.
        LockError: the lock cannot be read.
    """
    if base.image:
        major, minor = base.glibc.split(".")
        return BaseLock(
            base=base.name,
            suite="",
            python=base.python_version,
            glibc=(int(major), int(minor)),
        )
    lock = read_base_lock(base.lock_path)
    same = (
        lock.extends == base.extends
        and (not base.suite or lock.suite == base.suite)
        and lock.roots == tuple(sorted(base.packages))
        and lock.exclude == tuple(sorted(base.exclude))
        and sorted(lock.packages) == sorted(base.platforms)
    )
    if not same:
        raise LockStaleError(f"{base.lock_path} does not say what base.toml asks for", hint=_HINT)
    if parent is not None and lock.parent != parent.key:
        raise LockStaleError(f"{base.lock_path} was made for an older {base.extends}", hint=_HINT)
    return lock


def read_base_lock(path: Path) -> BaseLock:
    """Read a lock.

    Raises:
        LockMissingError: there is none.
        LockError: it cannot be understood; the message names the file and the place.
    """
    try:
        return _read(path, path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LockMissingError(f"{path} does not exist", hint=_HINT) from error
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{path} cannot be read", why=str(error), hint=_HINT) from error


@functools.lru_cache(maxsize=64)
def _read(path: Path, text: str) -> BaseLock:
    """Every environment on a base asks for its lock: the same text is parsed once."""
    try:
        document = toml_of(text)
    except tomllib.TOMLDecodeError as error:
        raise LockError(f"{path} cannot be read", why=str(error), hint=_HINT) from error
    if document.get("format") != FORMAT:
        raise LockError(
            f"{path} is of format {document.get('format')!r}, this Eggcrate reads {FORMAT}",
            hint=_HINT,
        )
    try:
        return _parse(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise LockError(f"{path} is not a lock", why=problem, hint=_HINT) from error


def write_base_lock(path: Path, lock: BaseLock, *, command: str = _COMMAND) -> bool:
    """Write a lock, unless the one there differs in the dates of releases only.

    Returns:
        Whether the file was changed.
    """
    try:
        current = read_base_lock(path)
    except LockError:
        pass
    else:
        if is_same(current, lock):
            return False
    atomic_write(path, _HEADER.format(command=command) + _format(lock))
    return True


def is_same(one: BaseLock, other: BaseLock) -> bool:
    """Whether two locks say the same but for the dates of the releases that were read."""
    return dataclasses.replace(one, releases=other.releases) == other


def _parse(document: Mapping[str, Any]) -> BaseLock:
    major, minor = _text(document, "glibc").split(".")
    packages = {
        platform: tuple(_deb(row) for row in table["packages"])
        for platform, table in document["platforms"].items()
    }
    releases = {suite: _moment(date) for suite, date in document["releases"].items()}
    return BaseLock(
        base=_text(document, "base"),
        suite=_text(document, "suite"),
        python=_text(document, "python"),
        glibc=(int(major), int(minor)),
        extends=_text(document, "extends"),
        parent=_text(document, "parent"),
        roots=_texts(document, "roots"),
        exclude=_texts(document, "exclude"),
        releases=releases,
        packages=packages,
    )


def _deb(row: Mapping[str, Any]) -> LockedDeb:
    if sorted(row) != sorted(_DEB_FIELDS):
        raise ValueError(f"a package has the fields {sorted(row)}, not {sorted(_DEB_FIELDS)}")
    name = _text(row, "name")
    if not isinstance(row["size"], int) or row["size"] <= 0:
        raise ValueError(f"the size of {name} is {row['size']!r}")
    if not _SHA256.fullmatch(_text(row, "sha256")):
        raise ValueError(f"the hash of {name} is {row['sha256']!r}")
    if not is_pool_path(_text(row, "path")):
        raise ValueError(f"the path of {name} is {row['path']!r}")
    return LockedDeb(
        name=name,
        version=_text(row, "version"),
        architecture=_text(row, "architecture"),
        path=row["path"],
        sha256=row["sha256"],
        size=row["size"],
    )


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is {value!r}, not a string")
    return value


def _texts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    if not isinstance(table[key], list) or not all(isinstance(item, str) for item in table[key]):
        raise TypeError(f"{key} is {table[key]!r}, not a list of strings")
    return tuple(table[key])


def _moment(value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"{value!r} is not a date with a time zone")
    return value.astimezone(UTC)


def _format(lock: BaseLock) -> str:
    lines = [
        f"format = {FORMAT}",
        f"base = {_quoted(lock.base)}",
        f"suite = {_quoted(lock.suite)}",
        f"python = {_quoted(lock.python)}",
        f"glibc = {_quoted('.'.join(str(part) for part in lock.glibc))}",
        f"extends = {_quoted(lock.extends)}",
        f"parent = {_quoted(lock.parent)}",
        *_list("roots", lock.roots),
        *_list("exclude", lock.exclude),
        "",
        "[releases]",
        *(f"{suite} = {date:%Y-%m-%dT%H:%M:%SZ}" for suite, date in sorted(lock.releases.items())),
    ]
    for platform, debs in sorted(lock.packages.items()):
        rows = (f"  {{ {_row(deb)} }}," for deb in sorted(debs))
        lines += ["", f"[platforms.{_quoted(platform)}]", "packages = [", *rows, "]"]
    return "\n".join(lines) + "\n"


def _list(key: str, values: Iterable[str]) -> list[str]:
    rows = [f"  {_quoted(value)}," for value in values]
    return [f"{key} = [", *rows, "]"] if rows else [f"{key} = []"]


def _row(deb: LockedDeb) -> str:
    values = ((name, getattr(deb, name)) for name in _DEB_FIELDS)
    return ", ".join(
        f"{name} = {value if isinstance(value, int) else _quoted(value)}" for name, value in values
    )


def _quoted(text: str) -> str:
    if not _SAFE.fullmatch(text):
        raise LockError(f"{text!r} cannot stand in a lock")
    return f'"{text}"'
