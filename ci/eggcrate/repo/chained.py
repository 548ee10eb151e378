"""The code of a pipeline that runs components one after another, wired by name and type."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.errors import ConfigError, UsageError
from eggcrate.repo.document import Table
from eggcrate.repo.new_code import parsed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

_VALUES = ("str", "int", "float", "bool", "list", "dict")


@dataclass(frozen=True, kw_only=True)
class Input:
    """What a component takes, as its code declares it."""

    name: str
    type: str
    """Such as ``str``; of an artifact ``Dataset``."""
    artifact: bool
    needed: bool
    """Whether it has no default."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A component with its interface and the values of its first example."""

    component: str
    function: str
    inputs: tuple[Input, ...]
    outputs: dict[str, str]
    """Name to type of its output artifacts."""
    values: dict[str, Any]
    """Of simple inputs; of artifacts the file, from the repository."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of the pipeline."""

    type: str
    artifact: str
    """Of one that is the address of an artifact: its type."""
    told: str


@dataclass(frozen=True, kw_only=True)
class Chained:
    """A pipeline that runs steps one after another."""

    code: str
    config: str
    wires: tuple[str, ...]
    """Where each input comes from, in words."""


def read_step(component: str, root: Path) -> Step:
    """Read a component's interface without importing it.

    Raises:
        ConfigError: its code cannot be read.
    """
    path = root / "components" / component / "component.py"
    function = _function(path, component)
    arguments = [*function.args.args, *function.args.kwonlyargs]
    bare = len(function.args.args) - len(function.args.defaults)
    optional = {one.arg for one in function.args.args[bare:]} | {
        one.arg
        for one, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        if default is not None
    }
    inputs: list[Input] = []
    outputs: dict[str, str] = {}
    for one in arguments:
        told = ast.unparse(one.annotation) if one.annotation else ""
        kind, _, inner = told.removesuffix("]").partition("[")
        artifact = kind.rpartition(".")[2]
        if artifact == "Output":
            outputs[one.arg] = inner.rpartition(".")[2]
        else:
            is_artifact = artifact == "Input"
            inputs.append(
                Input(
                    name=one.arg,
                    type=inner.rpartition(".")[2] if is_artifact else told,
                    artifact=is_artifact,
                    needed=one.arg not in optional,
                )
            )
    return Step(
        component=component,
        function=function.name,
        inputs=tuple(inputs),
        outputs=outputs,
        values=_example(root / "components" / component, root, inputs),
    )


def _function(path: Path, component: str) -> ast.FunctionDef:
    """The one named as the folder, or the only one that is decorated."""
    functions = [one for one in parsed(path).body if isinstance(one, ast.FunctionDef)]
    decorated = [one for one in functions if one.decorator_list]
    named = [one for one in decorated if one.name == component]
    if not named and len(decorated) != 1:
        raise ConfigError(f"{path} cannot be chained", why=f"it has no component {component}")
    return (named or decorated)[0]


def _example(folder: Path, root: Path, inputs: Sequence[Input]) -> dict[str, Any]:
    """What its first example gives, as far as a pipeline's configuration can say it."""
    path = next(iter(sorted(folder.glob("examples/*/example.toml"))), None)
    if path is None:
        return {}
    given = Table.read(path).table("inputs").data
    found: dict[str, Any] = {}
    for one in inputs:
        value = given.get(one.name)
        if one.artifact:
            if isinstance(value, str) and (path.parent / value).is_file():
                found[one.name] = (path.parent / value).relative_to(root).as_posix()
        elif isinstance(value, str | int | float | bool) and "{" not in str(value):
            found[one.name] = value
    return found


