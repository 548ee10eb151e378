"""``eggcrate schedule``: have Vertex AI run a compiled pipeline again and again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.cli.asked import HELP, METAVAR, add_stage, asked_of, vertex_options
from eggcrate.cli.run_remote import add_options, flags, pairs
from eggcrate.errors import EXIT_OK
from eggcrate.pipelines.compiled_file import read_compiled
from eggcrate.pipelines.parameters import run_parameters
from eggcrate.pipelines.submit import vertex
from eggcrate.pipelines.submit.checks import parameter_values
from eggcrate.pipelines.submit.options import VertexOptions
from eggcrate.pipelines.submit.schedule_options import timing_of
from eggcrate.pipelines.submit.vertex_schedule_apply import Applied, apply, labelled
from eggcrate.pipelines.submit.vertex_schedules import Schedules
from eggcrate.repo.document import Table
from eggcrate.report import remote as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context
    from eggcrate.pipelines.submit.states import Submission
    from eggcrate.pipelines.submit.vertex_schedules import Schedule, Timing

SCHEMA = "eggcrate.schedule/1"


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "schedule",
        help="have Vertex AI run a compiled pipeline again and again",
        description="Schedules of Vertex AI in one project and location.",
    )
    what = verb.add_subparsers(dest="what", metavar="WHAT", required=True)
    for name, told in (
        ("create", "run a compiled pipeline again and again"),
        ("apply", "have a schedule as it is said: made, changed, or left as it is"),
    ):
        _add_wanted(what.add_parser(name, help=told))
    for name, told in (
        ("pause", "start no more runs"),
        ("resume", "start runs again"),
        ("delete", "have it no more; its runs stay"),
    ):
        one = what.add_parser(name, help=told)
        one.add_argument("schedule", metavar="NAME_OR_ID", help="as list shows it")
        _add_common(one)
    _add_common(what.add_parser("list", help="show all of them"), changes=False)
    verb.set_defaults(run=run)


def _add_wanted(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("pipeline", metavar=METAVAR, help=HELP)
    add_stage(verb)
    verb.add_argument("--cron", metavar='"M H D M W"', help="when (default: cron under [schedule])")
    verb.add_argument("--time-zone", metavar="ZONE", help="default: UTC")
    verb.add_argument(
        "--name", help="default: pipeline, project and stage; of a file the pipeline's"
    )
    verb.add_argument("--start", metavar="MOMENT", help="default: at once")
    verb.add_argument("--end", metavar="MOMENT", help="default: never")
    verb.add_argument("--max-concurrent", type=int, metavar="N", help="default: 1")
    verb.add_argument("--max-runs", type=int, metavar="N", help="default: no limit")
    verb.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="may be repeated"
    )
    _add_common(verb)


def _add_common(verb: argparse.ArgumentParser, *, changes: bool = True) -> None:
    verb.add_argument("--config", type=Path, metavar="FILE.toml", help="with a table [vertex]")
    add_options(verb)
    if changes:
        verb.add_argument("--dry-run", action="store_true", help="show what would be done")
    verb.add_argument("--json", action="store_true", help=f"print {SCHEMA}")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do it, and show the schedule or all of them."""
    if arguments.what in {"create", "apply"}:
        return _want(arguments, context)
    options = _options(arguments, VertexOptions())
    context.progress.status("loading Vertex AI's client")
    schedules = Schedules(options, warn=context.progress.warn)
    if arguments.what == "list":
        return _show(arguments, context, schedules.list())
    if arguments.dry_run:
        found = schedules.find(arguments.schedule)
    else:
        found = getattr(schedules, arguments.what)(arguments.schedule)
        context.progress.info(f"{arguments.what}d" if arguments.what != "pause" else "paused")
    return _show(arguments, context, [found])


def _options(arguments: argparse.Namespace, options: VertexOptions) -> VertexOptions:
    if arguments.config:
        own = VertexOptions.from_table(Table.read(arguments.config).table("vertex"))
        options = options.overridden(vars(own))
    return options.overridden(flags(arguments))


def _want(arguments: argparse.Namespace, context: Context) -> int:
    """Make a schedule, or have it as it is said."""
    asked = asked_of(arguments, context, exact=False)
    timing, name = timing_of(asked.tables("schedule"), vars(arguments))
    compiled = read_compiled(asked.path(context.root))
    if asked.file:
        parameters = parameter_values(compiled, pairs(arguments.parameter, "--parameter"))
    else:
        parameters = run_parameters(
            compiled, asked.values, arguments.parameter, project=asked.project
        )
    options = _options(arguments, vertex_options(asked))
    name = name or asked.label or compiled.name
    submission = vertex.decide(compiled, parameters, options, run=name)
    if arguments.what == "create" and arguments.dry_run:
        return _tell(arguments, context, submission, timing)
    context.progress.status("loading Vertex AI's client")
    if arguments.what == "create":
        schedules = Schedules(options, warn=context.progress.warn)
        return _show(arguments, context, [schedules.create(submission, timing, name)])
    schedules = Schedules(labelled(options, submission), warn=context.progress.warn)
    outcome, found = apply(schedules, submission, timing, name, dry_run=arguments.dry_run)
    would = "would be " if arguments.dry_run and outcome is not Applied.UP_TO_DATE else ""
    context.progress.info(f"{name}: {would}{outcome.value}")
    return _show(arguments, context, [found] if found else [], outcome.value)


def _tell(
    arguments: argparse.Namespace, context: Context, submission: Submission, timing: Timing
) -> int:
    name = submission.run
    if arguments.json:
        document = report.submission_document(submission)
        when = report.timing_document(timing)
        context.show_json(SCHEMA, {"dry_run": True, "name": name, "timing": when, **document})
    else:
        context.show(f"schedule {name}: {timing.expression}")
        context.show(report.submission_text(submission))
    return EXIT_OK


def _show(
    arguments: argparse.Namespace,
    context: Context,
    schedules: list[Schedule],
    outcome: str = "",
) -> int:
    if arguments.json:
        document = [report.schedule_document(one) for one in schedules]
        told = {"outcome": outcome, "dry_run": arguments.dry_run} if outcome else {}
        context.show_json(SCHEMA, {**told, "schedules": document})
    elif schedules or not outcome:
        context.show(report.schedules_text(schedules))
    return EXIT_OK
