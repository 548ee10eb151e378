"""``eggcrate build``: make the images of environments, publish them, put them elsewhere."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.build.attest import attest
from eggcrate.build.engine import build_all
from eggcrate.build.export import Sent, check_output, send
from eggcrate.build.local import LocalRegistry
from eggcrate.build.published import RemoteRegistry, image_of, mountable, publish
from eggcrate.build.shelf import read_shelf
from eggcrate.build.workshop import Workshop
from eggcrate.cli.elsewhere import add_elsewhere, child_of, tell_parent
from eggcrate.cli.plan import (
    add_platform,
    add_registry,
    by_default,
    decide,
    no_registry,
    read_locks,
)
from eggcrate.cli.trust_parts import open_notary
from eggcrate.cloud.handed_in import HandedIn
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, UsageError
from eggcrate.report import build as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from eggcrate.build.attest import Attested
    from eggcrate.build.plan import Plan
    from eggcrate.build.published import PublishResult
    from eggcrate.build.resolve import Resolved
    from eggcrate.cli.context import Context
    from eggcrate.errors import EggcrateError
    from eggcrate.registry.remote import Remote


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "build",
        help="build images into the local store, and publish them",
        description="Build the images of environments into the checkout's store, an OCI image "
        "layout. What is there already is not built again.",
    )
    verb.add_argument("environments", nargs="*", metavar="ENV", help="environments to build")
    verb.add_argument("--all", action="store_true", help="every environment")
    verb.add_argument(
        "--changed",
        action="store_true",
        help="only what the plan says: environments whose image is not published",
    )
    verb.add_argument("--push", action="store_true", help="publish the images in the registry")
    verb.add_argument(
        "--load", action="store_true", help="put the images into this machine's Docker daemon"
    )
    verb.add_argument(
        "--output",
        type=Path,
        metavar="DIR|FILE.tar",
        help="write the images as an OCI layout, a new folder or an archive",
    )
    add_platform(verb)
    add_registry(verb)
    add_locked(verb)
    verb.add_argument(
        "--attest",
        action="store_true",
        help="attach bills of materials and provenance to what is pushed, and sign it when a "
        "key is set (default: the setting attest)",
    )
    verb.add_argument("--force", action="store_true", help="also what is published already")
    verb.add_argument("--dry-run", action="store_true", help="show what would be built")
    verb.add_argument("--json", action="store_true", help="print eggcrate.build/1")
    add_elsewhere(verb)
    verb.set_defaults(run=run)


def add_locked(verb: argparse.ArgumentParser) -> None:
    """Add ``--locked``."""
    verb.add_argument(
        "--locked",
        action="store_true",
        help="fail when a pinned Debian package has left the mirror, instead of taking its "
        "successor",
    )


def workshop(context: Context, *, locked: bool) -> Workshop:
    """What building needs, from a checkout."""
    return Workshop(
        cache=context.settings.cache,
        store=context.store,
        bases=context.monorepo.bases,
        progress=context.progress,
        workers=context.settings.workers,
        locked=locked,
        fetch=context.fetch,
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Decide, build, publish, send elsewhere, report."""
    if not (arguments.environments or arguments.all or arguments.changed):
        raise UsageError("name the environments to build, or say --all or --changed")
    if arguments.output:
        check_output(arguments.output)
    with context.open_remote(arguments.registry) as remote, child_of(arguments, context):
        if remote is None and (arguments.push or arguments.on):
            raise no_registry("push to")
        wanted, failed, plan = _decide(arguments, context, remote)
        make = functools.partial(
            _made, failed=failed, plan=plan, arguments=arguments, context=context, remote=remote
        )
        if arguments.on and remote:
            from eggcrate.cli import build_elsewhere as others  # noqa: PLC0415 - rarely needed

            if arguments.dry_run:
                good = others.show_division(wanted, arguments, context, remote) and not failed
                return EXIT_OK if good else EXIT_FAILURE
            made = others.build_elsewhere(wanted, arguments, context, remote, make)
        else:
            made = make(wanted)
        sent = Sent()
        if not arguments.dry_run:
            output, load = arguments.output, arguments.load
            sent = send(context.store, made.builds, output=output, load=load, remote=remote)
        tell_parent(arguments, context, remote, made)
    told = (made.builds, made.published, sent, made.attested)
    if arguments.json:
        context.show_json("eggcrate.build/1", report.document(*told))
    else:
        context.show(report.summary(*told))
    errors = [one.error for one in made.published] + [one.error for one in made.attested]
    good = all(one.good for one in made.builds) and not any(errors)
    return EXIT_OK if good and not sent.error else EXIT_FAILURE


def _made(
    wanted: Sequence[Resolved],
    failed: Mapping[str, EggcrateError],
    plan: Plan | None,
    *,
    arguments: argparse.Namespace,
    context: Context,
    remote: Remote | None,
) -> HandedIn:
    """Build and publish on this machine."""
    shop = workshop(context, locked=arguments.locked)
    pushing = remote if arguments.push and wanted and not arguments.dry_run else None
    if pushing and plan:
        shop.shelf = read_shelf(
            pushing, mountable(pushing, plan, context.monorepo.environment_folders)
        )
        shop.complete = bool(arguments.load or arguments.output)
    results = build_all(wanted, failed, shop, dry_run=arguments.dry_run)
    published: list[PublishResult] = []
    if pushing:
        published = publish(
            [image_of(result) for result in results if result.good],
            layout=context.store,
            remote=pushing,
            cache=context.settings.cache,
            holders=shop.shelf.holders,
            again=arguments.force,
            progress=context.progress,
        )
    attested: list[Attested] = []
    if pushing and (arguments.attest or context.settings.attest):
        with open_notary(context, pushing, shop) as notary:
            attested = attest(published, wanted, notary)
    return HandedIn(builds=tuple(results), published=tuple(published), attested=tuple(attested))


def _decide(
    arguments: argparse.Namespace, context: Context, remote: Remote | None
) -> tuple[Sequence[Resolved], dict[str, EggcrateError], Plan | None]:
    """What to build, what cannot be, and the plan that says so, where one is needed.

    A registry is asked only where its answer matters: images are built without one, offline.
    """
    names = by_default(context) if arguments.all else arguments.environments
    if not (arguments.changed or arguments.push):
        resolved, failed = read_locks(context, names, platforms=arguments.platform or ())
        return resolved, failed, None
    arguments.environments = names
    against = RemoteRegistry(remote) if remote else LocalRegistry(context.store)
    plan = decide(arguments, context, against)
    failed = {item.environment: item.error for item in plan.environments if item.error}
    return plan.to_build if arguments.changed else plan.resolved, failed, plan
