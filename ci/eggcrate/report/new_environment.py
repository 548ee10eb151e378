"""What making an environment comes to, for people and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.repo.dependencies import listed
from eggcrate.report import policy
from eggcrate.report.addition import broken_rules
from eggcrate.report.diff import changed, difference_document, size_document
from eggcrate.report.sizes import size
from eggcrate.report.table import table

if TYPE_CHECKING:
    from datetime import date

    from eggcrate.matrix.new_environment import Founded
    from eggcrate.packages.difference import Difference


def text(founded: Founded, *, written: bool, today: date) -> str:
    """What it is, what it holds and costs, who could run in it, what to do next."""
    name = founded.wanted.name
    parts = ["\n".join(_about(founded)), _packages(founded), _guests(founded)]
    parts += broken_rules(founded.judgement, today)
    at_home = any(guest.flavours is not None for guest in founded.guests)
    if written and at_home:
        parts.append(f"next: eggcrate matrix --environment {name}")
    elif written:
        parts.append(f"next: eggcrate new component NAME --environment {name}")
    else:
        parts.append("nothing was written (--dry-run)")
    return "\n\n".join(parts)


def _about(founded: Founded) -> list[str]:
    wanted, environment = founded.wanted, founded.proposal.environment
    source = f", the next version of {wanted.source}" if wanted.source else ""
    asked = [one for entries in listed(founded.proposal.pyproject).values() for one in entries]
    until = (
        f", supported until {environment.supported_until}" if environment.supported_until else ""
    )
    owner = environment.owner or "nobody"
    lines = [
        f"environments/{wanted.name}{source}: {environment.description}",
        f"  asks for {'; '.join(asked) or 'nothing'}",
        f"  Python {founded.proposal.target.minor} on {founded.base}, owner {owner}{until}",
    ]
    if founded.near:
        lines.append(f"  its name is close to {', '.join(founded.near)}: is it another one?")
    return lines


def _packages(founded: Founded) -> str:
    found = founded.difference
    if founded.wanted.source:
        if not found.changes:
            return f"it holds what {founded.wanted.source} holds: {found.count} packages"
        return f"against {founded.wanted.source}: {changed(found)}"
    rows = [
        (
            f"{'*' if one.direct else ' '} {one.package}",
            one.after,
            size(one.size_after.download if one.size_after else None),
            size(one.size_after.unpacked if one.size_after else None),
        )
        for one in found.changes
    ]
    header = ("  package", "version", "download", "unpacked")
    return f"{table(header, rows, right='download unpacked')}\n\n{_total(found)}"


def _total(found: Difference) -> str:
    after = found.size_after
    download, unpacked = (after.download, after.unpacked) if after else (None, None)
    packages = f"{found.count} package{'s' * (found.count != 1)}"
    return f"{packages}: {size(download)} to download, {size(unpacked)} unpacked"


def _guests(founded: Founded) -> str:
    if not founded.guests:
        return "there are no components yet"
    fitting = [row for one in founded.guests for row in one.rows]
    lines = [f"components that fit: {', '.join(fitting) or 'none'}"]
    lines += [
        f"{one.component} does not: {one.reason}" for one in founded.guests if one.flavours is None
    ]
    return "\n".join(lines)


def document(founded: Founded, *, written: bool, today: date) -> dict[str, Any]:
    """The same as ``eggcrate.new/1``."""
    environment, after = founded.proposal.environment, founded.difference.size_after
    return {
        "kind": "environment",
        "name": founded.wanted.name,
        "written": written,
        "folder": f"environments/{founded.wanted.name}",
        "from": founded.wanted.source,
        "description": environment.description,
        "owner": environment.owner,
        "python": founded.proposal.target.minor,
        "base": founded.base,
        "supported_until": str(environment.supported_until or ""),
        "requirements": [
            one for entries in listed(founded.proposal.pyproject).values() for one in entries
        ],
        "size": size_document(after),
        "difference": difference_document(founded.difference),
        "components": [
            {
                "component": one.component,
                "fits": one.flavours is not None,
                "flavours": list(one.flavours or ()),
                "reason": one.reason,
            }
            for one in founded.guests
        ],
        "near": list(founded.near),
        "violations": [
            policy.violation_document(one, today) for one in founded.judgement.violations
        ],
    }
