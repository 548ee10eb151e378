"""A pipeline's parameters from its configuration and the command line, each checked."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from eggcrate.errors import CompileError, UsageError
from eggcrate.parsing import json_of
from eggcrate.pipelines.launch import misfit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eggcrate.pipelines.compiled_file import CompiledPipeline
    from eggcrate.repo.pipelines import Config, Value


def check_config(pipeline: CompiledPipeline, config: Config) -> None:
    """Require that every project's values, in every stage, are what the pipeline takes.

    Raises:
        ConfigError: a value is of no parameter, or of another type; names file and line.
        CompileError: a parameter without a default has no value.
    """
    for project in config.projects or ("",):
        for stage in ("", *config.stages):
            chosen_parameters(pipeline, config.values(project, stage), project=project)


def chosen_parameters(
    pipeline: CompiledPipeline, values: Mapping[str, Value], *, project: str = ""
) -> dict[str, Any]:
    """The values that a run is given.

    Args:
        pipeline: what it runs.
        values: of the configuration.
        project: for the message; empty when there is none.

    Raises:
        ConfigError: a value is of no parameter, or of another type; names file and line.
        CompileError: a parameter without a default has no value.
    """
    _check_values(pipeline, values)
    if values or project:
        _check_missing(pipeline, values, project)
    return {name: item.value for name, item in values.items()}


def run_parameters(
    pipeline: CompiledPipeline,
    values: Mapping[str, Value],
    texts: Sequence[str],
    *,
    project: str = "",
) -> dict[str, Any]:
    """The values of a run: those of the configuration, over which the command line's go.

    Args:
        pipeline: what it runs.
        values: of the configuration.
        texts: ``NAME=VALUE`` of the command line.
        project: for the message; empty when there is none.

    Raises:
        ConfigError: a value of the configuration is of no parameter, or of another type.
        UsageError: one of the command line is.
        CompileError: a parameter without a default has no value.
    """
    _check_values(pipeline, values)
    found = {name: item.value for name, item in values.items()}
    found |= parse_assignments(pipeline, texts)
    _check_missing(pipeline, found, project)
    return found


def _check_values(pipeline: CompiledPipeline, values: Mapping[str, Value]) -> None:
    known = pipeline.parameters
    for name, item in values.items():
        if name not in known:
            raise item.error(
                name, f"is not a parameter of {pipeline.name}", hint=_nearest(name, known)
            )
        if words := misfit(known[name].get("parameterType", ""), item.value):
            raise item.error(name, f"must be {words}, not {item.value!r}")


def _check_missing(pipeline: CompiledPipeline, given: Mapping[str, Any], project: str) -> None:
    missing = [
        name
        for name, told in pipeline.parameters.items()
        if name not in given and "defaultValue" not in told and not told.get("isOptional")
    ]
    if missing:
        raise CompileError(
            f"{pipeline.name}: {', '.join(missing)} {'has' if len(missing) == 1 else 'have'} "
            "no value" + (f" in project {project}" if project else ""),
            hint="set it under [parameters] in the pipeline's config.toml"
            + (f", or under [projects.{project}.parameters]" if project else "")
            + "; or for one run: --set NAME=VALUE",
        )


def parse_assignments(pipeline: CompiledPipeline, texts: Sequence[str]) -> dict[str, Any]:
    """Values of ``NAME=VALUE``: text as it is, anything else as JSON.

    Raises:
        UsageError: there is no such parameter, or the value is not of its type.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        told = pipeline.parameters.get(name)
        if not mark or told is None:
            raise UsageError(
                f"{text!r} sets no parameter of {pipeline.name}",
                hint=_nearest(name, pipeline.parameters),
            )
        kind = told.get("parameterType", "")
        try:
            found[name] = value if kind == "STRING" else json_of(value)
        except ValueError:
            found[name] = value
        if words := misfit(kind, found[name]):
            raise UsageError(f"the parameter {name} must be {words}, not {value!r}")
    return found


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
