"""``eggcrate outdated``: which pins have newer versions, and what keeps them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.outdated import ages
from eggcrate.errors import EXIT_FAILURE, EXIT_OK
from eggcrate.repo.monorepo import pick
from eggcrate.report import outdated as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "outdated",
        help="show which pins have newer versions",
        description="For each environment the pins that have newer versions: the newest that its "
        "ranges allow, the newest there is, and what keeps that out. Nothing is resolved.",
    )
    verb.add_argument("environments", nargs="*", metavar="ENV", help="default: all of them")
    verb.add_argument("--all", action="store_true", help="show what only other packages need, too")
    verb.add_argument("--json", action="store_true", help="print eggcrate.outdated/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Print what is outdated."""
    names = pick("environment", arguments.environments, context.monorepo.environment_folders)
    context.progress.status("reading indexes …")
    with context.indexes as indexes:
        found, failed = ages(names, monorepo=context.monorepo, indexes=indexes)
    for error in failed.values():
        context.progress.info(f"error: {error}")
    if arguments.json:
        context.show_json("eggcrate.outdated/1", report.document(found, failed))
    else:
        context.show(report.ages(found, everything=arguments.all))
    return EXIT_FAILURE if failed else EXIT_OK
