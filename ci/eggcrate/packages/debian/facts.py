"""What Debian packages say of themselves: their source, and under which licences they are.

Licences are the names in ``/usr/share/doc/<package>/copyright``: of the machine-readable format
(https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/) its ``License`` fields, of
others the texts in ``/usr/share/common-licenses`` that they name.
"""

from __future__ import annotations

import contextlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.errors import IntegrityError
from eggcrate.files import atomic_write, sealed, unsealed
from eggcrate.packages.debian.control import parse_paragraph
from eggcrate.packages.debian.deb import read_deb
from eggcrate.packages.entries import EntryKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from eggcrate.packages.debian.deb import Deb
    from eggcrate.packages.debian.values import FetchedDeb, LockedDeb

RELEASES = {"bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14"}
"""Debian's releases by codename."""
_VERSION = 1
_THREADS = 2
_FIELD = re.compile(r"^License:[ \t]*(\S.*)$", re.MULTILINE)
_COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z]+(?:-\d+(?:\.\d+)*)?)")
_SOURCE = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]*)(?:\s*\((?P<version>\S+)\))?")
_REBUILT = re.compile(r"\+b\d+$")
_GNU = re.compile(r"(?P<name>A?GPL|LGPL|GFDL)-(?P<version>\d+(?:\.\d+)?)(?P<later>\+?)")
_SPDX = {
    "apache-2.0": "Apache-2.0",
    "artistic": "Artistic-1.0-Perl",
    "artistic-2.0": "Artistic-2.0",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-4-clause": "BSD-4-Clause",
    "bsl-1.0": "BSL-1.0",
    "cc0-1.0": "CC0-1.0",
    "expat": "MIT",
    "isc": "ISC",
    "mit": "MIT",
    "mpl-1.1": "MPL-1.1",
    "mpl-2.0": "MPL-2.0",
    "zlib": "Zlib",
}
"""Debian's names to SPDX's, where they differ in more than a version."""


@dataclass(frozen=True, kw_only=True)
class DebFacts:
    """What is known of a Debian package beyond its lock."""

    source: str
    """The source package it was built from, by which vulnerabilities are told."""
    source_version: str
    licences: tuple[str, ...]
    """SPDX identifiers where Debian's names have one; none when they cannot be told."""
    licence_of: str = ""
    """Another package whose documentation, and so licence, is this one's as well."""


def deb_facts(
    debs: Sequence[LockedDeb],
    fetch: Callable[[Sequence[LockedDeb]], Sequence[FetchedDeb]],
    *,
    cache: Path,
) -> dict[LockedDeb, DebFacts]:
    """What each package says of itself, remembered by its hash.

    Args:
        debs: of one or more bases.
        fetch: gives the files of those that are not remembered.
        cache: the user's.

    Raises:
        EggcrateError: a package cannot be had or read.
    """
    found = {deb: facts for deb in debs if (facts := _remembered(deb, cache))}
    missing = [deb for deb in debs if deb not in found]
    if missing:
        with ThreadPoolExecutor(_THREADS) as pool:
            learnt = pool.map(lambda fetched: _learn(fetched, cache), fetch(missing))
            found.update(zip(missing, learnt, strict=True))
    lent = {deb.name: found[deb].licences for deb in debs}
    return {deb: _with_lent(found[deb], lent) for deb in debs}


def facts_of(deb: Deb, *, version: str) -> DebFacts:
    """Read the facts of an unpacked package.

    Raises:
        IntegrityError: its control paragraph cannot be read.
    """
    try:
        control = parse_paragraph(deb.control)
    except ValueError as error:
        raise IntegrityError(
            f"the Debian package {deb.name} has no readable control file", why=str(error)
        ) from error
    match = _SOURCE.fullmatch(control.get("Source", "").strip())
    folder = f"usr/share/doc/{deb.name}"
    text, lender = "", ""
    for entry in deb.entries:
        if entry.path == f"{folder}/copyright" and entry.kind is EntryKind.FILE:
            text = entry.content.decode("utf-8", "replace")
        elif entry.path in (folder, f"{folder}/copyright") and entry.kind is EntryKind.SYMLINK:
            lender = entry.link.removesuffix("/copyright").rpartition("/")[2]
    return DebFacts(
        source=match["name"] if match else deb.name,
        source_version=(match["version"] if match else None) or _REBUILT.sub("", version),
        licences=licences_of(text),
        licence_of=lender,
    )


def licences_of(copyright_file: str) -> tuple[str, ...]:
    """The licences that a copyright file names, each once, sorted."""
    if copyright_file.lstrip().startswith("Format:"):
        named = [
            word
            for field in _FIELD.findall(copyright_file)
            for word in re.split(r"\s+(?:and|or|with)\b.*?(?=\s|$)|[,\s]+", field)
        ]
    else:
        named = _COMMON.findall(copyright_file)
    return tuple(sorted({_spdx(word) for word in named if word and word not in ("and", "or")}))


def _spdx(name: str) -> str:
    if match := _GNU.fullmatch(name.rstrip(".")):
        version = match["version"] if "." in match["version"] else f"{match['version']}.0"
        if match["name"] == "GFDL" and "." not in match["version"]:
            version = f"1.{match['version']}"
        return f"{match['name']}-{version}-{'or-later' if match['later'] else 'only'}"
    return _SPDX.get(name.lower(), name)


def _with_lent(facts: DebFacts, lent: dict[str, tuple[str, ...]]) -> DebFacts:
    if facts.licences or not facts.licence_of:
        return facts
    return replace(facts, licences=lent.get(facts.licence_of, ()))


def _learn(fetched: FetchedDeb, cache: Path) -> DebFacts:
    facts = facts_of(read_deb(fetched), version=fetched.deb.version)
    document = {
        "version": _VERSION,
        "source": facts.source,
        "source_version": facts.source_version,
        "licences": list(facts.licences),
        "licence_of": facts.licence_of,
    }
    with contextlib.suppress(OSError):  # a cache that cannot be written is a slow one
        atomic_write(_record(fetched.deb, cache), sealed(document), flush=False)
    return facts


def _remembered(deb: LockedDeb, cache: Path) -> DebFacts | None:
    try:
        told = unsealed(_record(deb, cache).read_bytes())
        if told["version"] != _VERSION:
            return None
        return DebFacts(
            source=str(told["source"]),
            source_version=str(told["source_version"]),
            licences=tuple(str(one) for one in told["licences"]),
            licence_of=str(told["licence_of"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _record(deb: LockedDeb, cache: Path) -> Path:
    return cache / "deb-facts" / deb.sha256[:2] / f"{deb.sha256}.json"
