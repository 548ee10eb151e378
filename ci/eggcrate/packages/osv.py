"""Vulnerabilities as the OSV format tells them, and whether a version has one.

Specification: https://ossf.github.io/osv-schema/, version 1.6. Versions are compared as their
ecosystem does: PEP 440 for PyPI, Debian's policy 5.6.12 for Debian.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from eggcrate.errors import VulnerabilityDataError
from eggcrate.packages.debian.versions import version_key
from eggcrate.packages.severity import Severity, severity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

PYPI = "PyPI"
DEBIAN = "Debian"
_FIRST = "0"
"""The version before all others, in events."""
_LONGEST = 200


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package in a version, as a database knows it."""

    ecosystem: str
    """``PyPI``, or ``Debian:12``."""
    name: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Affected:
    """What a vulnerability says of one package."""

    package: Package
    """Without a version."""
    versions: tuple[str, ...]
    ranges: tuple[tuple[tuple[str, str], ...], ...]
    """Of each its events in their order: ``introduced``, ``fixed``, ``last_affected``."""

    @property
    def fixed(self) -> tuple[str, ...]:
        """The versions that do not have it any more."""
        return tuple(text for events in self.ranges for kind, text in events if kind == "fixed")


@dataclass(frozen=True, kw_only=True)
class Vulnerability:
    """One record."""

    id: str
    aliases: tuple[str, ...]
    """Other names of it, such as a CVE's."""
    about: tuple[str, ...]
    """What a distribution's own record is about: CVEs."""
    summary: str
    severity: Severity
    score: float | None
    """CVSS base score; ``None`` when no vector is given."""
    affected: tuple[Affected, ...]
    withdrawn: bool

    def known_as(self, name: str) -> bool:
        """Whether it has a name."""
        return name.upper() in {one.upper() for one in (self.id, *self.aliases, *self.about)}

    def hits(self, package: Package) -> bool:
        """Whether a package in its version has it."""
        return any(
            _same(one.package, package) and _is_affected(one, package) for one in self.affected
        )

    def fixes(self, package: Package) -> tuple[str, ...]:
        """The versions newer than a package's that do not have it, the oldest first."""
        key = _key(package.ecosystem)
        mine = key(package.version)
        found = {
            text
            for one in self.affected
            if _same(one.package, package)
            for text in one.fixed
            if _comparable(text, key) and key(text) > mine
        }
        return tuple(sorted(found, key=key))


class Kind(enum.StrEnum):
    """Kinds of events in a range."""

    INTRODUCED = "introduced"
    FIXED = "fixed"
    LAST = "last_affected"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a record is about, and the record where it is about something that was asked for."""

    ecosystems: frozenset[str]
    vulnerability: Vulnerability | None


def parse(document: Any, *, where: str, names: Collection[str]) -> Told:
    """Read a record.

    Args:
        document: JSON.
        where: it is from, for messages.
        names: of the packages that matter, normalised.

    Raises:
        VulnerabilityDataError: it is none.
    """
    try:
        packages = [one.get("package") or {} for one in document.get("affected") or ()]
        found = {str(one.get("ecosystem", "")).partition(":")[0] for one in packages}
        _text(document["id"])
        hit = any(canonicalize_name(_text(one["name"])) in names for one in packages if one)
        return Told(ecosystems=frozenset(found), vulnerability=_parsed(document) if hit else None)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise VulnerabilityDataError(
            f"{where} is not a record of a vulnerability", why=repr(error)
        ) from error


def _parsed(document: Any) -> Vulnerability:
    affected = tuple(_affected(one) for one in document.get("affected") or () if _ours(one))
    vectors = [
        (str(item["type"]), str(item["score"]))
        for holder in (document, *(document.get("affected") or ()))
        for item in holder.get("severity") or ()
    ]
    severity, score = severity_of(vectors, _words(document))
    return Vulnerability(
        id=_text(document["id"]),
        aliases=tuple(_text(one) for one in document.get("aliases") or ()),
        about=tuple(_text(one) for one in document.get("upstream") or ()),
        summary=" ".join(str(document.get("summary") or "").split())
        or " ".join(str(document.get("details") or "").split())[:_LONGEST],
        severity=severity,
        score=score,
        affected=affected,
        withdrawn=bool(document.get("withdrawn")),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is no text")
    return value


def _words(document: Mapping[str, Any]) -> list[str]:
    """What databases say in a word of their own."""
    told = [document.get("database_specific")]
    for one in document.get("affected") or ():
        told += [one.get("database_specific"), one.get("ecosystem_specific")]
    found = []
    for item in told:
        if isinstance(item, dict):
            found += [item.get("severity"), item.get("urgency")]
    return [word for word in found if isinstance(word, str)]


def _ours(one: Any) -> bool:
    package = one.get("package") or {}
    return str(package.get("ecosystem", "")).partition(":")[0] in (PYPI, DEBIAN)


def _affected(one: Mapping[str, Any]) -> Affected:
    package = one["package"]
    ranges = []
    for item in one.get("ranges") or ():
        if item["type"] == "GIT":
            continue
        events = [
            (str(kind), _text(version))
            for event in item["events"]
            for kind, version in event.items()
            if kind in set(Kind)
        ]
        ranges.append(tuple(events))
    return Affected(
        package=Package(
            ecosystem=_text(package["ecosystem"]), name=_text(package["name"]), version=""
        ),
        versions=tuple(_text(version) for version in one.get("versions") or ()),
        ranges=tuple(ranges),
    )


def _same(told: Package, package: Package) -> bool:
    if told.ecosystem not in (package.ecosystem, package.ecosystem.partition(":")[0]):
        return False
    if package.ecosystem == PYPI:
        return canonicalize_name(told.name) == canonicalize_name(package.name)
    return told.name == package.name


def _is_affected(one: Affected, package: Package) -> bool:
    """OSV's own algorithm: named itself, or in a range."""
    key = _key(package.ecosystem)
    mine = key(package.version)
    named = any(_comparable(text, key) and key(text) == mine for text in one.versions)
    return named or any(_in_range(events, mine, key) for events in one.ranges)


