"""``eggcrate new cloud``: Terraform's variables, asked once and kept up to date."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from eggcrate.cloud.new_cloud import ANSWERS, FILE, Outcome, decide_cloud, read_variables
from eggcrate.errors import EXIT_FAILURE, EXIT_OK
from eggcrate.files import atomic_write
from eggcrate.questions import NobodyToAsk, questions
from eggcrate.repo.git import Git
from eggcrate.report import new_cloud as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context

SCHEMA = "eggcrate.new/1"
KIND = "cloud"
_HELP = {
    "project": "project of Google Cloud that builds run in and images are kept in",
    "region": "where both are, such as europe-west4",
    "repository": "name of the repository of images in Artifact Registry",
    "connection": "Cloud Build's connection to the forge; without one there are no triggers",
    "remote": "address that this repository is cloned from (default: origin's)",
}


def add_cloud(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the kind to ``eggcrate new``."""
    kind = kinds.add_parser(
        KIND,
        help="write the variables of infra/, asked once and kept up to date",
        description=f"Write {FILE}: the answers, and what follows from the environments and "
        "pipelines that there are. What was answered before is not asked again; a flag changes "
        "it. Other files of infra/ are left alone.",
    )
    for key in ANSWERS:
        kind.add_argument(f"--{key}", default="", metavar=key.upper(), help=_HELP[key])
    kind.add_argument(
        "--notify",
        action="append",
        default=None,
        metavar="ADDRESS",
        help="e-mail address that is told of failed builds and pipelines; may be repeated",
    )
    kind.add_argument(
        "--check",
        action="store_true",
        help="write nothing; end with 1 when the file is not what the repository needs",
    )
    kind.add_argument("--yes", action="store_true", help="ask nothing: take the defaults")
    kind.add_argument("--dry-run", action="store_true", help="show all of it, write nothing")
    kind.add_argument("--json", action="store_true", help=f"print {SCHEMA}; asks nothing")
    kind.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Ask, decide, show, and write unless it is a dry run or a check."""
    silent = arguments.yes or arguments.json
    if arguments.check and read_variables(context.root / FILE) is None:
        if arguments.json:
            context.show_json(SCHEMA, report.document(None, written=False))
        else:
            context.show(report.ABSENT)
        return EXIT_OK
    wanted = decide_cloud(
        {key: told for key in ANSWERS if (told := getattr(arguments, key))},
        None if arguments.notify is None else tuple(arguments.notify),
        monorepo=context.monorepo,
        origin=Git(root=context.root).setting("remote.origin.url"),
        questions=NobodyToAsk() if arguments.check else questions(os.environ, yes=silent),
    )
    written = not (arguments.dry_run or arguments.check)
    if written and wanted.outcome is not Outcome.UP_TO_DATE:
        atomic_write(wanted.path, wanted.text)
    if arguments.json:
        context.show_json(SCHEMA, report.document(wanted, written=written))
    elif arguments.check:
        context.show(report.checked(wanted))
    else:
        context.show(report.text(wanted, written=written))
    stale = arguments.check and wanted.outcome is not Outcome.UP_TO_DATE
    return EXIT_FAILURE if stale else EXIT_OK
