"""What locking changed, in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.packages.debian.changes import compare_debs

if TYPE_CHECKING:
    from eggcrate.packages.debian.values import BaseLock
    from eggcrate.packages.relock import LockOutcome


def changes(outcome: LockOutcome, *, dry_run: bool) -> str:
    """One line for the lock, then one for each package that changed."""
    if not outcome.changes:
        state = "unchanged" if not outcome.written else "same packages, file rewritten"
        return f"{outcome.folder.name}: {state}"
    verb = "would change" if dry_run else "changed"
    lines = [f"{outcome.folder.name}: {len(outcome.changes)} {verb}"]
    lines += [_line(change.package, change.before, change.after) for change in outcome.changes]
    return "\n".join(lines)


def deb_changes(name: str, before: BaseLock | None, after: BaseLock) -> str:
    """One line for a base's lock, then one for each Debian package that changed."""
    moved = compare_debs(before, after)
    count = sum(len(debs) for debs in after.packages.values())
    head = f"{name}: {count} packages, " + (f"{len(moved)} changed" if moved else "unchanged")
    return "\n".join([head, *(_line(one.package, one.before, one.after) for one in moved)])


def _line(name: str, before: str, after: str) -> str:
    if not before:
        return f"  + {name} {after}"
    if not after:
        return f"  - {name} {before}"
    return f"  ~ {name} {before} -> {after}"
