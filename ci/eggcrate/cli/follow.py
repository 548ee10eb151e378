"""``eggcrate follow``: watch a run on Vertex AI or Kubeflow, or cancel it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from eggcrate.cli.run_remote import add_following, ended, followed
from eggcrate.errors import EXIT_OK, UsageError
from eggcrate.pipelines.submit import kubeflow, vertex
from eggcrate.pipelines.submit.options import KubeflowOptions, VertexOptions

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context
    from eggcrate.pipelines.submit.states import Platform

SCHEMA = "eggcrate.follow/1"


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "follow",
        help="watch a run on Vertex AI or Kubeflow, or cancel it",
        description="Watch a run that was submitted before, by whomever, until it is over.",
    )
    verb.add_argument(
        "run_reference",
        metavar="RUN",
        help="projects/…/locations/…/pipelineJobs/…, or the address of a run's page on Kubeflow",
    )
    verb.add_argument("--cancel", action="store_true", help="ask for its end")
    add_following(verb)
    verb.add_argument("--dry-run", action="store_true", help="look once, cancel nothing")
    verb.add_argument("--json", action="store_true", help="print eggcrate.follow/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Find it, follow it, report."""
    platform, name = _find(arguments.run_reference)
    seen = platform.look(name)
    if arguments.dry_run:
        return ended(arguments, context, seen, SCHEMA)
    if arguments.cancel and not seen.state.over:
        platform.cancel(name)
        context.progress.info(f"asked to be cancelled: {seen.page}")
    last = followed(arguments, context, platform, seen)
    code = ended(arguments, context, last, SCHEMA)
    return EXIT_OK if arguments.cancel else code


def _find(reference: str) -> tuple[Platform, str]:
    found = vertex.RESOURCE.fullmatch(reference)
    if found:
        options = VertexOptions(project=found["project"], location=found["location"])
        return vertex.Vertex(options), reference
    host, name = kubeflow.address_of(reference)
    if host:
        there = KubeflowOptions().overridden({"host": host})
        return kubeflow.Kubeflow(there, environ=os.environ), name
    raise UsageError(
        f"{reference!r} is not a run",
        hint="write projects/PROJECT/locations/LOCATION/pipelineJobs/ID, "
        "or the address of a run's page on Kubeflow",
    )
