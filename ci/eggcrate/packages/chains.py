"""Who asks for a package: the shortest way to it from what a ``pyproject.toml`` names."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from eggcrate.packages.selection import applies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eggcrate.packages.poetry_lock import Lock
    from eggcrate.packages.target import Target
    from eggcrate.packages.wanted import Wanted


def chains(
    lock: Lock, wanted: Sequence[Wanted], target: Target, packages: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """For each package the shortest chain of who requires it, itself last.

    Args:
        lock: the lock.
        wanted: the direct dependencies.
        target: what they are needed for.
        packages: name to version of what the target gets, see
            :func:`eggcrate.packages.selection.select`.

    Returns:
        By name; a chain of one for a direct dependency. Of several the first by name.
    """
    environment = target.marker_environment()
    held = {
        name: next((one for one in lock.named(name) if one.version == version), None)
        for name, version in packages.items()
    }
    asked = sorted(
        (item.name, extra)
        for item in wanted
        if applies(item.marker, environment)
        for extra in ("", *item.extras)
    )
    todo = deque[tuple[str, str, tuple[str, ...]]]((name, extra, (name,)) for name, extra in asked)
    seen: set[tuple[str, str]] = set()
    found: dict[str, tuple[str, ...]] = {}
    while todo:
        name, extra, chain = todo.popleft()
        package = held.get(name)
        if package is None or (name, extra) in seen:
            continue
        seen.add((name, extra))
        found.setdefault(name, chain)
        needed = sorted(
            (item.name, also)
            for item in package.dependencies
            if applies(item.marker, environment, extra)
            for also in ("", *item.extras)
        )
        todo += [(one, also, (*chain, one)) for one, also in needed]
    return found
