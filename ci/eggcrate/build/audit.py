"""Known vulnerabilities in what images are made of, whom they reach, and what is excused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.build.bill import Bill, Part, PartKind
from eggcrate.packages.osv import DEBIAN, PYPI, Hit, Package, hits
from eggcrate.packages.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from eggcrate.packages.osv import Vulnerability
    from eggcrate.repo.policy import PolicyException

RULE = "vulnerability"
"""What an exception names as its rule."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A vulnerability of an image."""

    image: str
    """The environment, or ``NAME@TAG`` of a published image."""
    platform: str
    part: Part
    hit: Hit
    chain: tuple[str, ...] = ()
    """Who requires the package, from what the environment asks for down to it."""
    components: tuple[str, ...] = ()
    """That run in the environment."""
    exception: PolicyException | None = None
    """What excuses it, until then."""
    expired: PolicyException | None = None

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.hit.vulnerability.severity

    def fails(self, least: Severity, *, fixable: bool) -> bool:
        """Whether a gate must close for it.

        Args:
            least: the least severity that counts; what is not known always does.
            fixable: only what has a fix counts.
        """
        if self.exception or (fixable and not self.hit.fixes):
            return False
        return self.severity >= least


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What was found in all images."""

    findings: tuple[Finding, ...]
    packages: int
    """How many were judged."""
    records: int
    """How many the database had to judge them by."""
    unjudged: tuple[str, ...] = ()
    """What is in images and cannot be judged, such as registry images as bases."""
    unneeded: tuple[PolicyException, ...] = ()
    """Exceptions that excuse nothing."""


def packages_of(bills: Iterable[Bill]) -> list[Package]:
    """All packages of images as a database knows them, each once."""
    found = {_package(part) for bill in bills for part in bill.parts}
    return sorted(
        (one for one in found if one), key=lambda one: (one.ecosystem, one.name, one.version)
    )


def _package(part: Part) -> Package | None:
    if part.kind is PartKind.PYTHON:
        return Package(ecosystem=PYPI, name=part.name, version=part.version)
    if part.kind is PartKind.DEBIAN:
        # Debian tells vulnerabilities of sources, by the number of the release.
        return Package(
            ecosystem=f"{DEBIAN}:{part.release}", name=part.source, version=part.source_version
        )
    return None


def audit(
    bills: Mapping[str, Bill],
    records: Sequence[Vulnerability],
    *,
    exceptions: Mapping[str, Sequence[PolicyException]],
    chain: Callable[[str, str], tuple[str, ...]],
    components: Mapping[str, tuple[str, ...]],
    today: date,
    records_in_all: int,
) -> Audit:
    """Judge images by a database.

    Args:
        bills: what is in each, by the name that it is told under.
        records: of the database, those that may be about these packages.
        exceptions: of each environment, by the same names.
        chain: tells through whom an image has a package.
        components: that run in each.
        today: what exceptions' days are compared with.
        records_in_all: how many the database has, those about other packages included.
    """
    packages = packages_of(bills.values())
    by_package: dict[Package, list[Hit]] = {}
    for hit in hits(packages, records):
        by_package.setdefault(hit.package, []).append(hit)
    findings: list[Finding] = []
    unneeded: list[PolicyException] = []
    for name, bill in bills.items():
        mine = [
            Finding(
                image=name,
                platform=bill.platform,
                part=part,
                hit=hit,
                chain=chain(name, part.name) if part.kind is PartKind.PYTHON else (),
                components=components.get(name, ()),
            )
            for part in bill.parts
            if (package := _package(part))
            for hit in by_package.get(package, ())
        ]
        told, idle = excused(mine, exceptions.get(name, ()), today)
        findings += told
        unneeded += idle
    return Audit(
        findings=worst_first(findings),
        packages=len(packages),
        records=records_in_all,
        unjudged=tuple(
            sorted(
                {str(part) for bill in bills.values() for part in bill.parts if not _package(part)}
            )
        ),
        unneeded=tuple(unneeded),
    )


def excused(
    found: Iterable[Finding], granted: Iterable[PolicyException], today: date
) -> tuple[list[Finding], list[PolicyException]]:
    """Findings with what excuses each, wherever they come from; and exceptions that excuse nothing.

    Args:
        found: of one image.
        granted: the exceptions of its environment, to any rule.
        today: what their days are compared with.
    """
    mine = [item for item in granted if item.rule == RULE]
    used: set[PolicyException] = set()
    told = []
    for one in found:
        fitting = [item for item in mine if _excuses(item, one)]
        used.update(fitting)
        valid = next((item for item in fitting if item.until >= today), None)
        late = next(iter(fitting), None) if valid is None else None
        told.append(replace(one, exception=valid, expired=late))
    return told, [item for item in mine if item not in used]


def _excuses(item: PolicyException, finding: Finding) -> bool:
    vulnerability = finding.hit.vulnerability
    if item.id and not vulnerability.known_as(item.id):
        return False
    return item.package in ("", finding.part.name, finding.part.source)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The order in which findings are told."""
    return tuple(
        sorted(
            findings,
            key=lambda one: (
                -one.severity,
                one.part.name,
                one.hit.vulnerability.id,
                one.image,
                one.platform,
            ),
        )
    )
