"""Published images held to what Google's scanner found in them.

The judgement is :mod:`eggcrate.build.audit`'s; only where findings come from is another. An image
of which not everything is known is never good.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from eggcrate.build import image
from eggcrate.build.audit import Finding, excused, worst_first
from eggcrate.build.bill import Part, PartKind
from eggcrate.build.plan import STABLE
from eggcrate.cloud.artifact_analysis import ScanState
from eggcrate.errors import EggcrateError
from eggcrate.packages.osv import DEBIAN, PYPI, Hit, Package, Vulnerability
from eggcrate.packages.target import Platform, Target
from eggcrate.parsing import json_of
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from eggcrate.cloud.artifact_analysis import Issue, Scanned
    from eggcrate.cloud.inventory import Held, Name
    from eggcrate.packages.severity import Severity
    from eggcrate.registry.remote import Remote
    from eggcrate.repo.policy import PolicyException

_SHOWN = len("sha256:") + 12
_KINDS = {"OS": PartKind.DEBIAN, "PYPI": PartKind.PYTHON}
_MAY_CHANGE = frozenset({ScanState.NOT_SCANNED, ScanState.PENDING, ScanState.SCANNING})


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A published image, of one platform."""

    environment: str
    digest: str
    version: str
    """What it is told as: a tag, or the beginning of its digest."""
    used_by: tuple[str, ...] = ()
    key: str = ""
    target: Target | None = None
    """What it says of itself; ``None`` when it is none of ours."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Python packages, normalised, with their versions."""

    @property
    def name(self) -> str:
        """As it is told."""
        return f"{self.environment}@{self.version}"


@dataclass(frozen=True, kw_only=True)
class Looked:
    """An image, what is known of it, and what that means."""

    subject: Subject
    scanned: Scanned
    findings: tuple[Finding, ...] = ()

    @property
    def known(self) -> bool:
        """Whether no finding can be missing."""
        return self.scanned.state is ScanState.FINISHED


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What was found in all images."""

    images: tuple[Looked, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of all images, the worst first."""
        return worst_first(finding for one in self.images for finding in one.findings)

    @property
    def unknown(self) -> tuple[Looked, ...]:
        """Images of which not everything is known."""
        return tuple(one for one in self.images if not one.known)

    def good(self, least: Severity, *, fixable: bool) -> bool:
        """Whether a gate opens: something was looked at, all is known, and nothing closes it."""
        return (
            bool(self.images)
            and not self.unknown
            and not any(one.fails(least, fixable=fixable) for one in self.findings)
        )


def in_use(
    items: Iterable[Held], used: Mapping[Name, Sequence[str]], only: Iterable[str] = ()
) -> dict[Name, tuple[str, ...]]:
    """The images that something uses, with who does; an index stands for what it names.

    Args:
        items: what the registry holds.
        used: what of it is used.
        only: names of environments; none for all.
    """
    found: dict[Name, list[str]] = {}
    wanted = frozenset(only)
    for item in items:
        users = used.get(item.named)
        if (
            users
            and not item.about
            and item.kind != "proof"
            and item.name in (wanted or {item.name})
        ):
            for digest in item.parts or (item.digest,):
                found.setdefault((item.name, digest), []).extend(users)
    return {named: tuple(dict.fromkeys(users)) for named, users in sorted(found.items())}


def named(remote: Remote, name: str, reference: str) -> dict[Name, tuple[str, ...]]:
    """The images that a tag or digest of an environment stands for.

    Raises:
        StoreError: it is not published.
    """
    content, descriptor = remote.get_manifest(name, reference)
    parsed = oci.parse(content, remote.image(name, reference))
    if isinstance(parsed, oci.Index):
        return {(name, item.digest): (reference,) for item in parsed.manifests}
    return {(name, descriptor.digest): (reference,)}


