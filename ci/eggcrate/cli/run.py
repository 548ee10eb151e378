"""``eggcrate run``: a pipeline on this machine, on Vertex AI or on Kubeflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.cli.asked import (
    HELP,
    METAVAR,
    add_stage,
    asked_of,
    kubeflow_options,
    vertex_options,
)
from eggcrate.cli.build import add_locked
from eggcrate.cli.run_remote import add_remote, run_remote
from eggcrate.errors import CompileError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from eggcrate.cli.asked import Asked
    from eggcrate.cli.context import Context
    from eggcrate.pipelines.compiled_file import CompiledPipeline


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    from eggcrate.cli.run_local import add_local  # noqa: PLC0415 - slow, for this verb alone

    verb = verbs.add_parser(
        "run",
        help="run a pipeline here, on Vertex AI or on Kubeflow",
        description="Run a pipeline on this machine, each task in its image; or submit it, and "
        "follow it to its end.",
    )
    verb.add_argument("pipeline", metavar=METAVAR, help=HELP)
    add_stage(verb)
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the pipeline; repeatable",
    )
    verb.add_argument("--local", action="store_true", help="on this machine (the default)")
    add_local(verb)
    add_remote(verb)
    add_locked(verb)
    verb.add_argument("--dry-run", action="store_true", help="show what would be run")
    verb.add_argument(
        "--json", action="store_true", help="print eggcrate.run/1, or eggcrate.run-remote/1"
    )
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read, choose, then run here or there."""
    from eggcrate.pipelines.compiled_file import (  # noqa: PLC0415 - slow, for this verb alone
        read_compiled,
    )
    from eggcrate.pipelines.parameters import run_parameters  # noqa: PLC0415 - as above

    elsewhere = arguments.vertex or arguments.kubeflow is not None
    if arguments.local and elsewhere:
        raise UsageError("--local is this machine", hint="leave it out, or --vertex and --kubeflow")
    asked = asked_of(arguments, context, exact=not elsewhere)
    arguments.stage = asked.stage
    if not elsewhere:
        return _here(arguments, context, asked)
    compiled = read_compiled(asked.path(context.root))
    parameters = run_parameters(compiled, asked.values, arguments.set, project=asked.project)
    return run_remote(
        arguments,
        context,
        compiled,
        parameters,
        vertex_options=vertex_options(asked),
        kubeflow_options=kubeflow_options(asked),
    )


def _here(arguments: argparse.Namespace, context: Context, asked: Asked) -> int:
    from eggcrate.cli.run_local import (  # noqa: PLC0415 - slow, for this verb alone
        config_maps_beside,
        run_local,
    )
    from eggcrate.pipelines.compiled_file import read_compiled  # noqa: PLC0415 - as above
    from eggcrate.pipelines.parameters import run_parameters  # noqa: PLC0415 - as above

    maps: Mapping[str, Mapping[str, bytes]]
    if asked.file:
        compiled, maps = read_compiled(asked.file), config_maps_beside(asked.file)
    else:
        compiled, maps = _compiled(arguments, context, asked)
    return run_local(
        arguments,
        context,
        compiled,
        run_parameters(compiled, asked.values, arguments.set, project=asked.project),
        name=asked.name or compiled.name,
        project=asked.project,
        config_maps=maps,
        networked=frozenset()
        if asked.file
        else frozenset(
            one.name.replace("_", "-")
            for one in context.monorepo.components.values()
            if one.network
        ),
    )


def _compiled(
    arguments: argparse.Namespace, context: Context, asked: Asked
) -> tuple[CompiledPipeline, dict[str, dict[str, bytes]]]:
    """Compile against the store: an image that is not there is built, whoever published it."""
    from eggcrate.cli.compile import compile_named  # noqa: PLC0415 - slow, for this verb alone
    from eggcrate.pipelines.sharing import files_of  # noqa: PLC0415 - as above

    arguments.target = "here"
    [result] = compile_named([asked.name], arguments, context, None)
    for warning in result.warnings:
        context.progress.warn(warning)
    if result.placed is None:
        raise result.error or CompileError(f"{asked.name} cannot be compiled")
    maps = {one.name: files_of(one) for one in result.placed.config_maps}
    return result.placed.pipeline, maps
