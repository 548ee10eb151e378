"""What is found out before anything is sent: a platform says it late, or in words of its own."""

from __future__ import annotations

import copy
import difflib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from eggcrate.errors import CompileError, UsageError
from eggcrate.progress import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from eggcrate.pipelines.bundle import Budget
    from eggcrate.pipelines.compiled_file import CompiledPipeline

_PINNED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_KINDS: Mapping[str, tuple[type, ...]] = {
    "STRING": (str,),
    "NUMBER_INTEGER": (int,),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "LIST": (list, tuple),
    "STRUCT": (dict,),
}
_WORDS = {
    "STRING": "a text",
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "a list",
    "STRUCT": "a table",
}


def check_images(compiled: CompiledPipeline) -> None:
    """Refuse images that are not pinned.

    Raises:
        CompileError: one is named by a tag.
    """
    moving = [image for image in compiled.images if not _PINNED.fullmatch(image)]
    if moving:
        raise CompileError(
            f"pipeline {compiled.name} runs an image that is not pinned: {', '.join(moving)}",
            why="a tag can be moved: what ran could not be told, and cached results would be stale",
            hint="`eggcrate compile` writes NAME@sha256:… of published images",
        )


def check_platform(compiled: CompiledPipeline, target: str) -> None:
    """Refuse what only Kubernetes understands where there is none.

    Raises:
        CompileError: the pipeline has a platform specification.
    """
    if not compiled.platform:
        return
    found = compiled.platform.get("platforms", {}).get("kubernetes", {})
    executors = found.get("deploymentSpec", {}).get("executors", {})
    used = sorted({key for settings in executors.values() for key in settings})
    raise CompileError(
        f"pipeline {compiled.name} cannot be sent to {target}",
        why="it asks for what Kubernetes alone understands"
        + (f": {', '.join(used)}" if used else "")
        + f"; {target} cannot read the file's second document",
        hint="share code in another way (inject, package), or run it on Kubeflow",
    )


def check_sizes(compiled: CompiledPipeline, budget: Budget) -> None:
    """Refuse containers that a platform would not start.

    Raises:
        CompileError: one is larger than the budget; all such are listed.
    """
    sizes = {
        name.removeprefix("exec-"): _size(executor["container"])
        for name, executor in compiled.spec["deploymentSpec"].get("executors", {}).items()
        if "container" in executor
    }
    large = {name: size for name, size in sizes.items() if size > budget.size}
    if large:
        table = "\n".join(
            f"        {human_size(size):>9}  {name}"
            for name, size in sorted(large.items(), key=lambda item: (-item[1], item[0]))
        )
        raise CompileError(
            f"pipeline {compiled.name}: {budget.name} takes {human_size(budget.size)} in a "
            "container",
            why=f"these are larger:\n{table}",
            hint="put stable modules into a package of the environment, or read data from an "
            "artifact",
        )


def _size(container: Mapping[str, Any]) -> int:
    """Bytes as Kubeflow's launcher writes it: Go's JSON, in which these marks take six."""
    text = json.dumps(container, separators=(",", ":"), ensure_ascii=False)
    return len(text.encode()) + sum(5 * text.count(mark) for mark in "<>&")


def check_parameters(compiled: CompiledPipeline, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that the pipeline does not have, lacks, or has of another type.

    Raises:
        UsageError: it says which.
    """
    known = compiled.parameters
    for name, value in parameters.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise UsageError(
                f"pipeline {compiled.name} has no parameter {name!r}",
                hint=f"did you mean {near[0]}?"
                if near
                else f"it has: {', '.join(known) or 'none'}",
            )
        kind = str(known[name].get("parameterType", ""))
        expected = _KINDS.get(kind)
        wrong_bool = isinstance(value, bool) and kind != "BOOLEAN"
        if expected and (not isinstance(value, expected) or wrong_bool):
            raise UsageError(
                f"parameter {name} of pipeline {compiled.name} must be {_WORDS[kind]}, "
                f"not {value!r}"
            )
    missing = [
        name
        for name, definition in known.items()
        if name not in parameters
        and "defaultValue" not in definition
        and not definition.get("isOptional")
    ]
    if missing:
        raise UsageError(
            f"pipeline {compiled.name} needs a value for {', '.join(missing)}",
            hint="--parameter NAME=VALUE, or the pipeline's config.toml",
        )


def parameter_values(compiled: CompiledPipeline, texts: Mapping[str, str]) -> dict[str, Any]:
    """Values of ``NAME=VALUE`` on a command line: JSON where the pipeline takes no text.

    Raises:
        UsageError: one is not JSON.
    """
    values: dict[str, Any] = {}
    for name, text in texts.items():
        kind = compiled.parameters.get(name, {}).get("parameterType", "STRING")
        if kind == "STRING":
            values[name] = text
            continue
        try:
            values[name] = json.loads(text)
        except ValueError as error:
            raise UsageError(
                f"parameter {name} of pipeline {compiled.name} must be "
                f"{_WORDS.get(kind, kind)}, not {text!r}",
                hint="write it as JSON",
            ) from error
    return values


def with_caching(compiled: CompiledPipeline, caching: bool | None) -> CompiledPipeline:
    """With caching on or off for every task, those in conditions and loops too."""
    if caching is None:
        return compiled
    spec = copy.deepcopy(dict(compiled.spec))
    for task in _tasks(spec):
        task["cachingOptions"] = {"enableCache": True} if caching else {}
    return replace(compiled, spec=spec)


def _tasks(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for component in (spec["root"], *spec["components"].values()):
        yield from component.get("dag", {}).get("tasks", {}).values()
