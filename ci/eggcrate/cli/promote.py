"""``eggcrate promote``: move ``stable`` to the images that the working tree names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build import promote
from eggcrate.build.plan import STABLE
from eggcrate.cli.plan import add_registry, by_default, no_registry, read_locks
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, UsageError
from eggcrate.report import promote as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "promote",
        help="move the tag stable to the images that the locks name now",
        description="Move a tag of environments to the image that is published under the key of "
        "their locks as they are here. Nothing is built; what is not published is refused.",
    )
    verb.add_argument("environments", nargs="*", metavar="ENV", help="environments to promote")
    verb.add_argument("--all", action="store_true", help="every environment")
    verb.add_argument("--tag", default=STABLE, metavar="TAG", help="default: stable")
    add_registry(verb)
    verb.add_argument("--dry-run", action="store_true", help="show what would be moved")
    verb.add_argument("--json", action="store_true", help="print eggcrate.promote/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Decide, move, report."""
    if not (arguments.environments or arguments.all):
        raise UsageError("name the environments to promote, or say --all")
    tag = promote.check_mutable(arguments.tag)
    with context.open_remote(arguments.registry) as remote:
        if remote is None:
            raise no_registry("promote in")
        names = by_default(context) if arguments.all else arguments.environments
        resolved, failed = read_locks(context, names)
        promotions = promote.decide(resolved, failed, remote, tag)
        if not arguments.dry_run:
            promotions = promote.promote(promotions, remote)
    if arguments.json:
        context.show_json("eggcrate.promote/1", report.document(promotions))
    else:
        context.show(report.summary(promotions))
    return EXIT_FAILURE if any(one.error for one in promotions) else EXIT_OK
