"""``eggcrate build``: make the images of environments in the local store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.engine import build_all
from eggcrate.build.resolve import resolve_all
from eggcrate.build.workshop import Workshop
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, UsageError
from eggcrate.packages.target import Platform
from eggcrate.repo.monorepo import pick
from eggcrate.report import build as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.build.engine import BuildResult
    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "build",
        help="build images into the local store",
        description="Build the images of environments into the checkout's store, an OCI image "
        "layout. What is there already is not built again.",
    )
    verb.add_argument("environments", nargs="*", metavar="ENV")
    verb.add_argument("--all", action="store_true", help="every environment")
    verb.add_argument(
        "--platform",
        action="append",
        metavar="OS/ARCH",
        help="instead of the environments' own platforms, such as linux/arm64; may be repeated",
    )
    add_locked(verb)
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
    """Build what was asked for."""
    if not arguments.environments and not arguments.all:
        raise UsageError("name the environments to build, or say --all")
    monorepo = context.monorepo
    broken = {
        name.removeprefix("environments/"): error
        for name, error in monorepo.broken.items()
        if name.startswith("environments/")
    }
    names = pick("environment", arguments.environments, {*monorepo.environments, *broken})
    platforms = [Platform.parse(text) for text in arguments.platform or ()] or None
    chosen = {name: monorepo.environments[name] for name in names if name not in broken}
    resolved, failed = resolve_all(chosen, monorepo.bases, platforms)
    failed |= {name: broken[name] for name in names if name in broken}
    results: list[BuildResult] = build_all(
        resolved, failed, workshop(context, locked=arguments.locked), dry_run=arguments.dry_run
    )
    if arguments.json:
        context.show_json("eggcrate.build/1", report.document(results))
    else:
        context.show(report.summary(results))
    return EXIT_OK if all(result.good for result in results) else EXIT_FAILURE
