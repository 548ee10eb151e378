"""What Google's scanner found in published images, as an audit is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.report.audit import bound, fields, lines_of

if TYPE_CHECKING:
    from eggcrate.cloud.scan import Scan
    from eggcrate.packages.severity import Severity


def text(scan: Scan, least: Severity, *, fixable: bool) -> str:
    """A line for each finding, the worst first, and what the gate says."""
    lines = lines_of(scan.findings)
    lines += [
        f"not known: {one.subject.name} ({one.scanned.state.value}): {one.scanned.why}"
        for one in scan.unknown
    ]
    if not scan.images:
        return "no published image is in use: nothing was scanned"
    failing = [one for one in scan.findings if one.fails(least, fixable=fixable)]
    told = f"{len(scan.images)} images: {len(failing)} findings are {bound(least, fixable=fixable)}"
    lines.append(f"{told}, {len(scan.unknown)} images are not known")
    return "\n".join(dict.fromkeys(lines))


def document(scan: Scan, least: Severity, *, fixable: bool) -> dict[str, Any]:
    """The findings as ``eggcrate.registry-scan/1``."""
    return {
        "severity": least.word,
        "good": scan.good(least, fixable=fixable),
        "images": [
            {
                "name": one.subject.environment,
                "digest": one.subject.digest,
                "platform": str(one.subject.target.platform) if one.subject.target else "",
                "used_by": list(one.subject.used_by),
                "state": one.scanned.state.value,
                "why": one.scanned.why,
                "scanned": one.scanned.at.isoformat() if one.scanned.at else None,
                "findings": len(one.findings),
            }
            for one in scan.images
        ],
        "findings": [
            {**fields(one, least, fixable=fixable), "digest": looked.subject.digest}
            for looked in scan.images
            for one in looked.findings
        ],
    }
