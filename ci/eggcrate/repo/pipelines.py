"""``pipelines/<name>/``: which there are, and the parameters that ``config.toml`` gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.errors import ConfigError, UsageError
from eggcrate.repo.document import Table
from eggcrate.repo.monorepo import pick

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CONFIG = "config.toml"
_BACKENDS = ("vertex", "kubeflow", "schedule", "upload")
_LAYER = ("description", "parameters", *_BACKENDS)


@dataclass(frozen=True, kw_only=True)
class Value:
    """A parameter's value, and where it is set."""

    value: Any
    table: Table
    """The table that sets it."""

    def error(self, name: str, problem: str, *, hint: str = "") -> ConfigError:
        """A complaint about it that names file and line."""
        return self.table.error(name, problem, hint=hint)


@dataclass(frozen=True, kw_only=True)
class Config:
    """``config.toml`` of a pipeline: values for every project, for stages, and for each project."""

    path: Path
    document: Table

    @property
    def projects(self) -> tuple[str, ...]:
        """Names of its projects."""
        return tuple(self.document.table("projects").data)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of its stages."""
        return tuple(self.document.table("stages").data)

    def values(self, project: str, stage: str = "") -> Mapping[str, Value]:
        """The parameters of a project in a stage: what is more special wins."""
        return {
            name: Value(value=value, table=table)
            for layer in self._layers(project, stage)
            for table in [layer.table("parameters")]
            for name, value in table.data.items()
        }

    def backend(self, name: str, project: str, stage: str = "") -> tuple[Table, ...]:
        """The tables with a backend's options, what is more special last."""
        return tuple(layer.table(name) for layer in self._layers(project, stage) if name in layer)

    def _layers(self, project: str, stage: str) -> Iterator[Table]:
        yield self.document
        if stage:
            yield self.document.table("stages").table(stage)
        if project:
            own = self.document.table("projects").table(project)
            yield own
            if stage:
                yield own.table("stages").table(stage)


def pipeline_names(root: Path) -> tuple[str, ...]:
    """The pipelines of a repository; folders that begin with ``_`` or ``.`` are none."""
    found = (root / "pipelines").glob("*/pipeline.py")
    return tuple(sorted(path.parent.name for path in found if path.parent.name[0] not in "_."))


def read_config(root: Path, pipeline: str) -> Config:
    """A pipeline's configuration; an empty one when it has none.

    Raises:
        ConfigError: the file is not valid, or has a table nobody knows; the message names file
            and line.
    """
    path = root / "pipelines" / pipeline / CONFIG
    document = Table.read(path) if path.exists() else Table(path, "", {})
    document.only((*_LAYER, "projects", "stages"))
    stages = document.table("stages")
    for name in stages.data:
        stages.table(name).only(_LAYER)
    projects = document.table("projects")
    for name in projects.data:
        project = projects.table(name)
        project.only((*_LAYER, "stages"))
        for stage in project.table("stages").data:
            if stage not in stages.data:
                raise project.table("stages").error(
                    stage, "is a stage that [stages] does not name", hint=f"add [stages.{stage}]"
                )
            project.table("stages").table(stage).only(_LAYER)
    return Config(path=path, document=document)


def choose_project(
    config: Config, project: str, stage: str, *, needed: bool = True
) -> tuple[str, str]:
    """The project and the stage that are asked for; the only project when none is named.

    Args:
        config: which has them.
        project: its name; empty when none is named.
        stage: its name; empty for none.
        needed: whether one of several must be named; else it is none of them.

    Raises:
        UsageError: there is no such one, or there are several to choose from.
    """
    if stage:
        pick("stage", (stage,), config.stages)
    if project:
        return pick("project", (project,), config.projects)[0], stage
    if len(config.projects) > 1:
        if not needed:
            return "", stage
        raise UsageError(
            f"{config.path.parent.name} has several projects: {', '.join(config.projects)}",
            hint=f"say which: {config.path.parent.name}/{config.projects[0]}",
        )
    return "".join(config.projects), stage
