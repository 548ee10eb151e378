"""What became of packages between two states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, order=True)
class Change:
    """A package whose version is another one now."""

    package: str
    before: str = ""
    """Empty: it was not there. Several versions (for several markers) stand with commas."""
    after: str = ""
    """Empty: it is no longer there."""


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """The packages that differ, by name."""
    return tuple(
        Change(package=name, before=before.get(name, ""), after=after.get(name, ""))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )
