"""What pip's sources offer of a project, by version."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from eggcrate.errors import UnsupportedPackageError
from eggcrate.packages.poetry_lock import LockedFile, LockedPackage
from eggcrate.packages.selection import distribution

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from unearth.link import Link

    from eggcrate.packages.indexes import Indexes, Source
    from eggcrate.packages.target import Target


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One version of a project."""

    name: str
    version: Version
    files: tuple[str, ...]
    requires_python: tuple[str, ...]
    """What its files say, each once; empty when one of them says nothing."""
    yanked: bool
    """Whether its publisher took all of it back."""

    def runs_on(self, python: str) -> bool:
        """Whether it says that it works with this exact version of Python."""
        return not self.requires_python or any(
            _allows(text, python) for text in self.requires_python
        )

    def installs_on(self, target: Target) -> bool:
        """Whether one of its files is a wheel for the target or an sdist."""
        package = LockedPackage(
            name=self.name,
            version=str(self.version),
            files=tuple(LockedFile(name=file, sha256="") for file in self.files),
            dependencies=(),
            groups=None,
            markers=(),
            source=None,
        )
        try:
            distribution(package, target)
        except UnsupportedPackageError:
            return False
        return True


def project_links(
    indexes: Indexes, sources: Sequence[Source], name: str
) -> tuple[Link, ...] | None:
    """What all sources together offer; of files with one name the first. ``None``: none knows it.

    Args:
        indexes: that read the sources.
        sources: in the order in which they are asked.
        name: of the project, normalised.

    Raises:
        PackageIndexError: a source cannot be read.
    """
    found: dict[str, Link] = {}
    known = False
    for source in sources:
        links = indexes.links(source, name)
        known = known or (links is not None and source.is_index)
        for link in links or ():
            if source.is_index or _is_for(link, name):
                found.setdefault(link.filename, link)
    return tuple(found.values()) if known or found else None


def _is_for(link: Link, name: str) -> bool:
    """Whether a file on a page of links belongs to a project (with a normalised name)."""
    stem = re.sub(r"[-_.]+", "-", link.filename).lower()
    return stem.startswith(f"{name}-")


def offers(name: str, links: Iterable[Link]) -> Mapping[Version, Offer]:
    """Files of a project by version, oldest first; what has no version in its name is left out."""
    found: dict[Version, list[Link]] = {}
    for link in links:
        with contextlib.suppress(InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
            parse = parse_wheel_filename if link.is_wheel else parse_sdist_filename
            found.setdefault(parse(link.filename)[1], []).append(link)
    return {
        version: Offer(
            name=name,
            version=version,
            files=tuple(link.filename for link in found[version]),
            requires_python=_pythons(found[version]),
            yanked=all(link.is_yanked for link in found[version]),
        )
        for version in sorted(found)
    }


def _pythons(links: Sequence[Link]) -> tuple[str, ...]:
    if not all(link.requires_python for link in links):
        return ()
    return tuple(dict.fromkeys(str(link.requires_python) for link in links))


def _allows(text: str, python: str) -> bool:
    try:
        return SpecifierSet(text).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True  # pip passes over what it cannot read
