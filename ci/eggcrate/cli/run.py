"""``eggcrate run``: a compiled pipeline on Vertex AI or Kubeflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.cli.run_remote import add_remote, run_remote
from eggcrate.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "run",
        help="run a compiled pipeline on Vertex AI or Kubeflow",
        description="Submit a compiled pipeline, and follow it to its end.",
    )
    verb.add_argument(
        "pipeline",
        metavar="PIPELINE|FILE.yaml",
        help="a file, or the name of what `eggcrate compile` wrote to build/pipelines/",
    )
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the pipeline; repeatable",
    )
    add_remote(verb)
    verb.add_argument("--dry-run", action="store_true", help="show what would be submitted")
    verb.add_argument("--json", action="store_true", help="print eggcrate.run-remote/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read, check, submit, follow."""
    from eggcrate.pipelines.compiled_file import (  # noqa: PLC0415 - slow, for this verb alone
        read_compiled,
    )
    from eggcrate.pipelines.parameters import parse_assignments  # noqa: PLC0415 - as above

    if not arguments.vertex and arguments.kubeflow is None:
        raise UsageError(
            "say where to run it", hint="--vertex for Vertex AI, --kubeflow URL for Kubeflow"
        )
    path = Path(arguments.pipeline)
    if path.suffix not in (".yaml", ".yml", ".json"):
        path = context.root / "build" / "pipelines" / f"{arguments.pipeline}.yaml"
    parameters = parse_assignments(read_compiled(path), arguments.set)
    return run_remote(arguments, context, path, parameters)
