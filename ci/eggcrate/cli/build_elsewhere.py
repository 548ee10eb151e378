"""``eggcrate build --on cloud-build``: images divided among machines, results as one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from eggcrate.build.values import Verdict
from eggcrate.cli.others import bounds, durations, others, remember, show
from eggcrate.cloud.division import divide
from eggcrate.cloud.scaled import build_jobs, image_name, unbuilt
from eggcrate.errors import UsageError
from eggcrate.packages.target import Platform

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from eggcrate.build.resolve import Resolved
    from eggcrate.cli.context import Context
    from eggcrate.cloud.division import Division, Share
    from eggcrate.cloud.handed_in import HandedIn
    from eggcrate.registry.remote import Remote

_PASSED_ON = ("locked", "attest", "force")


def build_elsewhere(
    wanted: Sequence[Resolved],
    arguments: argparse.Namespace,
    context: Context,
    remote: Remote,
    make: Callable[[Sequence[Resolved]], HandedIn],
) -> HandedIn:
    """Build all of it, some of it here.

    Args:
        wanted: what to build.
        arguments: the command line.
        context: the checkout.
        remote: where images go, and where results are handed over.
        make: builds and publishes here.

    Raises:
        UsageError: what others build would not come back.
    """
    division = _divided(wanted, arguments, context, remote)
    names = {job.name for job in division.here}
    here = [item for item in wanted if _name(item) in names]
    flags = [f"--{name}" for name in _PASSED_ON if getattr(arguments, name)]

    def command(share: Share) -> Sequence[str]:
        platform = share.jobs[0].platform  # all of a share is for one
        return ("build", *share.environments, "--platform", platform, "--push", *flags)

    with others(division, arguments, context, remote, command) as collect:
        ours = make(here)
        theirs, lost = collect()
    builds = (*ours.builds, *theirs.builds, *unbuilt(lost, division.refused))
    seconds = {
        image_name(one.environment, one.platform): one.seconds
        for one in builds
        if one.verdict is Verdict.BUILT
    }
    remember(seconds, context, remote)
    return replace(
        ours,
        builds=tuple(sorted(builds, key=lambda one: (one.environment, one.platform))),
        published=(*ours.published, *theirs.published),
        attested=(*ours.attested, *theirs.attested),
    )


def show_division(
    wanted: Sequence[Resolved], arguments: argparse.Namespace, context: Context, remote: Remote
) -> bool:
    """Show who would build what; whether somebody would."""
    division = _divided(wanted, arguments, context, remote)
    show(division, arguments, context)
    return not division.refused


def _divided(
    wanted: Sequence[Resolved], arguments: argparse.Namespace, context: Context, remote: Remote
) -> Division:
    if not arguments.push or arguments.load or arguments.output:
        raise UsageError(
            "what other machines build is in the registry alone",
            hint="add --push; --load and --output are for what is built here",
        )
    limits = bounds(arguments)
    jobs, refused = build_jobs(
        wanted,
        durations(context, remote),
        here=str(Platform.of_this_machine()),
        emulator=bool(arguments.emulator),
    )
    return replace(divide(jobs, limits), refused=refused)


def _name(item: Resolved) -> str:
    return f"{item.environment.name} {item.recipe.target.platform}"
