"""The smallest change of a lock that removes vulnerabilities of its Python packages.

First the oldest version without them is tried, with every other pin where it is; then a newer
one; last, where ``pyproject.toml`` itself asks for a version that has them, another range there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import Version

from eggcrate.build.bill import PartKind
from eggcrate.build.proposal import Proposal, propose, settled
from eggcrate.errors import ConflictError, LockError
from eggcrate.packages.bounds import sensible_range
from eggcrate.packages.osv import PYPI, Package, hits
from eggcrate.repo.dependencies import listed, with_range, with_requirement
from eggcrate.repo.environments import requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eggcrate.build.audit import Finding
    from eggcrate.packages.osv import Vulnerability
    from eggcrate.packages.relock import Locker
    from eggcrate.packages.target import Target
    from eggcrate.repo.values import Environment


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """What removes vulnerabilities from an environment."""

    environment: str
    proposal: Proposal
    removed: tuple[str, ...]
    """Vulnerabilities that are gone then."""
    left: tuple[str, ...]
    """Those that stay, or come: of packages without a fix, and of what the new versions have."""
    ranges: tuple[tuple[str, str], ...] = ()
    """Requirements of ``pyproject.toml`` that must change: before and after."""


def wanted_versions(
    findings: Iterable[Finding], records: Sequence[Vulnerability]
) -> dict[str, str]:
    """For each Python package the oldest version that has none of its vulnerabilities.

    Packages that nothing fixes are left out.
    """
    found: dict[str, str] = {}
    for finding in findings:
        part = finding.part
        if part.kind is not PartKind.PYTHON or part.name in found:
            continue
        tried: set[str] = set()
        candidates = set(finding.hit.fixes)
        while todo := sorted(candidates - tried, key=Version):
            tried.add(todo[0])
            package = Package(ecosystem=PYPI, name=part.name, version=todo[0])
            still = hits([package], records)
            if not still:
                found[part.name] = todo[0]
                break
            candidates |= {version for hit in still for version in hit.fixes}
    return found


def find_remedy(
    environment: Environment,
    findings: Sequence[Finding],
    records: Sequence[Vulnerability],
    *,
    target: Target,
    locker: Locker,
) -> Remedy | None:
    """The smallest change of an environment's files that removes what can be removed.

    Returns:
        Nothing when no Python package of it has a fix.

    Raises:
        ConflictError: no version without the vulnerabilities goes together with the rest.
    """
    wanted = wanted_versions(findings, records)
    if not wanted:
        return None
    text = environment.pyproject_path.read_text(encoding="utf-8")
    problems = []
    for kind in ("==", ">=", ""):
        ranges: list[tuple[str, str]] = []
        try:
            proposal = _proposed(environment, text, wanted, kind, ranges, target, locker)
        except LockError as error:
            problems.append(error)
            continue
        return _judged(environment.name, proposal, findings, records, tuple(ranges))
    told = ", ".join(f"{name} {version}" for name, version in sorted(wanted.items()))
    raise ConflictError(
        f"{environment.name} cannot have {told}",
        why=problems[-1].why or problems[-1].what,
        hint="see eggcrate outdated, or excuse it: [[tool.eggcrate.exceptions]] with "
        'rule = "vulnerability"',
    )


def _proposed(
    environment: Environment,
    text: str,
    wanted: dict[str, str],
    kind: str,
    ranges: list[tuple[str, str]],
    target: Target,
    locker: Locker,
) -> Proposal:
    """What the resolver makes of the wanted versions; ``pyproject.toml`` changes only at last."""
    asked, kept = text, text
    path = environment.pyproject_path
    direct = listed(text)
    for name, version in sorted(wanted.items()):
        for before in direct.get(name, (name,)):
            told = requirement(before)
            if kind:
                both = f"{told.specifier},{kind}{version}".lstrip(",")
                asked = with_requirement(asked, _with(before, both), path=path)
                continue
            after = _with(before, sensible_range(Version(version))[0])
            if name in direct and version not in told.specifier:
                kept = with_requirement(kept, after, path=path)
                ranges.append((before, after))
            asked = with_requirement(asked, _with(before, f">={version}"), path=path)
    proposal = propose(environment, asked, target=target, locker=locker)
    return settled(proposal, kept, locker=locker)


def _with(before: str, range_: str) -> str:
    """A requirement with another range."""
    told = requirement(before)
    return with_range(before.replace(str(told.specifier), "") if told.specifier else before, range_)


def _judged(
    name: str,
    proposal: Proposal,
    findings: Sequence[Finding],
    records: Sequence[Vulnerability],
    ranges: tuple[tuple[str, str], ...],
) -> Remedy:
    after = [
        Package(ecosystem=PYPI, name=item.name, version=item.version) for item in proposal.after
    ]
    still = {(hit.package.name, hit.vulnerability.id) for hit in hits(after, records)}
    mine = {
        (one.part.name, one.hit.vulnerability.id)
        for one in findings
        if one.part.kind is PartKind.PYTHON
    }
    return Remedy(
        environment=name,
        proposal=proposal,
        removed=tuple(sorted({identifier for _, identifier in mine - still})),
        left=tuple(sorted({identifier for _, identifier in still})),
        ranges=ranges,
    )
