"""``eggcrate new``: an environment, a component or a pipeline to start with."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from eggcrate.build.new_answers import Given, answer_environment
from eggcrate.cli.add import named_environment, rules
from eggcrate.cli.diff import size_asker
from eggcrate.errors import EXIT_OK, UsageError
from eggcrate.matrix.new_environment import decide_environment, found_environment
from eggcrate.packages.relock import locked_folder, locker
from eggcrate.questions import questions
from eggcrate.repo.known_answers import read_answers, remember
from eggcrate.repo.names import check_new_name
from eggcrate.repo.templates import template_folder
from eggcrate.report import new_environment as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context

_SCHEMA = "eggcrate.new/1"


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "new",
        help="make an environment, a component or a pipeline that works at once",
        description="Make a folder from a template. On a terminal what no flag says is asked; "
        "elsewhere the defaults are taken. Nothing is overwritten, and nothing is left behind "
        "when something fails.",
    )
    kinds = verb.add_subparsers(dest="kind", metavar="KIND", required=True)
    _add_environment(kinds)


def _common(kind: argparse.ArgumentParser) -> None:
    kind.add_argument("--yes", action="store_true", help="ask nothing: take the defaults")
    kind.add_argument("--dry-run", action="store_true", help="show all of it, write nothing")
    kind.add_argument("--json", action="store_true", help=f"print {_SCHEMA}; asks nothing")


def _add_environment(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    kind = kinds.add_parser(
        "environment",
        help="make an environment, locked",
        description="Make environments/NAME from environments/_template, or as the next version "
        "of another one, and lock it. Shows what it holds, what that takes, and which components "
        "could run in it.",
    )
    kind.add_argument("name", metavar="NAME")
    kind.add_argument(
        "packages", nargs="*", metavar="PACKAGE", help="such as polars or 'pandas>=2.2,<3'"
    )
    kind.add_argument("--from", dest="source", metavar="ENV", help="the next version of this one")
    kind.add_argument(
        "--set",
        dest="sets",
        action="append",
        default=[],
        metavar="REQUIREMENT",
        help="with --from: what it asks for differently, such as 'scikit-learn~=1.8.0'; "
        "may be repeated",
    )
    kind.add_argument("--python", default="", metavar="3.N", help="default: the newest there is")
    kind.add_argument("--base", default="", help="default: the one with that Python")
    kind.add_argument("--description", default="", help="what it is for, in one line")
    kind.add_argument("--owner", default="", help="the team that is asked when it breaks")
    kind.add_argument("--supported-until", type=_day, default=None, metavar="YYYY-MM-DD")
    _common(kind)
    kind.set_defaults(run=environment)


def _day(text: str) -> date:
    return date.fromisoformat(text)


def environment(arguments: argparse.Namespace, context: Context) -> int:
    """Ask, decide, show, and write unless it is a dry run."""
    name, cache = arguments.name, context.settings.cache
    check_new_name("environment", name, context.root)
    if arguments.sets and not arguments.source:
        raise UsageError(
            "--set changes what another environment asks for",
            hint="name that one with --from ENV, or name packages behind the new name",
        )
    template = template_folder("environment", context.root) / "pyproject.toml"
    answered = answer_environment(
        Given(
            name=name,
            packages=(*arguments.sets, *arguments.packages),
            python=arguments.python,
            base=arguments.base,
            description=arguments.description,
            owner=arguments.owner,
            supported_until=arguments.supported_until,
            source=named_environment(arguments.source, context) if arguments.source else None,
        ),
        template=template.read_bytes().decode(),
        monorepo=context.monorepo,
        known=read_answers(context.root, cache),
        questions=questions(os.environ, yes=arguments.yes or arguments.json),
    )
    for key, told in answered.known.items():
        context.progress.info(f"{key}: {told.value}, {told.origin} (--{key} says another)")
    with (
        locker(context.pip, cache=cache, progress=context.progress) as opened,
        locked_folder(context.root / "environments" / name, opened),
    ):
        check_new_name("environment", name, context.root)  # another may have been faster
        context.progress.status(f"resolving {name} …")
        founded = decide_environment(
            answered.wanted,
            monorepo=context.monorepo,
            locker=opened,
            sizes=size_asker(context, offline=False),
            progress=context.progress,
            judge=rules(context),
        )
        written, today = not arguments.dry_run, datetime.now(UTC).date()
        shown = report.text(founded, written=written, today=today)
        document = report.document(founded, written=written, today=today)
        if written:
            found_environment(founded)
    if written:
        remember(context.root, cache, answered.answers)
    if arguments.json:
        context.show_json(_SCHEMA, document)
    else:
        context.show(shown)
    return EXIT_OK