def chained(name: str, description: str, steps: Sequence[Step]) -> Chained:
    """Wire steps: an input is the earlier output of its name, else the latest of its type.

    What nothing gives is a parameter of the pipeline; inputs with defaults keep them.

    Raises:
        UsageError: an input without a default has a type that no parameter can have.
    """
    made: dict[tuple[str, str], tuple[str, str]] = {}
    parameters: dict[str, Parameter] = {}
    values: dict[str, Any] = {}
    taken = {"dsl", *(step.function for step in steps)}
    calls: list[str] = []
    wires: list[str] = []
    for number, step in enumerate(steps, 1):
        task = f"step_{number}"
        passed = []
        for one in step.inputs:
            if not one.needed:
                continue
            source = _earlier(made, one) if one.artifact else None
            if source:
                passed.append(f"{one.name}={source[0]}")
                wires.append(f"{step.component}: {one.name} is {source[1]}")
                continue
            if not one.artifact and one.type not in _VALUES:
                raise UsageError(
                    f"{step.component} cannot be chained",
                    why=f"its input {one.name} is a {one.type or 'thing without a type'}",
                    hint="make the pipeline without --component, and write this step by hand",
                )
            parameter = _parameter(one, step, parameters, taken)
            if one.name in step.values:
                values.setdefault(parameter, step.values[one.name])
            passed.append(f"{one.name}={parameter}{'_artifact.output' * one.artifact}")
            wires.append(f"{step.component}: {one.name} is the parameter {parameter}")
        calls.append(_call(task, step.function, passed))
        for output, kind in step.outputs.items():
            made[output, kind] = (f'{task}.outputs["{output}"]', f"{output} of {step.component}")
    return Chained(
        code=_code(name, description, steps=steps, parameters=parameters, calls=calls),
        config=_config(parameters, values),
        wires=tuple(wires),
    )


def _earlier(made: dict[tuple[str, str], tuple[str, str]], one: Input) -> tuple[str, str] | None:
    named = made.get((one.name, one.type))
    return named or next(
        (found for (_, kind), found in reversed(made.items()) if kind == one.type), None
    )


def _parameter(
    one: Input, step: Step, parameters: dict[str, Parameter], taken: Collection[str]
) -> str:
    """The parameter's name: shared by inputs of one name and type."""
    wanted = Parameter(
        type="str" if one.artifact else one.type,
        artifact=one.type if one.artifact else "",
        told=f"Address of what {step.component} takes."
        if one.artifact
        else f"Of {step.component}.",
    )
    name = one.name
    other = parameters.get(name, wanted)
    if name in taken or (other.type, other.artifact) != (wanted.type, wanted.artifact):
        name = f"{step.component}_{one.name}"
    parameters.setdefault(name, wanted)
    return name


def _call(task: str, function: str, passed: Sequence[str]) -> str:
    lines = "".join(f"        {one},\n" for one in passed)
    return f"    {task} = {function}(\n{lines}    )\n" if passed else f"    {task} = {function}()\n"


def _code(
    name: str,
    description: str,
    *,
    steps: Sequence[Step],
    parameters: dict[str, Parameter],
    calls: Sequence[str],
) -> str:
    modules = sorted({(step.component, step.function) for step in steps})
    signature = "".join(f"    {key}: {one.type},\n" for key, one in parameters.items())
    args = "".join(f"        {key}: {one.told}\n" for key, one in parameters.items())
    imports = "".join(
        f"    {key}_artifact = dsl.importer(\n"
        f"        artifact_uri={key},\n"
        f"        artifact_class=dsl.{one.artifact},\n"
        "        reimport=False,\n"
        "    )\n"
        for key, one in parameters.items()
        if one.artifact
    )
    body = imports + "".join(calls)
    # A task that nobody reads needs no name.
    for number in range(1, len(calls) + 1):
        if f"step_{number}.outputs" not in body:
            body = body.replace(f"    step_{number} = ", "    ")
    told = description.rstrip(".")
    return (
        f'"""{told}."""\n\n'
        + "".join(f"from components.{one}.component import {used}\n" for one, used in modules)
        + f'from kfp import dsl\n\n\n@dsl.pipeline(description="{told}")\n'
        + (f"def {name}(\n{signature}) -> None:\n" if parameters else f"def {name}() -> None:\n")
        + (f'    """{told}.\n\n    Args:\n{args}    """\n' if args else f'    """{told}."""\n')
        + body
    )


def _config(parameters: dict[str, Parameter], values: dict[str, Any]) -> str:
    head = "# What each project gives the pipeline: its users edit nothing else.\n"
    missing = [one for one in parameters if one not in values]
    lines = [f"{one} = {_toml(value)}\n" for one, value in values.items()]
    if missing:
        lines = [f"# {line}" for line in [*lines, *(f"{one} = …\n" for one in missing)]]
        return f"{head}\n# [projects.example.parameters]\n{''.join(lines)}"
    return f"{head}\n[projects.example.parameters]\n{''.join(lines)}"


def _toml(value: Any) -> str:
    """A string, a number, or a truth value: JSON writes them as TOML does."""
    return json.dumps(value, ensure_ascii=False)
