"""What locking several environments came to, and what a merge came to."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from eggcrate.errors import EggcrateError
from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eggcrate.packages.changes import Change
    from eggcrate.packages.merging import Settled
    from eggcrate.packages.relock import LockOutcome


def summary(outcomes: Mapping[str, LockOutcome | EggcrateError], *, dry_run: bool) -> str:
    """One line for all environments, then each move once with the environments that make it."""
    counts = _counts(outcomes)
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    lines = [f"{len(outcomes)} environments: {told}{' (nothing was written)' if dry_run else ''}"]
    moves: dict[Change, list[str]] = {}
    for name, outcome in outcomes.items():
        if not isinstance(outcome, EggcrateError):
            for change in outcome.changes:
                moves.setdefault(change, []).append(name)
    if moves:
        rows = [(*_move(change), ", ".join(names)) for change, names in sorted(moves.items())]
        lines.append(table(("package", "from", "to", "", "environments"), rows))
    return "\n".join(lines)


def _counts(outcomes: Mapping[str, LockOutcome | EggcrateError]) -> dict[str, int]:
    states = [_state(outcome) for outcome in outcomes.values()]
    return {word: states.count(word) for word in ("changed", "unchanged", "failed")}


def _state(outcome: LockOutcome | EggcrateError) -> str:
    if isinstance(outcome, EggcrateError):
        return "failed"
    return "changed" if outcome.written else "unchanged"


def _move(change: Change) -> tuple[str, str, str, str]:
    major = "major" if is_major(change) else ""
    return change.package, change.before or "-", change.after or "-", major


def is_major(change: Change) -> bool:
    """Whether a package has another major version afterwards."""
    try:
        return Version(change.before).release[:1] != Version(change.after).release[:1]
    except InvalidVersion:  # it came, went, or has several versions
        return False


def document(
    outcomes: Mapping[str, LockOutcome | EggcrateError], *, dry_run: bool
) -> dict[str, Any]:
    """``eggcrate.lock/1``."""
    return {
        "environments": [_outcome(name, outcome) for name, outcome in outcomes.items()],
        "totals": _counts(outcomes),
        "written": not dry_run,
    }


def _outcome(name: str, outcome: LockOutcome | EggcrateError) -> dict[str, Any]:
    return {
        "name": name,
        "outcome": _state(outcome),
        "changes": [] if isinstance(outcome, EggcrateError) else _changes(outcome.changes),
        "seconds": 0.0 if isinstance(outcome, EggcrateError) else round(outcome.seconds, 3),
        "error": str(outcome) if isinstance(outcome, EggcrateError) else "",
    }


def _changes(changes: Iterable[Change]) -> list[dict[str, Any]]:
    return [
        {
            "package": change.package,
            "from": change.before,
            "to": change.after,
            "major": is_major(change),
        }
        for change in changes
    ]


def settled(found: Settled, *, dry_run: bool) -> str:
    """What a merge came to, as a diff against our side."""
    file = f"environments/{found.name}/pyproject.toml"
    ours, both = found.ours.splitlines(), found.pyproject.splitlines()
    lines = list(difflib.unified_diff(ours, both, f"{file} (ours)", file, n=0, lineterm=""))
    lines += _side("ours", found.changes) + _side("theirs", found.against_theirs)
    if found.both:
        lines.append(f"both sides had pinned anew: {', '.join(found.both)}")
    head = f"{found.name}: {'would be merged' if dry_run else 'merged and locked'}"
    end = [] if dry_run else [f"next: git add environments/{found.name}, then go on with the merge"]
    return "\n".join([head, *(f"  {line}" for line in lines), *end])


def _side(side: str, changes: Iterable[Change]) -> list[str]:
    told = []
    for one in changes:
        sign = "~" if one.before and one.after else "+" if one.after else "-"
        versions = " -> ".join(filter(None, (one.before, one.after)))
        told.append(f"{sign} {one.package} {versions}")
    return [f"poetry.lock against {side}: {'; '.join(told) or 'the same pins'}"]


def settled_document(
    found: Mapping[str, Settled | EggcrateError], *, dry_run: bool
) -> dict[str, Any]:
    """``eggcrate.lock/1`` for ``--resolve``."""
    return {
        "environments": [_settled(name, one) for name, one in found.items()],
        "written": not dry_run,
    }


def _settled(name: str, one: Settled | EggcrateError) -> dict[str, Any]:
    if isinstance(one, EggcrateError):
        return {"name": name, "outcome": "failed", "error": str(one)}
    return {
        "name": name,
        "outcome": "merged",
        "changes": _changes(one.changes),
        "against_theirs": _changes(one.against_theirs),
        "both": list(one.both),
    }
