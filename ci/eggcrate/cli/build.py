"""``eggcrate build``: make the images of environments in the local store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.engine import build_all
from eggcrate.build.local import LocalRegistry
from eggcrate.build.published import RemoteRegistry, image_of, known_holders, publish
from eggcrate.build.workshop import Workshop
from eggcrate.cli.plan import add_platform, add_registry, decide
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, UsageError
from eggcrate.report import build as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "build",
        help="build images into the local store, and publish them",
        description="Build the images of environments into the checkout's store, an OCI image "
        "layout. What is there already is not built again.",
    )
    verb.add_argument("environments", nargs="*", metavar="ENV")
    verb.add_argument("--all", action="store_true", help="every environment")
    verb.add_argument(
        "--changed",
        action="store_true",
        help="only what the plan says: environments whose image is not published",
    )
    verb.add_argument("--push", action="store_true", help="publish the images in the registry")
    add_platform(verb)
    add_registry(verb)
    add_locked(verb)
    verb.add_argument("--force", action="store_true", help="with --changed: all of them")
    verb.add_argument("--dry-run", action="store_true", help="show what would be built")
    verb.add_argument("--json", action="store_true", help="print eggcrate.build/1")
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
    """Decide, build, publish, report."""
    if not (arguments.environments or arguments.all or arguments.changed):
        raise UsageError("name the environments to build, or say --all or --changed")
    with context.open_remote(arguments.registry) as remote:
        if arguments.push and remote is None:
            raise UsageError(
                "there is no registry to push to",
                hint="set registry under [tool.eggcrate] in pyproject.toml, EGGCRATE_REGISTRY, "
                "or --registry HOST/PATH",
            )
        against = RemoteRegistry(remote) if remote else LocalRegistry(context.store)
        plan = decide(arguments, context, against)
        wanted = plan.to_build if arguments.changed else plan.resolved
        failed = {item.environment: item.error for item in plan.environments if item.error}
        shop = workshop(context, locked=arguments.locked)
        results = build_all(wanted, failed, shop, dry_run=arguments.dry_run)
        published = []
        if arguments.push and remote and not arguments.dry_run:
            published = publish(
                [image_of(result) for result in results if result.good],
                layout=context.store,
                remote=remote,
                holders=known_holders(remote, plan.published) if wanted else {},
                progress=context.progress,
            )
    if arguments.json:
        context.show_json("eggcrate.build/1", report.document(results, published))
    else:
        context.show(report.summary(results, published))
    good = all(one.good for one in results) and not any(one.error for one in published)
    return EXIT_OK if good else EXIT_FAILURE
