"""What tasks are given: selectors of a compiled pipeline, resolved against what has been made."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from eggcrate.pipelines.local.record import Artifact, Values

if TYPE_CHECKING:
    from collections.abc import Mapping

_SELECT = re.compile(r"""parseJson\(string_value\)\[(?:"([^"]*)"|'([^']*)')\]""")
_INPUT = re.compile(r"\{\{\$\.inputs\.parameters\[(?:'+|\")([^'\"\]]+)(?:'+|\")\]\}\}")


class MissingError(Exception):
    """A task needs what another one did not make."""


def typed(kind: str, value: Any) -> Any:
    """A value of KFP's messages, which have one kind of number, as its parameter has it."""
    if kind == "NUMBER_INTEGER" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def with_defaults(definitions: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with the defaults of those that are not given."""
    found = dict(given)
    for name, told in definitions.items():
        if name not in found and "defaultValue" in told:
            found[name] = typed(told.get("parameterType", ""), told["defaultValue"])
    return found


def resolve_inputs(
    task: Mapping[str, Any],
    definition: Mapping[str, Any],
    scope: Values,
    made: Mapping[str, Values],
    finals: Mapping[str, Mapping[str, Any]],
) -> Values:
    """The inputs of a task.

    Args:
        task: its ``PipelineTaskSpec``.
        definition: its ``ComponentSpec``.
        scope: inputs of the pipeline that it stands in.
        made: outputs of the tasks beside it, by name; those that gave none are absent.
        finals: how the tasks beside it ended, as KFP tells an exit handler.

    Raises:
        MissingError: a required input comes from a task that gave none.
    """
    wanted = definition.get("inputDefinitions", {})
    selectors = task.get("inputs", {})
    parameters: dict[str, Any] = {}
    for name, selector in selectors.get("parameters", {}).items():
        told = wanted.get("parameters", {}).get(name, {})
        try:
            value = _parameter(selector, scope, made, finals)
        except MissingError:
            if "defaultValue" in told or told.get("isOptional"):
                continue
            raise
        if value is not None:
            parameters[name] = typed(told.get("parameterType", ""), value)
    parameters = {name: _filled(value, parameters) for name, value in parameters.items()}
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    for name, selector in selectors.get("artifacts", {}).items():
        try:
            artifacts[name] = _artifacts(selector, scope, made)
        except MissingError:
            if not wanted.get("artifacts", {}).get(name, {}).get("isOptional"):
                raise
    return Values(
        parameters=with_defaults(wanted.get("parameters", {}), parameters), artifacts=artifacts
    )


def producers(task: Mapping[str, Any]) -> dict[str, str]:
    """The tasks that a task needs, each with why: ``data`` or ``order``."""
    found = dict.fromkeys(task.get("dependentTasks", ()), "order")
    inputs = task.get("inputs", {})
    for selector in (*inputs.get("parameters", {}).values(), *inputs.get("artifacts", {}).values()):
        if "taskFinalStatus" in selector:
            found.setdefault(selector["taskFinalStatus"]["producerTask"], "order")
        for key in ("taskOutputParameter", "taskOutputArtifact"):
            if key in selector:
                found[selector[key]["producerTask"]] = "data"
    return found


def dag_outputs(dag: Mapping[str, Any], made: Mapping[str, Values]) -> Values:
    """The outputs of a pipeline; those that no task made are absent."""
    parameters: dict[str, Any] = {}
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    outputs = dag.get("outputs", {})
    for name, told in outputs.get("parameters", {}).items():
        one = [told["valueFromParameter"]] if "valueFromParameter" in told else []
        for selector in one or told.get("valueFromOneof", {}).get("parameterSelectors", ()):
            source = made.get(selector["producerSubtask"], Values()).parameters
            if selector["outputParameterKey"] in source:
                parameters[name] = source[selector["outputParameterKey"]]
                break
    for name, told in outputs.get("artifacts", {}).items():
        for selector in told.get("artifactSelectors", ()):
            given = made.get(selector["producerSubtask"], Values()).artifacts
            if selector["outputArtifactKey"] in given:
                artifacts[name] = given[selector["outputArtifactKey"]]
                break
    return Values(parameters=parameters, artifacts=artifacts)


def collected(dag: Mapping[str, Any], rounds: list[Values]) -> Values:
    """The outputs of a loop: of each a list, that of a loop in the loop made one list."""
    outputs = dag.get("outputs", {})
    parameters: dict[str, Any] = {}
    for name, told in outputs.get("parameters", {}).items():
        source = told.get("valueFromParameter", {}).get("producerSubtask", "")
        nested = is_loop(dag["tasks"].get(source, {}))
        found = [one.parameters[name] for one in rounds if name in one.parameters]
        parameters[name] = [item for part in found for item in part] if nested else found
    artifacts = {
        name: tuple(item for one in rounds for item in one.artifacts.get(name, ()))
        for name in outputs.get("artifacts", {})
    }
    return Values(parameters=parameters, artifacts=artifacts)


def is_loop(task: Mapping[str, Any]) -> bool:
    """Whether a task is run once for each item."""
    return "parameterIterator" in task or "artifactIterator" in task


def loop_items(task: Mapping[str, Any], inputs: Values) -> tuple[str, list[Any]]:
    """The input that each iteration of a loop is given an item as, and the items.

    Raises:
        ValueError: what it goes over is no list.
    """
    if "artifactIterator" in task:
        told = task["artifactIterator"]
        return told["itemInput"], list(inputs.artifacts[told["items"]["inputArtifact"]])
    told = task["parameterIterator"]
    source = told["items"]
    found = source["raw"] if "raw" in source else inputs.parameters.get(source["inputParameter"])
    items = json.loads(found) if isinstance(found, str) else found
    if not isinstance(items, list):
        raise ValueError(f"it goes over {items!r}, which is no list")  # noqa: TRY004 - a user's
    return told["itemInput"], items


def _parameter(
    selector: Mapping[str, Any],
    scope: Values,
    made: Mapping[str, Values],
    finals: Mapping[str, Mapping[str, Any]],
) -> Any:
    if "runtimeValue" in selector:
        return selector["runtimeValue"].get("constant")
    if "taskFinalStatus" in selector:
        return finals[selector["taskFinalStatus"]["producerTask"]]
    if "taskOutputParameter" in selector:
        told = selector["taskOutputParameter"]
        value = _of(made, told["producerTask"], "parameters", told["outputParameterKey"])
    else:
        value = scope.parameters.get(selector.get("componentInputParameter", ""))
    if expression := selector.get("parameterExpressionSelector"):
        match = _SELECT.fullmatch(expression)
        if match is None:
            raise MissingError(f"the selector {expression} is not understood")
        table = json.loads(value) if isinstance(value, str) else value
        key = match[1] if match[1] is not None else match[2]
        if not isinstance(table, dict) or key not in table:
            raise MissingError(f"{value!r} has no {key}")
        return table[key]
    return value


def _artifacts(
    selector: Mapping[str, Any], scope: Values, made: Mapping[str, Values]
) -> tuple[Artifact, ...]:
    if "taskOutputArtifact" in selector:
        told = selector["taskOutputArtifact"]
        found: tuple[Artifact, ...] = _of(
            made, told["producerTask"], "artifacts", told["outputArtifactKey"]
        )
        return found
    name = selector.get("componentInputArtifact", "")
    if name not in scope.artifacts:
        raise MissingError(f"it is given no {name}")
    return scope.artifacts[name]


def _of(made: Mapping[str, Values], task: str, kind: str, key: str) -> Any:
    values = made.get(task)
    if values is None or key not in getattr(values, kind):
        raise MissingError(f"{task} gave no {key}")
    return getattr(values, kind)[key]


def _filled(value: Any, parameters: Mapping[str, Any]) -> Any:
    """A constant with the parameters that stand in its text."""
    if isinstance(value, list):
        return [_filled(item, parameters) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, parameters) for key, item in value.items()}
    if not isinstance(value, str) or "{{$" not in value:
        return value
    if (whole := _INPUT.fullmatch(value)) and whole[1] in parameters:
        return parameters[whole[1]]
    return _INPUT.sub(lambda match: as_text(parameters.get(match[1])), value)


def as_text(value: Any) -> str:
    """A value within a text, as KFP puts it there."""
    return value if isinstance(value, str) else json.dumps(value)
