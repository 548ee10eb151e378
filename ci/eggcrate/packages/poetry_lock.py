"""``poetry.lock`` as values: lock formats 1.1, 2.0 (Poetry 1.x) and 2.1 (Poetry 2.x)."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from eggcrate.errors import LockError, LockMissingError
from eggcrate.parsing import toml_of

if TYPE_CHECKING:
    from pathlib import Path

_KNOWN_FORMATS = ("1.1", "2.0", "2.1")
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")
_PACKAGE = "[package]]\n"
_OF_A_PACKAGE = ("package.", "[package.")


@dataclass(frozen=True, kw_only=True, slots=True)
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


@dataclass(frozen=True, kw_only=True, slots=True)
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

    def __hash__(self) -> int:
        # Equal ones have both in common; all that they hold would take longer than it saves.
        return hash((self.name, self.version))

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
        text = path.read_bytes().decode()
    except FileNotFoundError as error:
        raise LockMissingError(
            f"{path} does not exist", why="an environment is built from its lock", hint=relock
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{path} cannot be read", why=str(error), hint=relock) from error
    return parse_lock(text, path)


def parse_lock(text: str, path: Path) -> Lock:
    """Read the text of a lock file, wherever it comes from.

    Args:
        text: of the lock.
        path: where it is, or was; for messages, and what relative sources are relative to.

    Raises:
        LockError: it cannot be understood; merge conflicts are named as such.
    """
    relock = f"run: eggcrate lock {path.parent.name}"
    try:
        return _parse(path, text)
    except tomllib.TOMLDecodeError as error:
        conflict = re.search(r"^(<{7}|={7}|>{7})", text, re.MULTILINE)
        if conflict:
            line = text.count("\n", 0, conflict.start()) + 1
            raise LockError(
                f"{path}:{line}: a git merge left conflict markers",
                hint=f"run: eggcrate lock --resolve {path.parent.name}",
            ) from error
        raise LockError(f"{path} is not valid TOML", why=str(error), hint=relock) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LockError(
            f"{path} is not a lock that Poetry wrote",
            why=f"{type(error).__name__}: {error}",
            hint=relock,
        ) from error


def _parse(path: Path, text: str) -> Lock:
    document, packages = _by_package(text) or _whole(text)
    version = str(document["metadata"]["lock-version"])
    if version not in _KNOWN_FORMATS:
        raise LockError(
            f"{path}: lock format {version} is not known",
            why=f"Eggcrate reads formats {', '.join(_KNOWN_FORMATS)}",
            hint="lock again with a supported Poetry, or update Eggcrate",
        )
    return Lock(
        path=path, format=version, packages=tuple(_located(package, path) for package in packages)
    )


def _whole(text: str) -> tuple[dict[str, Any], list[LockedPackage]]:
    """All of a lock but its packages, and these."""
    data = toml_of(text)
    shared: dict[str, list[dict[str, str]]] = {
        canonicalize_name(name): files for name, files in data["metadata"].get("files", {}).items()
    }
    return data, [_package(item, shared) for item in data.get("package", [])]


def _by_package(text: str) -> tuple[dict[str, Any], list[LockedPackage]] | None:
    """:func:`_whole`, each package's text by itself: locks share most, and parsing is slow.

    ``None`` when the text does not fall apart into tables, of which each means the same by
    itself. It does where a line that begins with a bracket begins a table: anywhere but within
    strings of several lines, which Poetry does not write, and within arrays, whose first part
    is no TOML then.
    """
    if '"""' in text or "'''" in text:
        return None
    head, *tables = f"\n{text}".split("\n[")
    rest, packages = [head], list[str]()
    for table in tables:
        if table.startswith(_PACKAGE):
            packages.append(table)
        elif packages and table.startswith(_OF_A_PACKAGE):
            packages[-1] += f"\n[{table}"
        else:
            rest.append(table)
    try:
        document = toml_of("\n[".join(rest))
        if "package" in document or "files" in document["metadata"]:
            return None
        return document, [_alone(table) for table in packages]
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        return None


@functools.lru_cache(maxsize=4096)
def _alone(text: str) -> LockedPackage:
    data = toml_of(f"[{text}")
    (item,) = data.pop("package")
    if data:
        raise KeyError(*data)
    return _package(item, {})


def _package(item: dict[str, Any], shared: dict[str, list[dict[str, str]]]) -> LockedPackage:
    name = canonicalize_name(item["name"])
    files = item["files"] if "files" in item else shared.get(name, [])
    groups = item.get("groups")
    source = item.get("source")
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
        source=Source(type=source["type"], url=source["url"]) if source is not None else None,
    )


def _located(package: LockedPackage, lock: Path) -> LockedPackage:
    """A package with its source where it is: a file's is relative to the folder of the lock."""
    source = package.source
    if source is None or source.type != "file":
        return package
    url = (lock.parent / source.url).resolve().as_uri()
    return replace(package, source=replace(source, url=url))


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
