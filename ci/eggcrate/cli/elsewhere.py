"""``--on cloud-build``: what ``build`` and ``matrix`` share to divide their work."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eggcrate.cloud.division import Bounds, Division, Share
from eggcrate.cloud.handed_in import HandedIn, hand_in, leave_durations, take_durations
from eggcrate.errors import EggcrateError, UsageError
from eggcrate.files import atomic_write
from eggcrate.matrix.shard import durations_path, read_durations, write_durations
from eggcrate.repo.git import Git
from eggcrate.report import division as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from eggcrate.cli.context import Context
    from eggcrate.cloud.children import Pattern
    from eggcrate.cloud.cloud_build import CloudBuild, Region
    from eggcrate.cloud.fleet import Ended, Fleet
    from eggcrate.cloud.scaled import Lost
    from eggcrate.registry.remote import Remote

    Command = Callable[[Share], Sequence[str]]

CLOUD_BUILD = "cloud-build"
_NOT_CHILDRENS = ("cache", "store", "jobs", "registry")


def add_elsewhere(verb: argparse.ArgumentParser) -> None:
    """Add ``--on`` and what belongs to it."""
    group = verb.add_argument_group("on other machines")
    group.add_argument(
        "--on",
        choices=(CLOUD_BUILD,),
        help="divide the work: child builds of Cloud Build do what needs a machine of its own, "
        "and what is more than one should have",
    )
    group.add_argument(
        "--work",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="what one machine should have, by what it took before (default: 600)",
    )
    group.add_argument(
        "--machines",
        type=int,
        default=8,
        metavar="N",
        help="child builds at most for one reason (default: 8)",
    )
    group.add_argument(
        "--like",
        metavar="BUILD",
        help="id of the build whose source, account, machine and settings children have "
        "(default: $BUILD_ID, the build that this runs in)",
    )
    group.add_argument("--project", metavar="ID", help="of Google Cloud (default: $PROJECT_ID)")
    group.add_argument(
        "--region", metavar="NAME", help="where children run (default: $LOCATION, else global)"
    )
    group.add_argument(
        "--source",
        metavar="SOURCE",
        help="instead of that build's: gs://BUCKET/OBJECT, a connected repository's name with "
        "@REVISION, or https://HOST/PATH.git@REVISION",
    )
    group.add_argument(
        "--builder", metavar="IMAGE", help="of children's steps (default: that build's first one)"
    )
    group.add_argument(
        "--emulator",
        metavar="IMAGE",
        help="lets children run a Dockerfile of another architecture: an image that registers "
        "emulators, such as tonistiigi/binfmt",
    )
    group.add_argument(
        "--hand-in",
        metavar="TAG",
        help="in a child build: publish what became of it under this tag",
    )
    group.add_argument(
        "--child-of",
        default="",
        metavar="BUILD",
        help="in a child build: end when this build is over",
    )


def bounds(arguments: argparse.Namespace) -> Bounds:
    """How far to divide.

    Raises:
        UsageError: not at all, or into nothing.
    """
    if not arguments.work > 0 or arguments.machines < 1:
        raise UsageError("--work and --machines must be more than nothing")
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


@dataclass(frozen=True, kw_only=True)
class Others:
    """Child builds under way, and how to wait for them."""

    collect: Callable[[], tuple[HandedIn, tuple[Lost, ...]]]
    """Waits for all of them; what they handed in, and what is lost."""


@contextlib.contextmanager
def others(
    division: Division,
    arguments: argparse.Namespace,
    context: Context,
    remote: Remote,
    command: Command,
    *,
    stdin: Callable[[Share], str] = lambda _: "",
) -> Iterator[Others]:
    """Have children do their shares while the block does its own; none outlives the block.

    Args:
        division: who does what.
        arguments: the command line.
        context: the checkout.
        remote: where children hand in what became of it.
        command: of ``eggcrate`` that does a share.
        stdin: what that command reads.
    """
    if not division.children:
        yield Others(collect=lambda: (HandedIn(), ()))
        return
    from eggcrate.cloud.children import child  # noqa: PLC0415 - rarely needed, as below
    from eggcrate.cloud.cloud_build import CloudBuild  # noqa: PLC0415
    from eggcrate.cloud.fleet import Fleet, Order, Pace  # noqa: PLC0415

    context.progress.info(f"\n{report.summary(division)}\n")
    region = _region(arguments)
    with CloudBuild() as api:
        pattern = _pattern(arguments, context, remote, api, region)

        def order(share: Share) -> Order:
            told = stdin(share)
            return Order(
                name=f"child {share.number}",
                build=lambda tag: child(pattern, share, command(share), tag, stdin=told),
            )

        orders = [order(share) for share in division.children]
        with Fleet(api, region, pattern.parent, orders, context.progress, Pace()) as fleet:
            yield Others(collect=lambda: _collect(division, fleet, context, remote, region))


def _collect(
    division: Division, fleet: Fleet, context: Context, remote: Remote, region: Region
) -> tuple[HandedIn, tuple[Lost, ...]]:
    from eggcrate.cloud.scaled import collect  # noqa: PLC0415 - as above

    def log(share: Share, one: Ended) -> str:
        return _log(share, one, context, region)

    count = len(division.children)
    context.progress.status(f"waiting for {count} child build{'' if count == 1 else 's'}")
    return collect(
        division.children,
        fleet.ended(),
        remote,
        cache=context.settings.cache,
        commit=_commit(context),
        log=log,
    )


def _log(share: Share, one: Ended, context: Context, region: Region) -> str:
    """A child's log, kept with the run's other reports; empty where it cannot be had."""
    from eggcrate.cloud.logs import read_log  # noqa: PLC0415 - as above

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
    from eggcrate.cloud.cloud_build import Region  # noqa: PLC0415 - as above

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
    from eggcrate.cloud.children import a_name, pattern_of, source_of  # noqa: PLC0415 - as above

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
        api.read(region, like) if like else {},
        name=region.build(like) if parent else "",
        parent=within or a_name(now),
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


def _commit(context: Context) -> str:
    git = Git(root=context.root)
    return (git.resolve("HEAD") or "") if git.top() else ""


@contextlib.contextmanager
def child_of(arguments: argparse.Namespace, context: Context) -> Iterator[None]:
    """In a child build: end with the parent."""
    if not arguments.child_of:
        yield
        return
    from eggcrate.cloud.leash import leashed  # noqa: PLC0415 - rarely needed

    with leashed(arguments.child_of, context.progress):
        yield


def tell_parent(
    arguments: argparse.Namespace, context: Context, remote: Remote | None, told: HandedIn
) -> None:
    """In a child build: hand in what became of it."""
    if arguments.hand_in and remote is not None:
        from dataclasses import replace  # noqa: PLC0415

        hand_in(remote, arguments.hand_in, replace(told, commit=_commit(context)))
