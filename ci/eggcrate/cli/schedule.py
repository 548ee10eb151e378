"""``eggcrate schedule``: have Vertex AI run a compiled pipeline again and again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.cli.run_remote import add_options, flags, pairs
from eggcrate.errors import EXIT_OK
from eggcrate.pipelines.compiled_file import read_compiled
from eggcrate.pipelines.submit import vertex
from eggcrate.pipelines.submit.checks import parameter_values
from eggcrate.pipelines.submit.options import VertexOptions
from eggcrate.pipelines.submit.vertex_schedules import Schedules, Timing
from eggcrate.repo.document import Table
from eggcrate.report import remote as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context
    from eggcrate.pipelines.submit.vertex_schedules import Schedule

SCHEMA = "eggcrate.schedule/1"


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "schedule",
        help="have Vertex AI run a compiled pipeline again and again",
        description="Schedules of Vertex AI in one project and location.",
    )
    what = verb.add_subparsers(dest="what", metavar="WHAT", required=True)
    create = what.add_parser("create", help="run a compiled pipeline again and again")
    create.add_argument("file", type=Path, metavar="FILE.yaml", help="from eggcrate compile")
    create.add_argument("--cron", required=True, metavar='"M H D M W"', help="when")
    create.add_argument("--time-zone", default="UTC", metavar="ZONE", help="default: UTC")
    create.add_argument("--name", default="", help="default: the pipeline's")
    create.add_argument("--start", default="", metavar="MOMENT", help="default: at once")
    create.add_argument("--end", default="", metavar="MOMENT", help="default: never")
    create.add_argument("--max-concurrent", type=int, default=1, metavar="N", help="default: 1")
    create.add_argument("--max-runs", type=int, default=0, metavar="N", help="default: no limit")
    create.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="may be repeated"
    )
    _add_common(create)
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


def _add_common(verb: argparse.ArgumentParser, *, changes: bool = True) -> None:
    verb.add_argument("--config", type=Path, metavar="FILE.toml", help="with a table [vertex]")
    add_options(verb)
    if changes:
        verb.add_argument("--dry-run", action="store_true", help="show what would be done")
    verb.add_argument("--json", action="store_true", help=f"print {SCHEMA}")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do it, and show the schedule or all of them."""
    options = VertexOptions()
    if arguments.config:
        options = VertexOptions.from_table(Table.read(arguments.config).table("vertex"))
    options = options.overridden(flags(arguments))
    if arguments.what == "create":
        return _create(arguments, context, options)
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


def _create(arguments: argparse.Namespace, context: Context, options: VertexOptions) -> int:
    timing = Timing(
        cron=arguments.cron,
        time_zone=arguments.time_zone,
        start=arguments.start,
        end=arguments.end,
        max_concurrent=arguments.max_concurrent,
        max_runs=arguments.max_runs,
    )
    compiled = read_compiled(arguments.file)
    parameters = parameter_values(compiled, pairs(arguments.parameter, "--parameter"))
    name = arguments.name or compiled.name
    submission = vertex.decide(compiled, parameters, options, run=name)
    if not arguments.dry_run:
        context.progress.status("loading Vertex AI's client")
        schedules = Schedules(options, warn=context.progress.warn)
        return _show(arguments, context, [schedules.create(submission, timing, name)])
    if arguments.json:
        document = report.submission_document(submission)
        when = report.timing_document(timing)
        context.show_json(SCHEMA, {"dry_run": True, "name": name, "timing": when, **document})
    else:
        context.show(f"schedule {name}: {timing.expression}")
        context.show(report.submission_text(submission))
    return EXIT_OK


def _show(arguments: argparse.Namespace, context: Context, schedules: list[Schedule]) -> int:
    if arguments.json:
        document = [report.schedule_document(one) for one in schedules]
        context.show_json(SCHEMA, {"schedules": document})
    else:
        context.show(report.schedules_text(schedules))
    return EXIT_OK
