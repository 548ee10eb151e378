"""What a command line names: a compiled file, or a pipeline with project and stage."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from eggcrate.errors import UsageError
from eggcrate.repo.monorepo import pick
from eggcrate.repo.pipelines import choose_project, pipeline_names, read_config

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from eggcrate.cli.context import Context
    from eggcrate.pipelines.submit.options import KubeflowOptions, VertexOptions
    from eggcrate.repo.document import Table
    from eggcrate.repo.pipelines import Config, Value

_Options = TypeVar("_Options", "VertexOptions", "KubeflowOptions")
VARIABLE = "EGGCRATE_STAGE"
METAVAR = "PIPELINE[/PROJECT]|FILE.yaml"
HELP = (
    "a folder of pipelines/, with the project of its config.toml where there are several; or a "
    "compiled file"
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line names."""

    file: Path | None = None
    name: str = ""
    """Of a folder in ``pipelines/``; empty for a file."""
    project: str = ""
    stage: str = ""
    config: Config | None = None
    values: Mapping[str, Value] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The pipeline with its project and stage, as a name; empty for a file."""
        return "-".join(filter(None, (self.name, self.project, self.stage))).replace("_", "-")

    def tables(self, name: str) -> tuple[Table, ...]:
        """The tables of that name in its configuration, what is more special last."""
        return self.config.backend(name, self.project, self.stage) if self.config else ()

    def path(self, root: Path) -> Path:
        """The compiled file."""
        return self.file or root / "build" / "pipelines" / f"{self.name}.yaml"


def add_stage(verb: argparse.ArgumentParser) -> None:
    """Add ``--stage``."""
    verb.add_argument(
        "--stage",
        metavar="NAME",
        help=f"of its config.toml, such as production (default: ${VARIABLE})",
    )


def asked_of(
    arguments: argparse.Namespace,
    context: Context,
    *,
    exact: bool = True,
    one_project: bool = True,
) -> Asked:
    """What ``pipeline`` and ``stage`` of a command line name.

    Args:
        arguments: with both.
        context: the checkout.
        exact: whether a folder of that name must be there, compiled already or not.
        one_project: whether one of several projects must be named: not for the compiled file
            itself, which is the same for all.

    Raises:
        UsageError: there is no such pipeline, project or stage.
    """
    text: str = arguments.pipeline
    if Path(text).suffix in {".yaml", ".yml", ".json"}:
        if arguments.stage:
            raise UsageError("--stage is of a config.toml, which a compiled file has none of")
        return Asked(file=Path(text))
    name, _, project = text.partition("/")
    stage = arguments.stage if arguments.stage is not None else os.environ.get(VARIABLE, "")
    if exact or project or stage:
        pick("pipeline", (name,), pipeline_names(context.root))
    config = read_config(context.root, name)
    project, stage = choose_project(config, project, stage, needed=one_project)
    return Asked(
        name=name,
        project=project,
        stage=stage,
        config=config,
        values=config.values(project, stage),
    )


def vertex_options(asked: Asked) -> VertexOptions:
    """``[vertex]`` of the configuration, what is more special last."""
    from eggcrate.pipelines.submit.options import VertexOptions  # noqa: PLC0415 - slow

    return _told(VertexOptions(), asked.tables("vertex"))


def kubeflow_options(asked: Asked) -> KubeflowOptions:
    """``[kubeflow]`` of the configuration, what is more special last."""
    from eggcrate.pipelines.submit.options import KubeflowOptions  # noqa: PLC0415 - slow

    return _told(KubeflowOptions(), asked.tables("kubeflow"))


def _told(options: _Options, tables: Iterable[Table]) -> _Options:
    for table in tables:
        options = options.overridden(vars(options.from_table(table)))
    return options
