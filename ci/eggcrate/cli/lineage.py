"""``eggcrate lineage``: which runs use which images, and the reverse."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import EXIT_FAILURE, EXIT_OK, EggcrateError, UsageError
from eggcrate.pipelines.lineage import asked_for, moment_text, runs_here, unpinned
from eggcrate.pipelines.submit.options import KubeflowOptions, VertexOptions
from eggcrate.repo.document import Table
from eggcrate.report import lineage as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from eggcrate.cli.context import Context
    from eggcrate.pipelines.lineage import Use

SCHEMA = "eggcrate.lineage/1"
DAYS = 90


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "lineage",
        help="find the runs and schedules that use an image, and the images of a run",
        description="Which runs and schedules use which image, by digest: those of this checkout, "
        "and with --vertex or --kubeflow those of a platform. What cannot be seen is an error.",
    )
    verb.add_argument(
        "what",
        nargs="?",
        default="",
        metavar="DIGEST|ENV|ENV@DIGEST|RUN",
        help="a digest or its beginning, an environment, or a run by name, address or resource; "
        "default: all",
    )
    add_sources(verb)
    verb.add_argument("--json", action="store_true", help=f"print {SCHEMA}")
    verb.set_defaults(run=run)


def add_sources(verb: argparse._ActionsContainer) -> None:
    """Add the flags that say where to look for runs beside this checkout."""
    verb.add_argument(
        "--vertex", action="store_true", help="look at Vertex AI's runs and schedules, too"
    )
    verb.add_argument("--project", metavar="ID", help="Google Cloud project")
    verb.add_argument("--location", metavar="REGION", help="such as europe-west4")
    verb.add_argument(
        "--kubeflow",
        nargs="?",
        const="",
        metavar="URL",
        help="look at Kubeflow's runs and recurring runs, too",
    )
    verb.add_argument("--namespace", metavar="NAME", help="the profile's, on Kubeflow")
    verb.add_argument(
        "--config", type=Path, metavar="FILE.toml", help="with tables [vertex] and [kubeflow]"
    )
    verb.add_argument(
        "--days",
        type=float,
        default=DAYS,
        metavar="N",
        help=f"look at runs of the last N days; schedules always (default: {DAYS})",
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read every source, choose, tell."""
    since = _since(arguments)
    uses: list[Use] = []
    looked: dict[str, int] = {}
    errors: list[EggcrateError] = []
    here: Callable[[], list[Use]] = lambda: [*runs_here(context.root, since)]  # noqa: E731 - one of several
    for name, read in {"here": here, **platforms(arguments, context, since)}.items():
        try:
            found = read()
        except UsageError:
            raise
        except EggcrateError as error:
            errors.append(error)
            continue
        looked[name] = len(found)
        uses += found
    try:
        chosen = asked_for(uses, arguments.what, context.monorepo.environment_folders)
    except UsageError:
        if not errors:
            raise
        chosen = ()
    for image in unpinned(chosen):
        context.progress.warn(f"{image} is named by a tag: which digest it was is not known")
    for problem in errors:
        context.progress.info(f"error: {problem}")
    if arguments.json:
        context.show_json(
            SCHEMA,
            {
                "asked": arguments.what,
                "since": since,
                "looked": looked,
                "uses": report.lineage_document(chosen),
                "errors": [{"what": one.what, "why": one.why, "hint": one.hint} for one in errors],
            },
        )
    else:
        told = ", ".join(f"{count} {name}" for name, count in looked.items()) or "none"
        told = f"looked at runs and schedules since {since[:10]}: {told}"
        if errors:
            told += "; not all could be seen"
        context.show(f"{report.lineage_text(chosen)}\n\n{told}" if chosen else f"{told}; no use")
    return EXIT_FAILURE if errors else EXIT_OK


def platforms(
    arguments: argparse.Namespace, context: Context, since: str
) -> dict[str, Callable[[], list[Use]]]:
    """What reads the runs of each platform that is asked for, by its name.

    Args:
        arguments: of a verb with :func:`add_sources`.
        context: the checkout.
        since: UTC, ISO 8601.
    """
    given = dict(vars(arguments)) | {"host": arguments.kubeflow}
    table = Table.read(arguments.config) if arguments.config else None
    found: dict[str, Callable[[], list[Use]]] = {}
    if arguments.vertex:
        own = VertexOptions.from_table(table.table("vertex")) if table else VertexOptions()
        options = own.overridden(given)

        def vertex() -> list[Use]:
            from eggcrate.pipelines.submit.lineage import on_vertex  # noqa: PLC0415 - slow

            context.progress.status("asking Vertex AI")
            return on_vertex(options, since)

        found["vertex"] = vertex
    if arguments.kubeflow is not None:
        there = KubeflowOptions.from_table(table.table("kubeflow")) if table else KubeflowOptions()
        there = there.overridden(given)
        if not there.host:
            raise UsageError("Kubeflow needs an address", hint="--kubeflow URL, or --config")

        def kubeflow() -> list[Use]:
            from eggcrate.pipelines.submit.kubeflow import Kubeflow  # noqa: PLC0415 - slow
            from eggcrate.pipelines.submit.lineage import on_kubeflow  # noqa: PLC0415 - slow

            context.progress.status("asking Kubeflow")
            return on_kubeflow(Kubeflow(there, environ=os.environ), since)

        found["kubeflow"] = kubeflow
    return found


def used_by_runs(
    arguments: argparse.Namespace, context: Context, prefix: str
) -> dict[tuple[str, str], list[str]]:
    """The images under a prefix that runs and schedules of platforms use, and which do.

    Args:
        arguments: of a verb with :func:`add_sources`.
        context: the checkout.
        prefix: ``HOST/PATH`` of the registry.

    Raises:
        SubmitError: they may not be seen: then what is used is not known.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for read in platforms(arguments, context, _since(arguments)).values():
        for use in read():
            for image in use.images:
                name, mark, digest = image.partition("@")
                if mark and name.rpartition("/")[0] == prefix:
                    users = found.setdefault((name.rpartition("/")[2], digest), [])
                    users.append(f"{use.kind.value} {use.name}")
    return found


def _since(arguments: argparse.Namespace) -> str:
    if arguments.days < 0:
        raise UsageError("--days must be 0 or more")
    return moment_text(datetime.now(UTC) - timedelta(days=arguments.days))
