"""``eggcrate where``: which environment can take a package, and at what cost."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from eggcrate.build.homes import find_homes
from eggcrate.errors import EXIT_OK
from eggcrate.packages.relock import locker
from eggcrate.report import homes as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "where",
        help="find the environment that can take a package",
        description="Resolve every environment with the packages added, and change none: which "
        "can take them without moving a pin, at what cost, which hold them already, and which "
        "cannot and why. Best first.",
    )
    verb.add_argument("packages", nargs="+", metavar="PACKAGE", help="such as polars or 'torch>=2'")
    verb.add_argument("--json", action="store_true", help="print eggcrate.where/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Print the environments, best first."""
    with locker(context.pip, cache=context.settings.cache, progress=context.progress) as opened:
        found = find_homes(
            arguments.packages,
            monorepo=context.monorepo,
            locker=opened,
            pip=functools.partial(getattr, context, "pip"),
            progress=context.progress,
        )
    if arguments.json:
        context.show_json("eggcrate.where/1", report.document(found))
    else:
        context.show(report.homes(found))
    return EXIT_OK
