"""What several actions of ``eggcrate registry`` need: all that a registry holds, and its use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.build.recipe import tag_of
from eggcrate.cli.lineage import used_by_runs
from eggcrate.cli.plan import read_locks
from eggcrate.cloud.artifact_registry import ArtifactRegistry, Place
from eggcrate.cloud.inventory import read_inventory, uses
from eggcrate.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

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


def read_registry(arguments: argparse.Namespace, context: Context, remote: Remote) -> Contents:
    """Everything under the registry's prefix.

    Args:
        arguments: ``used_by``, other compiled pipelines, and platforms whose runs use images.
        context: the checkout, whose locks and compiled pipelines use images.
        remote: the registry.

    Raises:
        UsageError: one of these pipelines is not there.
        SubmitError: runs may not be seen: then what is used is not known.
    """
    if missing := [str(path) for path in arguments.used_by if not path.exists()]:
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
        more=arguments.used_by,
    )
    by_runs = used_by_runs(arguments, context, str(remote))
    return Contents(
        items=items,
        used={
            named: tuple(dict.fromkeys((*used.get(named, ()), *by_runs.get(named, ()))))
            for named in {*used, *by_runs}
        },
        resolved=tuple(resolved),
    )