def _in_range(events: Iterable[tuple[str, str]], mine: Any, key: Callable[[str], Any]) -> bool:
    """Whether a version lies between the events that let a vulnerability in and out."""
    usable = []
    for kind, text in events:
        known = text != _FIRST and _comparable(text, key)
        # What cannot be compared makes the range wider, never narrower.
        if known or text == _FIRST or kind == Kind.INTRODUCED:
            usable.append((known, key(text) if known else 0, list(Kind).index(Kind(kind))))
    inside = False
    for known, at, number in sorted(usable):
        kind = list(Kind)[number]
        if kind is Kind.INTRODUCED:
            inside = inside or not known or mine >= at
        elif kind is Kind.FIXED:
            inside = inside and known and mine < at
        else:
            inside = inside and known and mine <= at
    return inside


def _key(ecosystem: str) -> Callable[[str], Any]:
    return Version if ecosystem == PYPI else version_key


def _comparable(text: str, key: Callable[[str], Any]) -> bool:
    try:
        key(text)
    except (InvalidVersion, ValueError):
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A package that has a vulnerability."""

    package: Package
    vulnerability: Vulnerability
    fixes: tuple[str, ...]
    """Newer versions without it, the oldest first."""


def hits(packages: Iterable[Package], records: Sequence[Vulnerability]) -> list[Hit]:
    """Every package with every vulnerability that it has; one with two records is told once.

    Raises:
        VulnerabilityDataError: a package has a version that cannot be compared.
    """
    by_name: dict[str, list[Vulnerability]] = {}
    for record in records:
        if not record.withdrawn:
            for name in {canonicalize_name(one.package.name) for one in record.affected}:
                by_name.setdefault(name, []).append(record)
    found = []
    for package in packages:
        if not _comparable(package.version, _key(package.ecosystem)):
            raise VulnerabilityDataError(
                f"{package.name} {package.version} cannot be judged",
                why=f"its version is none that {package.ecosystem} knows",
            )
        told: list[Vulnerability] = []
        for record in by_name.get(canonicalize_name(package.name), ()):
            if record.hits(package) and not any(_is_alias(record, other) for other in told):
                told.append(record)
        found += [
            Hit(package=package, vulnerability=record, fixes=record.fixes(package))
            for record in sorted(told, key=lambda one: one.id)
        ]
    return found


def _is_alias(one: Vulnerability, other: Vulnerability) -> bool:
    return bool({one.id, *one.aliases} & {other.id, *other.aliases})
