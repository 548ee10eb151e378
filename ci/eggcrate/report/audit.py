"""What an audit found and what would remove it, as tables and documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.build.audit import Audit, Finding
    from eggcrate.build.remedy import Remedy
    from eggcrate.errors import EggcrateError
    from eggcrate.packages.severity import Severity

_HEADER = ("severity", "vulnerability", "package", "fixed in", "image", "reaches", "through")
_NAMED = 3


def text(audit: Audit, least: Severity, *, fixable: bool) -> str:
    """A line for each finding, the worst first, and what the gate says."""
    lines = lines_of(audit.findings)
    lines += [
        f"{item.where}: no vulnerability needs this exception: it can be removed"
        for item in audit.unneeded
    ]
    lines += [f"not judged: {name}" for name in audit.unjudged]
    failing = [one for one in audit.findings if one.fails(least, fixable=fixable)]
    judged = f"{audit.packages} packages judged by {audit.records} records"
    lines.append(f"{judged}: {len(failing)} findings are {bound(least, fixable=fixable)}")
    return "\n".join(dict.fromkeys(lines))


def lines_of(findings: Sequence[Finding]) -> list[str]:
    """A table of findings, and what excuses some of them."""
    lines = [table(_HEADER, [_row(one) for one in findings])] if findings else []
    return lines + [_excuse(one) for one in findings if one.exception or one.expired]


def bound(least: Severity, *, fixable: bool) -> str:
    """What closes the gate, in words."""
    return f"{least.word} or worse{' that have a fix' * fixable}"


def _row(one: Finding) -> tuple[str, ...]:
    told = one.hit.vulnerability
    score = f" {told.score:.1f}" if told.score is not None else ""
    fixes = one.hit.fixes
    return (
        f"{one.severity.word}{score}" + " (excused)" * bool(one.exception),
        _named(told.id, told.aliases or told.about),
        str(one.part),
        fixes[0] if fixes else "-",
        one.image,
        _some(one.components),
        " > ".join(one.chain[:-1]) or "-",
    )


def _named(identifier: str, others: Sequence[str]) -> str:
    """Its name, and the CVE's where that is another one."""
    other = next((name for name in others if name.startswith("CVE-")), "")
    return f"{identifier} ({other})" if other and other != identifier else identifier


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more or "-"


def _excuse(one: Finding) -> str:
    told = one.hit.vulnerability.id
    if one.exception:
        item = one.exception
        return f"{item.where}: {told} is excused until {item.until}: {item.reason}"
    assert one.expired is not None  # noqa: S101 - asked for only then
    return f"{one.expired.where}: the exception for {told} ended on {one.expired.until}"


def document(audit: Audit, least: Severity, *, fixable: bool) -> dict[str, Any]:
    """The findings as ``eggcrate.audit/1``."""
    return {
        "packages": audit.packages,
        "records": audit.records,
        "severity": least.word,
        "good": not any(one.fails(least, fixable=fixable) for one in audit.findings),
        "unjudged": list(audit.unjudged),
        "findings": [fields(one, least, fixable=fixable) for one in audit.findings],
    }


def fields(one: Finding, least: Severity, *, fixable: bool) -> dict[str, Any]:
    """A finding as JSON."""
    told = one.hit.vulnerability
    return {
        "id": told.id,
        "aliases": list(told.aliases or told.about),
        "summary": told.summary,
        "severity": one.severity.word,
        "score": told.score,
        "package": one.part.name,
        "version": one.part.version,
        "kind": one.part.kind.value,
        "fixed": list(one.hit.fixes),
        "image": one.image,
        "platform": one.platform,
        "through": list(one.chain),
        "components": list(one.components),
        "excused": one.exception.reason if one.exception else "",
        "fails": one.fails(least, fixable=fixable),
    }


def remedies(found: Sequence[Remedy], errors: dict[str, EggcrateError], rest: Sequence[str]) -> str:
    """What would change, environment by environment."""
    lines = []
    for one in found:
        lines.append(f"{one.environment}: removes {', '.join(one.removed) or 'nothing'}")
        lines += [f"  pyproject.toml: {before} -> {after}" for before, after in one.ranges]
        lines += [
            f"  {change.package} {change.before or 'new'} -> {change.after or 'gone'}"
            for change in one.proposal.changes
        ]
        if one.left:
            lines.append(f"  still there: {', '.join(one.left)}")
    lines += [f"{name}: {error}" for name, error in errors.items()]
    lines += [f"not in a poetry.lock: {told}" for told in rest]
    return "\n".join(lines) or "there is nothing to fix"


def remedies_document(
    found: Sequence[Remedy], errors: dict[str, EggcrateError], rest: Sequence[str]
) -> dict[str, Any]:
    """What would change as ``eggcrate.fix/1``."""
    return {
        "environments": [
            {
                "name": one.environment,
                "removed": list(one.removed),
                "left": list(one.left),
                "requirements": [{"from": a, "to": b} for a, b in one.ranges],
                "changes": [
                    {"package": item.package, "from": item.before, "to": item.after}
                    for item in one.proposal.changes
                ],
            }
            for one in found
        ],
        "errors": {name: str(error) for name, error in errors.items()},
        "rest": list(rest),
    }
