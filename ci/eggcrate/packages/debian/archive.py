"""All packages that a Debian release offers, updates and security updates among them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.errors import IntegrityError
from eggcrate.packages.debian.control import (
    Alternatives,
    Relation,
    parse_dependencies,
    parse_paragraph,
)
from eggcrate.packages.debian.http import client
from eggcrate.packages.debian.release import read_index, read_release
from eggcrate.packages.debian.signature import archive_keys
from eggcrate.packages.debian.values import LockedDeb, is_pool_path
from eggcrate.packages.debian.versions import VersionKey, version_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from eggcrate.packages.debian.mirror import Mirrors
    from eggcrate.packages.debian.release import Release
    from eggcrate.progress import Progress

_SUITES = ("{}", "{}-updates", "{}-security")
_UNRELEASED = frozenset({"sid", "unstable"})
_PROVIDES = re.compile(rb"^Provides: (.*)$", re.MULTILINE)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Package:
    """One package as the index describes it."""

    deb: LockedDeb
    depends: tuple[Alternatives, ...]
    """What it needs to be there, ``Pre-Depends`` included."""
    provides: tuple[Relation, ...]
    conflicts: tuple[Relation, ...]
    """What must not be there, ``Breaks`` included."""

    @property
    def order(self) -> VersionKey:
        """Its version, to sort by."""
        return version_key(self.deb.version)


class Archive:
    """Packages by name, and by the names they provide; paragraphs are parsed when asked for."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._named: dict[str, list[bytes]] = defaultdict(list)
        self._provided: dict[str, list[bytes]] = defaultdict(list)
        self._parsed: dict[bytes, Package] = {}
        for block in blocks:
            first = block.partition(b"\n")[0]
            if not first.startswith(b"Package: "):
                raise IntegrityError("the Debian index does not begin a paragraph with a name")
            self._named[first[9:].strip().decode("ascii")].append(block)
            if match := _PROVIDES.search(block):
                for part in match[1].split(b","):
                    self._provided[part.strip().split(b" ")[0].decode("ascii")].append(block)

    def versions(self, name: str) -> list[Package]:
        """The real packages of this name, newest first."""
        return self._newest_first(self._named.get(name, ()))

    def providers(self, name: str) -> list[Package]:
        """Packages that provide this name, by their own names, newest first."""
        packages = self._newest_first(self._provided.get(name, ()))
        return sorted(packages, key=lambda package: package.deb.name)

    def find(self, deb: LockedDeb) -> Package | None:
        """Exactly this package, if the archive still has it."""
        return next((p for p in self.versions(deb.name) if p.deb.sha256 == deb.sha256), None)

    def successor(self, deb: LockedDeb) -> Package | None:
        """The newest package of the same name."""
        return next(iter(self.versions(deb.name)), None)

    def _newest_first(self, blocks: Iterable[bytes]) -> list[Package]:
        packages = [self._package(block) for block in blocks]
        return sorted(packages, key=lambda package: package.order, reverse=True)

    def _package(self, block: bytes) -> Package:
        if block not in self._parsed:
            self._parsed[block] = parse_package(block)
        return self._parsed[block]


ArchiveReader = Callable[[str, str], Archive]
"""From a suite's codename and an architecture to its packages."""


def parse_package(block: bytes) -> Package:
    """Read one paragraph of a ``Packages`` index.

    Raises:
        IntegrityError: it is not understood.
    """
    try:
        fields = parse_paragraph(block.decode("utf-8"))
        deb = LockedDeb(
            name=fields["Package"],
            version=fields["Version"],
            architecture=fields["Architecture"],
            path=fields["Filename"],
            sha256=fields["SHA256"],
            size=int(fields["Size"]),
        )
        _check(deb)
        depends = [fields.get(name, "") for name in ("Pre-Depends", "Depends")]
        against = [fields.get(name, "") for name in ("Conflicts", "Breaks")]
        return Package(
            deb=deb,
            depends=tuple(group for field in depends for group in parse_dependencies(field)),
            provides=_flat(fields.get("Provides", "")),
            conflicts=tuple(relation for field in against for relation in _flat(field)),
        )
    except (KeyError, ValueError) as error:
        name = block.partition(b"\n")[0].decode("utf-8", "replace")
        raise IntegrityError(
            f"the Debian index is not understood at {name!r}", why=str(error)
        ) from error


def _check(deb: LockedDeb) -> None:
    version_key(deb.version)
    if not _SHA256.fullmatch(deb.sha256) or not is_pool_path(deb.path):
        raise ValueError(f"{deb.path} with SHA-256 {deb.sha256!r}")


def _flat(field: str) -> tuple[Relation, ...]:
    return tuple(relation for group in parse_dependencies(field) for relation in group)


class SignedArchives:
    """Reads releases through their signatures, each suite and architecture once.

    Args:
        mirrors: where to read.
        cache: the user's cache; indexes are kept there by their hash.
        progress: told what is read.
        seen: dates of releases accepted before; older ones are refused.
        keys: an OpenPGP keyring to trust in place of Debian's own keys.
    """

    def __init__(
        self,
        mirrors: Mirrors,
        *,
        cache: Path,
        progress: Progress,
        seen: Mapping[str, datetime] | None = None,
        keys: bytes | None = None,
    ) -> None:
        self._mirrors = mirrors
        self._cache = cache
        self._progress = progress
        self._seen = dict(seen or {})
        self._keys = archive_keys() if keys is None else keys
        self._archives: dict[tuple[str, str], Archive] = {}
        self._releases: dict[str, Release] = {}

    def __call__(self, codename: str, architecture: str) -> Archive:
        """The packages of a release for an architecture.

        Raises:
            BaseError: no mirror gives a trustworthy index.
        """
        key = codename, architecture
        if key not in self._archives:
            suites = _SUITES[:1] if codename in _UNRELEASED else _SUITES
            names = [suite.format(codename) for suite in suites]
            self._archives[key] = Archive(
                block for suite in names for block in self._blocks(suite, architecture)
            )
        return self._archives[key]

    def dates(self, codename: str) -> dict[str, datetime]:
        """The suites of one release that were read, with their dates."""
        names = {suite.format(codename) for suite in _SUITES}
        return {name: release.date for name, release in self._releases.items() if name in names}

    def _blocks(self, suite: str, architecture: str) -> Iterable[bytes]:
        self._progress.status(f"reading the index of {suite} for {architecture} …")
        with client() as http:
            if suite not in self._releases:
                # Once for all architectures, which then have the same versions.
                self._releases[suite] = read_release(
                    http, self._mirrors, suite, keys=self._keys, seen=self._seen.get(suite)
                )
            yield from read_index(http, self._releases[suite], architecture, cache=self._cache)
