"""What locking changed, in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    old, new = _versions(before), _versions(after)
    moved = [key for key in sorted(old | new) if old.get(key) != new.get(key)]
    count = sum(len(debs) for debs in after.packages.values())
    head = f"{name}: {count} packages, " + (f"{len(moved)} changed" if moved else "unchanged")
    return "\n".join([head, *(_line(key, old.get(key, ""), new.get(key, "")) for key in moved)])


def _versions(lock: BaseLock | None) -> dict[str, str]:
    if lock is None:
        return {}
    return {
        f"{deb.name} ({platform})": deb.version
        for platform, debs in lock.packages.items()
        for deb in debs
    }


def _line(name: str, before: str, after: str) -> str:
    if not before:
        return f"  + {name} {after}"
    if not after:
        return f"  - {name} {before}"
    return f"  ~ {name} {before} -> {after}"
