"""What became of Debian packages between two locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.packages.changes import Change, compare

if TYPE_CHECKING:
    from eggcrate.packages.debian.values import BaseLock


def compare_debs(before: BaseLock | None, after: BaseLock) -> tuple[Change, ...]:
    """The packages that differ, ``NAME (PLATFORM)``, by name."""
    return compare(_versions(before), _versions(after))


def _versions(lock: BaseLock | None) -> dict[str, str]:
    if lock is None:
        return {}
    return {
        f"{deb.name} ({platform})": deb.version
        for platform, debs in lock.packages.items()
        for deb in debs
    }
