"""The part of ``eggcrate run`` that sends a compiled pipeline to Vertex AI or Kubeflow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from eggcrate.errors import EXIT_FAILURE, EXIT_OK, UsageError
from eggcrate.pipelines.submit import kubeflow, vertex
from eggcrate.pipelines.submit.follow import EVERY, follow
from eggcrate.pipelines.submit.options import KubeflowOptions, VertexOptions
from eggcrate.pipelines.weight import check_weight
from eggcrate.report import remote as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from eggcrate.cli.context import Context
    from eggcrate.pipelines.compiled_file import CompiledPipeline
    from eggcrate.pipelines.submit.states import Platform, RunState, Submission

SCHEMA = "eggcrate.run-remote/1"


def add_remote(verb: argparse.ArgumentParser) -> None:
    """Add ``--vertex``, ``--kubeflow`` and what belongs to them.

    The verb itself has ``--dry-run`` and ``--json``.
    """
    where = verb.add_mutually_exclusive_group()
    where.add_argument("--vertex", action="store_true", help="run it on Vertex AI")
    where.add_argument(
        "--kubeflow",
        nargs="?",
        const="",
        metavar="URL",
        help="run it on Kubeflow Pipelines (default address: host under [kubeflow])",
    )
    more = verb.add_argument_group("on Vertex AI or Kubeflow")
    add_options(more)
    more.add_argument("--run-name", default="", metavar="NAME", help="default: pipeline and time")
    more.add_argument("--experiment", metavar="NAME", help="that the run belongs to")
    more.add_argument("--namespace", metavar="NAME", help="the profile's, on Kubeflow")
    add_following(more)
    more.add_argument("--detach", action="store_true", help="submit, and do not wait")


def add_options(group: argparse._ActionsContainer) -> None:
    """Add the flags that override ``[vertex]`` and ``[kubeflow]``."""
    group.add_argument("--project", metavar="ID", help="Google Cloud project")
    group.add_argument("--location", metavar="REGION", help="such as europe-west4")
    group.add_argument("--pipeline-root", metavar="URL", help="where artifacts are written")
    group.add_argument("--service-account", metavar="NAME", help="that tasks run as")
    group.add_argument("--network", metavar="NAME", help="projects/NUMBER/global/networks/NAME")
    group.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="labels",
        help="of the run; repeatable",
    )
    group.add_argument("--caching", choices=("on", "off"), help="for all tasks")


def add_following(group: argparse._ActionsContainer) -> None:
    """Add how a run is followed."""
    group.add_argument(
        "--cancel-on-interrupt", action="store_true", help="Ctrl-C ends the run as well"
    )
    group.add_argument(
        "--poll", type=float, default=EVERY, metavar="SECONDS", help=f"default: {EVERY:g}"
    )


def flags(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the flags say, by name of an option."""
    said = dict(vars(arguments))
    said["labels"] = pairs(arguments.labels, "--label")
    said["caching"] = {"on": True, "off": False}.get(arguments.caching)
    return said


def pairs(texts: Iterable[str], flag: str) -> dict[str, str]:
    """``NAME=VALUE`` texts by name.

    Raises:
        UsageError: one is none.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not name:
            raise UsageError(f"{flag} {text!r} must be NAME=VALUE")
        found[name] = value
    return found


def run_remote(
    arguments: argparse.Namespace,
    context: Context,
    compiled: CompiledPipeline,
    parameters: Mapping[str, Any],
    *,
    vertex_options: VertexOptions | None = None,
    kubeflow_options: KubeflowOptions | None = None,
) -> int:
    """Decide, submit, follow, report.

    Args:
        arguments: of a verb with :func:`add_remote`.
        context: the checkout.
        compiled: the pipeline.
        parameters: its values, of their types.
        vertex_options: ``[vertex]`` of its configuration.
        kubeflow_options: ``[kubeflow]`` of its configuration.
    """
    said = flags(arguments)
    platform: Platform
    if arguments.vertex:
        options = (vertex_options or VertexOptions()).overridden(said)
        submission = vertex.decide(compiled, parameters, options, run=arguments.run_name)
        if arguments.dry_run:
            return _show(arguments, context, submission)
        context.progress.status("loading Vertex AI's client")
        platform = vertex.Vertex(options, warn=context.progress.warn)
    else:
        said["host"] = arguments.kubeflow
        there = (kubeflow_options or KubeflowOptions()).overridden(said)
        submission = kubeflow.decide(compiled, parameters, there, run=arguments.run_name)
        if warning := check_weight(compiled):
            context.progress.warn(warning)
        if arguments.dry_run:
            return _show(arguments, context, submission)
        context.progress.status("loading Kubeflow's client")
        platform = kubeflow.Kubeflow(there, environ=os.environ)
    run = platform.submit(submission)
    context.progress.info(f"submitted: {run.page}")
    if not arguments.detach:
        run = followed(arguments, context, platform, run)
    return ended(arguments, context, run, SCHEMA)


def _show(arguments: argparse.Namespace, context: Context, submission: Submission) -> int:
    if arguments.json:
        document = report.submission_document(submission)
        context.show_json(SCHEMA, {"dry_run": True, **document})
    else:
        context.show(report.submission_text(submission))
    return EXIT_OK


def followed(
    arguments: argparse.Namespace, context: Context, platform: Platform, run: RunState
) -> RunState:
    """Follow to the end; Ctrl-C leaves the run alone unless it is told otherwise."""
    try:
        return follow(platform, run.name, context.progress, every=arguments.poll)
    except KeyboardInterrupt:
        if arguments.cancel_on_interrupt:
            platform.cancel(run.name)
            context.progress.info(f"asked to be cancelled: {run.page}")
        else:
            context.progress.info(
                f"not followed any more; the run goes on: {run.page}\n"
                f"  follow it again: eggcrate follow {run.reference}\n"
                f"  cancel it:       eggcrate follow --cancel {run.reference}"
            )
        raise


def ended(arguments: argparse.Namespace, context: Context, run: RunState, schema: str) -> int:
    """Print a run as it is; what failed is an expected failure."""
    if arguments.json:
        context.show_json(schema, report.run_document(run))
    else:
        context.show(report.run_text(run))
    return EXIT_FAILURE if run.state.over and not run.state.good else EXIT_OK
