"""Child builds that do a part of a command's work, from the start to what they hand in."""

from __future__ import annotations

import contextlib
import os
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eggcrate.cli.elsewhere import CLOUD_BUILD, commit_of
from eggcrate.cloud import fleet as fleets
from eggcrate.cloud.children import a_name, child, pattern_of, source_of
from eggcrate.cloud.cloud_build import CloudBuild, Region, patiently
from eggcrate.cloud.division import Bounds
from eggcrate.cloud.handed_in import HandedIn, leave_durations, take_durations
from eggcrate.cloud.logs import read_log
from eggcrate.cloud.scaled import collect
from eggcrate.errors import EggcrateError, UsageError
from eggcrate.files import atomic_write
from eggcrate.matrix.shard import durations_path, read_durations, write_durations
from eggcrate.repo.git import Git
from eggcrate.report import division as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from eggcrate.cli.context import Context
    from eggcrate.cloud.children import Pattern
    from eggcrate.cloud.division import Division, Share
    from eggcrate.cloud.fleet import Ended, Fleet
    from eggcrate.cloud.scaled import Lost
    from eggcrate.registry.remote import Remote

    Command = Callable[[Share], Sequence[str]]
    Collect = Callable[[], tuple[HandedIn, tuple[Lost, ...]]]

_NOT_CHILDRENS = ("cache", "store", "jobs", "registry")


def bounds(arguments: argparse.Namespace) -> Bounds:
    """How far to divide.

    Raises:
        UsageError: not at all, or into nothing.
    """
    if not (arguments.work > 0 and arguments.poll > 0) or arguments.machines < 1:
        raise UsageError("--work, --poll and --machines must be more than nothing")
    return Bounds(work=arguments.work, machines=arguments.machines)


def durations(context: Context, remote: Remote) -> dict[str, float]:
    """Seconds by cell or image: what this machine knows, and what the registry was told."""
    known = read_durations(durations_path(context.settings.cache, context.root))
    return take_durations(remote, context.settings.cache) | known


def remember(seconds: Mapping[str, float], context: Context, remote: Remote) -> None:
    """Add durations to both; that they cannot be left in the registry is no error."""
    write_durations(durations_path(context.settings.cache, context.root), seconds)
    try:
        leave_durations(remote, durations(context, remote) | dict(seconds))
    except EggcrateError as error:
        context.progress.warn(f"durations cannot be left in the registry: {error.what}")


def show(division: Division, arguments: argparse.Namespace, context: Context) -> None:
    """Print who would do what."""
    if arguments.json:
        context.show_json(report.SCHEMA, report.document(division))
    else:
        context.show(report.summary(division))


@contextlib.contextmanager
def others(
    division: Division,
    arguments: argparse.Namespace,
    context: Context,
    remote: Remote,
    command: Command,
    *,
    stdin: Callable[[Share], str] = lambda _: "",
) -> Iterator[Collect]:
    """Have children do their shares while the block does its own; none outlives the block.

    Args:
        division: who does what.
        arguments: the command line.
        context: the checkout.
        remote: where children hand in what became of it.
        command: of ``eggcrate`` that does a share.
        stdin: what that command reads.

    Yields:
        What waits for all of them; what they handed in, and what is lost.
    """
    if not division.children:
        yield lambda: (HandedIn(), ())
        return
    context.progress.info(f"\n{report.summary(division)}\n")
    region = _region(arguments)
    pace = replace(fleets.PACE, poll=arguments.poll)
    with CloudBuild() as api:
        pattern = _pattern(arguments, context, remote, api, region)

        def order(share: Share) -> fleets.Order:
            told = stdin(share)
            return fleets.Order(
                name=f"child {share.number}",
                build=lambda tag: child(pattern, share, command(share), tag, stdin=told),
            )

        orders = [order(share) for share in division.children]
        with fleets.Fleet(
            api, region, pattern.tag, orders, progress=context.progress, pace=pace
        ) as fleet:
            yield lambda: _collect(division, fleet, context, remote, region)


def _collect(
    division: Division, fleet: Fleet, context: Context, remote: Remote, region: Region
) -> tuple[HandedIn, tuple[Lost, ...]]:
    def log(share: Share, one: Ended) -> str:
        return _log(share, one, context, region)

    count = len(division.children)
    context.progress.status(f"waiting for {count} child build{'' if count == 1 else 's'}")
    return collect(
        division.children,
        fleet.ended(),
        remote,
        cache=context.settings.cache,
        commit=commit_of(context),
        log=log,
    )


def _log(share: Share, one: Ended, context: Context, region: Region) -> str:
    """A child's log, kept with the run's other reports; empty where it cannot be had."""
    if not one.seen.id:
        return ""
    try:
        text = read_log(region.project, one.seen.id)
    except EggcrateError as error:
        context.progress.warn(f"child {share.number}: {error.sentence}; see {one.seen.log}")
        return ""
    path = context.root / "build" / CLOUD_BUILD / f"child-{share.number}.log"
    atomic_write(path, text.encode(errors="replace"), flush=False)
    return text


def _region(arguments: argparse.Namespace) -> Region:
    project = arguments.project or os.environ.get("PROJECT_ID", "")
    if not project:
        raise UsageError(
            "there is no project to run child builds in",
            hint="--project ID; in a step of Cloud Build: env: [PROJECT_ID=$PROJECT_ID]",
        )
    location = arguments.region or os.environ.get("LOCATION", "") or "global"
    return Region(project=project, location=location)


def _pattern(
    arguments: argparse.Namespace,
    context: Context,
    remote: Remote,
    api: CloudBuild,
    region: Region,
) -> Pattern:
    """What children are like.

    Raises:
        UsageError: nothing tells where their source is.
    """
    within = os.environ.get("BUILD_ID", "")
    like = arguments.like or within
    if not (like or arguments.source):
        raise UsageError(
            "nothing tells where child builds get the repository from",
            hint="name a build to be like (--like ID) or a source (--source …); in a step of "
            "Cloud Build: env: [BUILD_ID=$BUILD_ID]",
        )
    parent = bool(within) and like == within
    if not parent and Git(root=context.root).changed("HEAD"):
        context.progress.warn("changes that are not committed are not in the children's source")
    now = datetime.now(UTC)
    return pattern_of(
        patiently(lambda: api.read(region, like), fleets.PACE.retries) if like else {},
        name=region.build(like) if parent else "",
        parent=within or a_name(now),
        run=uuid.uuid4().hex[:12],
        now=now,
        source=source_of(arguments.source) if arguments.source else None,
        builder=arguments.builder or "",
        variables=_variables(context, remote),
        emulator=arguments.emulator or "",
    )


def _variables(context: Context, remote: Remote) -> dict[str, str]:
    """Settings that children must have as well; tokens are none of them."""
    given = [one for one in context.settings.origins if one.origin.startswith("$EGGCRATE_")]
    return {
        "EGGCRATE_REGISTRY": str(remote),
        **{
            f"EGGCRATE_{one.name.upper()}": one.value
            for one in given
            if one.name not in _NOT_CHILDRENS
        },
    }
