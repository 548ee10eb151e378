"""``eggcrate new``: an environment, a component or a pipeline to start with."""

from __future__ import annotations

import argparse
import functools
import os
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from eggcrate.build.new_answers import Given, answer_environment
from eggcrate.cli.add import named_environment, rules
from eggcrate.cli.diff import size_asker
from eggcrate.cli.new_cloud import KIND as CLOUD
from eggcrate.cli.new_cloud import SCHEMA as _SCHEMA
from eggcrate.cli.new_cloud import add_cloud
from eggcrate.cli.plan import read_locks
from eggcrate.errors import EXIT_OK, UsageError
from eggcrate.matrix.new_component import (
    NewComponent,
    answer_component,
    decide_component,
    make_component,
)
from eggcrate.matrix.new_environment import decide_environment, found_environment
from eggcrate.packages.relock import locked_folder, locker
from eggcrate.plugins import GENERATORS, plugins
from eggcrate.questions import questions
from eggcrate.repo.generated import generate, write_generated
from eggcrate.repo.known_answers import read_answers, remember
from eggcrate.repo.monorepo import pick
from eggcrate.repo.names import FOLDERS, check_new_name
from eggcrate.repo.new_pipeline import decide_pipeline, make_pipeline
from eggcrate.repo.templates import template_folder
from eggcrate.report import new_code as report_code
from eggcrate.report import new_environment as report

if TYPE_CHECKING:
    from eggcrate.cli.context import Context
    from eggcrate.plugins import Plugin
    from eggcrate.questions import Questions


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "new",
        help="make an environment, a component or a pipeline that works at once",
        description="Make a folder from a template (or, for `cloud`, Terraform's variables). On a "
        "terminal what no flag says is asked; "
        "elsewhere the defaults are taken. Nothing is overwritten, and nothing is left behind "
        "when something fails.",
    )
    kinds = verb.add_subparsers(dest="kind", metavar="KIND", required=True)
    _add_environment(kinds)
    _add_component(kinds)
    _add_pipeline(kinds)
    add_cloud(kinds)
    for plugin in plugins(GENERATORS):
        if plugin.name not in (*FOLDERS, CLOUD):
            _add_plugin(kinds, plugin)


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
    kind.add_argument("name", metavar="NAME", help="what it is called")
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
    kind.add_argument(
        "--supported-until",
        type=_day,
        default=None,
        metavar="YYYY-MM-DD",
        help="the day by which its users should have moved on",
    )
    _common(kind)
    kind.set_defaults(run=environment)


def _add_component(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    kind = kinds.add_parser(
        "component",
        help="make a component that is proven at once",
        description="Make components/NAME from components/_template: code, an example and tests. "
        "Shows in which environments it could run.",
    )
    kind.add_argument("name", metavar="NAME", help="what it is called")
    kind.add_argument(
        "needs", nargs="*", metavar="PACKAGE", help="what it needs, such as 'pandas>=2.2'"
    )
    kind.add_argument("--description", default="", help="what it does, in one line")
    kind.add_argument("--environment", default="", metavar="ENV", help="where it runs by default")
    kind.add_argument(
        "--flavour",
        dest="flavours",
        action="append",
        default=[],
        metavar="NAME=REQUIREMENT",
        help="a library that it can use instead of others, such as 'sklearn=scikit-learn>=1.5'; "
        "may be repeated",
    )
    kind.add_argument(
        "--input",
        dest="inputs",
        action="append",
        default=[],
        metavar="NAME:TYPE",
        help="an input beside the template's, such as threshold:float; may be repeated",
    )
    _common(kind)
    kind.set_defaults(run=component)


def _add_pipeline(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    kind = kinds.add_parser(
        "pipeline",
        help="make a pipeline that compiles at once",
        description="Make pipelines/NAME from pipelines/_template: code, and the configuration "
        "that its users edit.",
    )
    kind.add_argument("name", metavar="NAME", help="what it is called")
    kind.add_argument(
        "--component",
        dest="components",
        action="append",
        default=[],
        metavar="COMPONENT",
        help="a step, wired to those before it by name and type; may be repeated "
        "(default: the template's)",
    )
    kind.add_argument("--description", default="", help="what it does, in one line")
    _common(kind)
    kind.set_defaults(run=pipeline)


def _add_plugin(kinds: argparse._SubParsersAction[argparse.ArgumentParser], plugin: Plugin) -> None:
    kind = kinds.add_parser(plugin.name, help=f"made by {plugin.distribution}")
    kind.add_argument("name", metavar="NAME", help="what it is called")
    kind.add_argument("words", nargs="*", metavar="WORD", help="for the plugin")
    kind.add_argument("--dry-run", action="store_true", help="show the files, write nothing")
    kind.add_argument("--json", action="store_true", help=f"print {_SCHEMA}")
    kind.set_defaults(run=functools.partial(of_plugin, plugin))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2028-06-30") from error


def _asker(arguments: argparse.Namespace) -> Questions:
    return questions(os.environ, yes=arguments.yes or arguments.json)


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
        questions=_asker(arguments),
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
    return _show(shown, document, arguments, context)


def component(arguments: argparse.Namespace, context: Context) -> int:
    """Ask, decide, show, and write unless it is a dry run."""
    check_new_name("component", arguments.name, context.root)
    asker, written = _asker(arguments), not arguments.dry_run
    given = NewComponent(
        name=arguments.name,
        description=arguments.description,
        environment=arguments.environment,
        needs=tuple(arguments.needs),
        flavours=tuple(arguments.flavours),
        inputs=tuple(arguments.inputs),
    )
    template = template_folder("component", context.root)
    environments = tuple(context.monorepo.environment_folders)
    drafted = decide_component(
        answer_component(given, template, environments, asker),
        monorepo=context.monorepo,
        resolved=read_locks(context, ())[0],
        questions=asker,
    )
    if written:
        make_component(drafted)
    return _show(
        report_code.component(drafted, written=written),
        report_code.component_document(drafted, written=written),
        arguments,
        context,
    )


def pipeline(arguments: argparse.Namespace, context: Context) -> int:
    """Ask, decide, show, and write unless it is a dry run."""
    check_new_name("pipeline", arguments.name, context.root)
    written = not arguments.dry_run
    if arguments.components:
        pick("component", arguments.components, context.monorepo.components)
    wanted = decide_pipeline(
        arguments.name,
        arguments.description,
        root=context.root,
        questions=_asker(arguments),
        components=arguments.components,
    )
    if written:
        make_pipeline(wanted)
    return _show(
        report_code.pipeline(wanted, written=written),
        report_code.pipeline_document(wanted, written=written),
        arguments,
        context,
    )


def of_plugin(plugin: Plugin, arguments: argparse.Namespace, context: Context) -> int:
    """Have a plugin decide, check, show, and write unless it is a dry run."""
    generated = generate(plugin, arguments.name, arguments.words, context.root)
    written = not arguments.dry_run
    if written:
        write_generated(generated)
    return _show(
        report_code.generated(generated, context.root, written=written),
        report_code.generated_document(generated, context.root, written=written),
        arguments,
        context,
    )


def _show(
    text: str, document: dict[str, Any], arguments: argparse.Namespace, context: Context
) -> int:
    if arguments.json:
        context.show_json(_SCHEMA, document)
    else:
        context.show(text)
    return EXIT_OK
