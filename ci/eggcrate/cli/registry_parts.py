"""What several actions of ``eggcrate registry`` need: all that a registry holds, and its use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.build.recipe import tag_of
from eggcrate.cli.plan import read_locks
from eggcrate.cloud.artifact_registry import ArtifactRegistry, Place
from eggcrate.cloud.inventory import read_inventory, uses
from eggcrate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.resolve import Resolved
    from eggcrate.cli.context import Context
    from eggcrate.cloud.inventory import Held, Name
    from eggcrate.registry.remote import Remote


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a registry holds, who uses what of it, and what the working tree names."""

    items: tuple[Held, ...]
    used: Mapping[Name, tuple[str, ...]]
    resolved: tuple[Resolved, ...]


def read_registry(context: Context, remote: Remote, used_by: Sequence[Path]) -> Contents:
    """Everything under the registry's prefix.

    Args:
        context: the checkout, whose locks and compiled pipelines use images.
        remote: the registry.
        used_by: other compiled pipelines.

    Raises:
        UsageError: one of these is not there.
    """
    if missing := [str(path) for path in used_by if not path.exists()]:
        raise UsageError(f"there is no {missing[0]}", why="it was to tell what is used")
    place = Place.parse(str(remote))
    listed = None
    if place is not None:
        with ArtifactRegistry() as api:
            listed = api.images(place)
    items = read_inventory(remote, listed)
    resolved, failed = read_locks(context, ())
    for name, error in failed.items():
        context.progress.warn(f"{name}: all its images count as used: {error.what}")
    keys: dict[str, set[str]] = {}
    for one in resolved:
        keys.setdefault(one.environment.name, set()).add(tag_of(one.recipe.key))
    used = uses(
        items,
        keys=keys,
        unread=frozenset(failed),
        root=context.root,
        prefix=str(remote),
        more=used_by,
    )
    return Contents(items=items, used=used, resolved=tuple(resolved))
