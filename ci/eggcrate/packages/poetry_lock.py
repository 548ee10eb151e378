"""``poetry.lock`` as values: lock formats 1.1, 2.0 (Poetry 1.x) and 2.1 (Poetry 2.x)."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from eggcrate.errors import LockError, LockMissingError

if TYPE_CHECKING:
    from pathlib import Path

_KNOWN_FORMATS = ("1.1", "2.0", "2.1")
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class LockedFile:
    """A file that the lock allows for a package."""

    name: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a package comes from, when it is not the configured index."""

    type: str
    """``legacy`` (an index), ``url``, ``file``, ``directory`` or ``git``."""
    url: str


@dataclass(frozen=True, kw_only=True)
class LockedDependency:
    """What a locked package needs, as the lock writes it."""

    name: str
    constraint: str
    """In Poetry's notation, such as ``>=1.2,<2.0`` or ``^1.2 || ^3``."""
    marker: str
    extras: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LockedPackage:
    """One ``[[package]]`` of a lock."""

    name: str
    """Normalised (PEP 503)."""
    version: str
    files: tuple[LockedFile, ...]
    dependencies: tuple[LockedDependency, ...]
    groups: tuple[str, ...] | None
    """Dependency groups that need it; ``None`` in locks of Poetry 1.x."""
    markers: tuple[tuple[str, str], ...]
    """Pairs of group (``""`` for all) and PEP 508 marker; empty: always."""
    source: Source | None

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A lock file."""

    path: Path
    format: str
    packages: tuple[LockedPackage, ...]

    def named(self, name: str) -> tuple[LockedPackage, ...]:
        """Every locked version of a project; several when markers tell them apart."""
        return self._by_name.get(name, ())

    @functools.cached_property
    def _by_name(self) -> dict[str, tuple[LockedPackage, ...]]:
        found: dict[str, tuple[LockedPackage, ...]] = {}
        for package in self.packages:
            found[package.name] = (*found.get(package.name, ()), package)
        return found


def read_lock(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        LockMissingError: there is none.
        LockError: it cannot be understood; merge conflicts are named as such.
    """
    relock = f"run: eggcrate lock {path.parent.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise LockMissingError(
            f"{path} does not exist", why="an environment is built from its lock", hint=relock
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{path} cannot be read", why=str(error), hint=relock) from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        conflict = re.search(r"^(<{7}|={7}|>{7})", text, re.MULTILINE)
        if conflict:
            line = text.count("\n", 0, conflict.start()) + 1
            raise LockError(
                f"{path}:{line}: a git merge left conflict markers",
                hint=f"take either side (git checkout --theirs {path.name}), then {relock}",
            ) from error
        raise LockError(f"{path} is not valid TOML", why=str(error), hint=relock) from error
    try:
        return _parse(path, data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LockError(
            f"{path} is not a lock that Poetry wrote",
            why=f"{type(error).__name__}: {error}",
            hint=relock,
        ) from error


def _parse(path: Path, data: dict[str, Any]) -> Lock:
    metadata = data["metadata"]
    version = str(metadata["lock-version"])
    if version not in _KNOWN_FORMATS:
        raise LockError(
            f"{path}: lock format {version} is not known",
            why=f"Eggcrate reads formats {', '.join(_KNOWN_FORMATS)}",
            hint="lock again with a supported Poetry, or update Eggcrate",
        )
    shared: dict[str, list[dict[str, str]]] = {
        canonicalize_name(name): files for name, files in metadata.get("files", {}).items()
    }
    packages = tuple(_package(path, item, shared) for item in data.get("package", []))
    return Lock(path=path, format=version, packages=packages)


def _package(
    path: Path, item: dict[str, Any], shared: dict[str, list[dict[str, str]]]
) -> LockedPackage:
    name = canonicalize_name(item["name"])
    files = item["files"] if "files" in item else shared.get(name, [])
    groups = item.get("groups")
    return LockedPackage(
        name=name,
        version=str(item["version"]),
        files=tuple(
            LockedFile(name=file["file"], sha256=match.group(1))
            for file in files
            if (match := _SHA256.fullmatch(file["hash"]))
        ),
        dependencies=tuple(
            dependency
            for needed, spec in item.get("dependencies", {}).items()
            for dependency in _dependencies(needed, spec)
        ),
        groups=tuple(groups) if groups is not None else None,
        markers=_markers(item.get("markers")),
        source=_source(path, item["source"]) if "source" in item else None,
    )


def _source(path: Path, table: dict[str, str]) -> Source:
    url = table["url"]
    if table["type"] == "file":  # relative to the folder of the lock
        url = (path.parent / url).resolve().as_uri()
    return Source(type=table["type"], url=url)


def _markers(value: str | dict[str, str] | None) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    return (("", value),) if isinstance(value, str) else tuple(sorted(value.items()))


def _dependencies(name: str, spec: str | dict[str, Any] | list[Any]) -> list[LockedDependency]:
    if isinstance(spec, list):
        return [dependency for one in spec for dependency in _dependencies(name, one)]
    table = {"version": spec} if isinstance(spec, str) else spec
    return [
        LockedDependency(
            name=canonicalize_name(name),
            constraint=str(table.get("version", "*")),
            marker=str(table.get("markers", "")),
            extras=tuple(canonicalize_name(extra) for extra in table.get("extras", ())),
        )
    ]
