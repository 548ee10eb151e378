"""``eggcrate run``: a pipeline on this machine, on Vertex AI or on Kubeflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.cli.build import add_locked
from eggcrate.cli.run_remote import add_remote, run_remote
from eggcrate.errors import CompileError, UsageError
from eggcrate.repo.monorepo import pick
from eggcrate.repo.pipelines import choose_project, pipeline_names, read_config

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from eggcrate.cli.context import Context
    from eggcrate.pipelines.place import Placed
    from eggcrate.pipelines.submit.options import KubeflowOptions, VertexOptions
    from eggcrate.repo.pipelines import Config, Value


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    from eggcrate.cli.run_local import add_local  # noqa: PLC0415 - slow, for this verb alone

    verb = verbs.add_parser(
        "run",
        help="run a pipeline here, on Vertex AI or on Kubeflow",
        description="Run a pipeline on this machine, each task in its image; or submit it, and "
        "follow it to its end.",
    )
    verb.add_argument(
        "pipeline",
        metavar="PIPELINE[/PROJECT]|FILE.yaml",
        help="a folder of pipelines/, with the project of its config.toml where there are "
        "several; or a compiled file",
    )
    verb.add_argument(
        "--stage", default="", metavar="NAME", help="of its config.toml, such as production"
    )
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


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line names."""

    file: Path | None = None
    name: str = ""
    """Of a folder in ``pipelines/``; empty for a file."""
    project: str = ""
    config: Config | None = None
    values: Mapping[str, Value] = field(default_factory=dict)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read, choose, then run here or there."""
    from eggcrate.pipelines.compiled_file import (  # noqa: PLC0415 - slow, for this verb alone
        read_compiled,
    )
    from eggcrate.pipelines.parameters import run_parameters  # noqa: PLC0415 - as above

    elsewhere = arguments.vertex or arguments.kubeflow is not None
    if arguments.local and elsewhere:
        raise UsageError("--local is this machine", hint="leave it out, or --vertex and --kubeflow")
    asked = _asked(arguments, context)
    if not elsewhere:
        return _here(arguments, context, asked)
    path = asked.file or context.root / "build" / "pipelines" / f"{asked.name}.yaml"
    compiled = read_compiled(path)
    parameters = run_parameters(compiled, asked.values, arguments.set, project=asked.project)
    vertex, kubeflow = _options(asked, arguments.stage)
    return run_remote(
        arguments, context, path, parameters, vertex_options=vertex, kubeflow_options=kubeflow
    )


def _asked(arguments: argparse.Namespace, context: Context) -> Asked:
    text = arguments.pipeline
    if Path(text).suffix in {".yaml", ".yml", ".json"}:
        if arguments.stage:
            raise UsageError("--stage is of a config.toml, which a compiled file has none of")
        return Asked(file=Path(text))
    name, _, project = text.partition("/")
    if not (arguments.vertex or arguments.kubeflow is not None) or project or arguments.stage:
        pick("pipeline", (name,), pipeline_names(context.root))
    config = read_config(context.root, name)
    project, stage = choose_project(config, project, arguments.stage)
    return Asked(name=name, project=project, config=config, values=config.values(project, stage))


def _here(arguments: argparse.Namespace, context: Context, asked: Asked) -> int:
    from eggcrate.cli.run_local import (  # noqa: PLC0415 - slow, for this verb alone
        config_maps_beside,
        run_local,
    )
    from eggcrate.pipelines.compiled_file import read_compiled  # noqa: PLC0415 - as above
    from eggcrate.pipelines.parameters import run_parameters  # noqa: PLC0415 - as above
    from eggcrate.pipelines.sharing import files_of  # noqa: PLC0415 - as above

    maps: Mapping[str, Mapping[str, bytes]]
    networked: frozenset[str] = frozenset()
    if asked.file:
        compiled, maps = read_compiled(asked.file), config_maps_beside(asked.file)
    else:
        placed = _placed(arguments, context, asked)
        compiled, maps = placed.pipeline, {one.name: files_of(one) for one in placed.config_maps}
        networked = frozenset(
            label
            for label, name in placed.components.items()
            if name in context.monorepo.components and context.monorepo.components[name].network
        )
    return run_local(
        arguments,
        context,
        compiled,
        run_parameters(compiled, asked.values, arguments.set, project=asked.project),
        name=asked.name or compiled.name,
        project=asked.project,
        config_maps=maps,
        networked=networked,
    )


def _placed(arguments: argparse.Namespace, context: Context, asked: Asked) -> Placed:
    """Compile against the store: an image that is not there is built, whoever published it."""
    from eggcrate.cli.compile import compile_named  # noqa: PLC0415 - slow, for this verb alone

    arguments.target = "any"
    [result] = compile_named([asked.name], arguments, context, None)
    for warning in result.warnings:
        context.progress.warn(warning)
    if result.placed is None:
        raise result.error or CompileError(f"{asked.name} cannot be compiled")
    return result.placed


def _options(asked: Asked, stage: str) -> tuple[VertexOptions | None, KubeflowOptions | None]:
    """``[vertex]`` and ``[kubeflow]`` of the configuration, what is more special last."""
    from eggcrate.pipelines.submit.options import (  # noqa: PLC0415 - as above
        KubeflowOptions,
        VertexOptions,
    )

    if asked.config is None:
        return None, None
    vertex, kubeflow = VertexOptions(), KubeflowOptions()
    for table in asked.config.backend("vertex", asked.project, stage):
        vertex = vertex.overridden(vars(VertexOptions.from_table(table)))
    for table in asked.config.backend("kubeflow", asked.project, stage):
        kubeflow = kubeflow.overridden(vars(KubeflowOptions.from_table(table)))
    return vertex, kubeflow
