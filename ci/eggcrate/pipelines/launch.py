"""What a backend gives a task: KFP's executor input, and the arguments that carry it.

Built as KFP's own launcher and ``kfp.local`` build it (a test compares), without kfp: it takes
seconds to import, and a task is described by its specification alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eggcrate.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

OUTPUT_FILE = "executor_output.json"
_WHOLE = "{{$}}"
_KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "STRING": ("a text", lambda value: isinstance(value, str)),
    "BOOLEAN": ("true or false", lambda value: isinstance(value, bool)),
    "NUMBER_INTEGER": ("a whole number", lambda value: _number(value, int)),
    "NUMBER_DOUBLE": ("a number", lambda value: _number(value, int | float)),
    "LIST": ("a list", lambda value: isinstance(value, list)),
    "STRUCT": ("a table", lambda value: isinstance(value, dict)),
}


@dataclass(frozen=True, kw_only=True)
class GivenArtifact:
    """An artifact that a task is given."""

    uri: str
    """Where the task finds it: an address, or an absolute path."""
    name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


def executor_input(
    definition: Mapping[str, Any],
    *,
    parameters: Mapping[str, Any],
    artifacts: Mapping[str, GivenArtifact],
    folder: str,
) -> dict[str, Any]:
    """KFP's ``ExecutorInput`` of one task, as JSON.

    Args:
        definition: the component's ``ComponentSpec``.
        parameters: by name; those left out have their defaults.
        artifacts: by name.
        folder: where the task writes what it gives.

    Raises:
        CompileError: an input is unknown, missing or of another type; the message names it.
    """
    wanted = definition.get("inputDefinitions", {})
    _check(wanted, parameters, artifacts)
    inputs: dict[str, Any] = {
        "parameterValues": {
            name: parameters[name] if name in parameters else _default(kind)
            for name, kind in wanted.get("parameters", {}).items()
        },
        "artifacts": {
            name: {"artifacts": [_artifact(given, wanted["artifacts"][name]["artifactType"])]}
            for name, given in artifacts.items()
        },
    }
    promised = definition.get("outputDefinitions", {})
    outputs: dict[str, Any] = {
        "parameters": {
            name: {"outputFile": f"{folder}/{name}"} for name in promised.get("parameters", {})
        },
        "artifacts": {
            name: {
                "artifacts": [
                    _artifact(
                        GivenArtifact(uri=f"{folder}/{name}", name=name), kind["artifactType"]
                    )
                ]
            }
            for name, kind in promised.get("artifacts", {}).items()
        },
        "outputFile": f"{folder}/{OUTPUT_FILE}",
    }
    return {"inputs": _filled(inputs), "outputs": _filled(outputs)}


def resolved(arguments: Sequence[str], given: Mapping[str, Any]) -> tuple[str, ...]:
    """A task's arguments with what they stand for in place.

    Raises:
        CompileError: a placeholder that only a whole pipeline could fill.
    """
    text = json.dumps(given)
    for argument in arguments:
        if "{{$" in argument.replace(_WHOLE, ""):
            raise CompileError(
                f"the argument {argument} cannot be filled outside a pipeline",
                why="only a backend that runs the whole pipeline knows what it stands for",
            )
    return tuple(argument.replace(_WHOLE, text) for argument in arguments)


def misfit(kind: str, value: Any) -> str:
    """What a value should be, in words, when it is not what KFP calls ``kind``; else empty."""
    words, fits = _KINDS.get(kind, ("", lambda _: True))
    return "" if fits(value) else words


def _check(
    wanted: Mapping[str, Any],
    parameters: Mapping[str, Any],
    artifacts: Mapping[str, GivenArtifact],
) -> None:
    known = {kind: wanted.get(kind, {}) for kind in ("parameters", "artifacts")}
    for kind, given in (("parameters", parameters), ("artifacts", artifacts)):
        for name in given:
            if name not in known[kind]:
                names = ", ".join([*known["parameters"], *known["artifacts"]]) or "none"
                raise CompileError(f"there is no input {name}", hint=f"inputs: {names}")
    for name, told in (known["parameters"] | known["artifacts"]).items():
        if name in parameters:
            words = misfit(told.get("parameterType", ""), parameters[name])
            if words:
                raise CompileError(f"the input {name} must be {words}, not {parameters[name]!r}")
        elif name not in artifacts and not told.get("isOptional") and "defaultValue" not in told:
            raise CompileError(f"the input {name} is not given, and has no default")


def _default(kind: Mapping[str, Any]) -> Any:
    value = kind.get("defaultValue")
    # KFP's messages have one kind of number.
    return int(value) if kind["parameterType"] == "NUMBER_INTEGER" and value is not None else value


def _artifact(given: GivenArtifact, kind: Mapping[str, Any]) -> dict[str, Any]:
    told = {
        "name": given.name,
        "type": dict(kind),
        "uri": given.uri,
        "metadata": dict(given.metadata),
    }
    # An artifact without metadata has an empty table of them, not none, in KFP's messages.
    return {key: value for key, value in told.items() if value or key == "metadata"}


def _filled(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value}


def _number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
