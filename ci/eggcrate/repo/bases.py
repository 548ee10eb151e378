"""``bases/<name>/base.toml`` as a value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eggcrate.errors import ConfigError
from eggcrate.repo.document import Table
from eggcrate.repo.names import NAME
from eggcrate.repo.values import Base

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_FILE = "base.toml"
_MINOR = re.compile(r"3\.[0-9]+")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9]+")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_SUITE = re.compile(r"[a-z][a-z0-9-]*")
_IMAGE = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
_GLIBC = re.compile(r"[0-9]+\.[0-9]+")

_DEBIAN_KEYS = ("description", "python", "suite", "platforms", "packages", "exclude")
_EXTENSION_KEYS = ("description", "extends", "packages", "exclude")
_IMAGE_KEYS = (
    *("description", "python", "platforms", "image"),
    *("python_version", "glibc", "interpreter"),
)


def base_folders(root: Path) -> tuple[Path, ...]:
    """The folders of all bases of the repository at ``root``; names with ``_`` are templates."""
    folders = sorted(file.parent for file in (root / "bases").glob(f"*/{_FILE}"))
    return tuple(folder for folder in folders if not folder.name.startswith("_"))


def read_base(path: Path) -> Base:
    """Read the base in this folder. One that extends another takes Python and platforms of it.

    Raises:
        ConfigError: the file is missing, not valid, holds a setting nobody knows, or extends
            what is not there; the message names file and line.
    """
    return _read(path, extended_by=())


def families(names: Iterable[str], bases: Mapping[str, Base]) -> tuple[str, ...]:
    """The bases named, all that they extend and all that extend those.

    Whoever locks one locks them all: the others would be stale.
    """
    found = []
    for name in names:
        lowest = name
        while bases[lowest].extends:
            lowest = bases[lowest].extends
        found.append(lowest)
    for name in found:  # grows while it is read: extensions may be extended
        found += [one.name for one in bases.values() if one.extends == name]
    return tuple(dict.fromkeys(found))


def _read(path: Path, *, extended_by: tuple[str, ...]) -> Base:
    if not NAME.fullmatch(path.name):
        raise ConfigError(
            f"{path} is not a name a base can have",
            why="names are lower-case letters, digits and single . _ - between them",
            hint="rename the folder",
        )
    document = Table.read(path / _FILE)
    kinds = [key for key in ("suite", "extends", "image") if key in document]
    if len(kinds) > 1:
        raise document.error(kinds[1], f"cannot stand together with {kinds[0]}")
    if "extends" in document:
        return _extension(document, path, extended_by=extended_by)
    if "image" in document:
        return _image(document, path)
    if not kinds:
        document.only(_DEBIAN_KEYS)
        raise ConfigError(
            f"{path / _FILE} says nothing about where the base comes from",
            hint="set one of suite (Debian packages), extends (another base) or image",
        )
    return _debian(document, path)


def _debian(document: Table, path: Path) -> Base:
    document.only(_DEBIAN_KEYS)
    return Base(
        name=path.name,
        path=path,
        description=document.string("description"),
        python=_matching(document, "python", _MINOR, 'a minor version such as "3.11"'),
        platforms=_platforms(document),
        suite=_matching(document, "suite", _SUITE, 'a Debian codename such as "bookworm"'),
        packages=_packages(document, "packages", required=True),
        exclude=_packages(document, "exclude"),
    )


def _extension(document: Table, path: Path, *, extended_by: tuple[str, ...]) -> Base:
    document.only(_EXTENSION_KEYS)
    name = _matching(document, "extends", NAME, "the name of another base")
    chain = (*extended_by, path.name)
    if name in chain:
        raise document.error("extends", f"goes in a circle: {' → '.join((*chain, name))}")
    folder = path.parent / name
    if not (folder / _FILE).is_file():
        known = sorted(file.parent.name for file in path.parent.glob(f"*/{_FILE}"))
        raise document.error(
            "extends",
            f"names {name!r}, which is not a base",
            hint=f"known bases: {', '.join(known)}",
        )
    parent = _read(folder, extended_by=chain)
    if parent.image:
        raise document.error(
            "extends",
            f"names {name!r}, which is a registry image",
            hint="only a base of Debian packages can be extended",
        )
    return Base(
        name=path.name,
        path=path,
        description=document.string("description"),
        python=parent.python,
        platforms=parent.platforms,
        extends=name,
        packages=_packages(document, "packages", required=True),
        exclude=_packages(document, "exclude"),
    )


def _image(document: Table, path: Path) -> Base:
    document.only(_IMAGE_KEYS)
    python = _matching(document, "python", _MINOR, 'a minor version such as "3.11"')
    version = document.string("python_version")
    if not re.fullmatch(rf"{re.escape(python)}\.[0-9]+", version):
        raise document.error(
            "python_version", f"must be the exact version of its Python, such as {python}.4"
        )
    interpreter = document.string("interpreter")
    if not interpreter.startswith("/"):
        raise document.error("interpreter", "must be the absolute path of its Python")
    return Base(
        name=path.name,
        path=path,
        description=document.string("description"),
        python=python,
        platforms=_platforms(document),
        image=_matching(document, "image", _IMAGE, "pinned: registry/name@sha256:<64 digits>"),
        python_version=version,
        glibc=_matching(document, "glibc", _GLIBC, 'its C library\'s version, such as "2.36"'),
        interpreter=interpreter,
    )


def _matching(document: Table, key: str, pattern: re.Pattern[str], meaning: str) -> str:
    value = document.string(key)
    if not pattern.fullmatch(value):
        raise document.error(key, f"must be {meaning}, not {value!r}")
    return value


def _platforms(document: Table) -> tuple[str, ...]:
    platforms = document.strings("platforms", ("linux/amd64",))
    for platform in platforms:
        if not _PLATFORM.fullmatch(platform):
            raise document.error("platforms", f"names {platform!r}, not one such as linux/amd64")
    if not platforms or len(set(platforms)) < len(platforms):
        raise document.error("platforms", "must name at least one platform, and each only once")
    return platforms


def _packages(document: Table, key: str, *, required: bool = False) -> tuple[str, ...]:
    names = document.strings(key)
    for name in names:
        if not _PACKAGE.fullmatch(name):
            raise document.error(key, f"names {name!r}, which is no Debian package's name")
    if required and not names:
        raise document.error(key, "must name at least one Debian package")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise document.error(key, f"names {twice!r} twice")
    return names