def read_subjects(remote: Remote, wanted: Mapping[Name, Sequence[str]]) -> tuple[Subject, ...]:
    """What images say of themselves.

    Raises:
        RegistryError: one cannot be had.
    """
    return tuple(remote.each(lambda one: _subject(remote, *one[0], users=one[1]), wanted.items()))


def _subject(remote: Remote, name: str, digest: str, *, users: Sequence[str]) -> Subject:
    content, _ = remote.get_manifest(name, digest)
    parsed = oci.parse(content, remote.image(name, digest))
    tags = [user.removeprefix("tag ") for user in users]
    version = STABLE if STABLE in tags else digest[:_SHOWN]
    plain = Subject(environment=name, digest=digest, version=version, used_by=tuple(users))
    told = parsed.annotations
    try:
        return replace(
            plain,
            key=told[image.KEY],
            target=Target(
                python=told[image.PYTHON],
                platform=Platform.parse(told[image.PLATFORM]),
                glibc=(0, 0),
            ),
            packages={
                str(package): str(held) for package, held in json_of(told[image.PACKAGES]).items()
            },
        )
    except (KeyError, ValueError, AttributeError, EggcrateError):
        return plain  # what Google found in it is told all the same


def look(
    subjects: Iterable[Subject],
    ask: Callable[[Subject], Scanned],
    *,
    wait: float = 0.0,
    pause: float = 10.0,
) -> list[tuple[Subject, Scanned]]:
    """Ask what is known of each image; where more may come soon, again.

    Args:
        subjects: the images.
        ask: tells what is known of one.
        wait: seconds for which to ask again, all together.
        pause: seconds between.
    """
    end = time.monotonic() + wait
    found = {subject.digest: (subject, ask(subject)) for subject in subjects}
    while time.monotonic() < end:
        waiting = [one for one, told in found.values() if told.state in _MAY_CHANGE]
        if not waiting:
            break
        time.sleep(min(pause, max(0.0, end - time.monotonic())))
        found.update({one.digest: (one, ask(one)) for one in waiting})
    return list(found.values())


def judge(
    looked: Iterable[tuple[Subject, Scanned]],
    *,
    exceptions: Mapping[str, Sequence[PolicyException]],
    chain: Callable[[Subject, str], tuple[str, ...]],
    components: Callable[[Subject], tuple[str, ...]],
    today: date,
) -> Scan:
    """What was found, with whom it reaches and what is excused.

    Args:
        looked: images with what is known of each.
        exceptions: of each environment.
        chain: tells through whom an image has a Python package.
        components: tells what runs in an image.
        today: what exceptions' days are compared with.
    """
    images = []
    for subject, scanned in looked:
        reached = components(subject)
        found = [_finding(subject, issue, reached, chain) for issue in scanned.issues]
        told, _ = excused(found, exceptions.get(subject.environment, ()), today)
        images.append(Looked(subject=subject, scanned=scanned, findings=worst_first(told)))
    return Scan(images=tuple(images))


def _finding(
    subject: Subject,
    issue: Issue,
    components: tuple[str, ...],
    chain: Callable[[Subject, str], tuple[str, ...]],
) -> Finding:
    kind = _KINDS.get(issue.kind, PartKind.OTHER)
    python = kind is PartKind.PYTHON
    name = canonicalize_name(issue.package) if python else issue.package
    return Finding(
        image=subject.name,
        platform=str(subject.target.platform) if subject.target else "",
        part=Part(kind=kind, name=name, version=issue.version, sha256="", source=name),
        hit=Hit(
            package=Package(ecosystem=PYPI if python else DEBIAN, name=name, version=issue.version),
            vulnerability=Vulnerability(
                id=issue.id,
                aliases=(),
                about=(),
                summary=issue.summary,
                severity=issue.severity,
                score=issue.score,
                affected=(),
                withdrawn=False,
            ),
            fixes=(issue.fixed,) if issue.fixed else (),
        ),
        chain=chain(subject, name) if python else (),
        components=components,
    )
