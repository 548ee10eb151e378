"""``eggcrate package``: a wheel of the helper modules that components share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import EXIT_OK
from eggcrate.files import atomic_write
from eggcrate.pipelines.helper_wheel import HELPERS, make_helper_wheel
from eggcrate.repo.sources import Sources
from eggcrate.report import helper_wheel as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "package",
        help="make a wheel of the helper modules that components share",
        description=f'Make a wheel of {HELPERS}, for components with share="package": the same '
        "bytes from every checkout. It is put on an index, in a bucket or on a server by you.",
    )
    verb.add_argument(
        "--version",
        default="",
        metavar="V",
        help="such as 1.4.0 (default: 0.0.0+ and a hash of the modules)",
    )
    verb.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for the wheel (default: build/packages in the repository)",
    )
    verb.add_argument("--dry-run", action="store_true", help="make and check it, write nothing")
    verb.add_argument("--json", action="store_true", help="print eggcrate.package/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Make, write, report."""
    wheel = make_helper_wheel(Sources(context.root), version=arguments.version)
    path = (arguments.output or context.root / "build" / "packages") / wheel.filename
    if not arguments.dry_run:
        atomic_write(path, wheel.content)
    if arguments.json:
        document = report.document(wheel, path, dry_run=arguments.dry_run)
        context.show_json("eggcrate.package/1", document)
    else:
        context.show(report.summary(wheel, path, written=not arguments.dry_run))
    return EXIT_OK
