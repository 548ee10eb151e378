"""What a task has written, read as strictly as a backend reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.errors import TaskOutputError
from eggcrate.parsing import json_of
from eggcrate.pipelines.launch import OUTPUT_FILE, misfit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_OF_METADATA = frozenset(
    {"system.Metrics", "system.ClassificationMetrics", "system.SlicedClassificationMetrics"}
)
"""Artifacts that may consist of their metadata alone."""


@dataclass(frozen=True, kw_only=True)
class Produced:
    """An artifact that a task has written."""

    path: Path | None
    """Where it is here: a file or a folder; ``None`` when it is elsewhere or metadata alone."""
    uri: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """All that a task has given."""

    parameters: Mapping[str, Any]
    artifacts: Mapping[str, Produced]


def read_outputs(definition: Mapping[str, Any], folder: Path, inside: str) -> Outputs:
    """Read a task's executor output, and require everything that its component declares.

    Args:
        definition: the component's ``ComponentSpec``.
        folder: where the task wrote, as we see it.
        inside: the same folder as the task saw it.

    Raises:
        TaskOutputError: something is missing or not valid; the message names it.
    """
    told = _read(folder)
    promised = definition.get("outputDefinitions", {})
    values = told.get("parameterValues", {})
    written = told.get("artifacts", {})
    if not isinstance(values, dict) or not isinstance(written, dict):
        raise TaskOutputError(f"{OUTPUT_FILE} is not an executor output")
    try:
        return Outputs(
            parameters={
                name: _value(name, kind["parameterType"], values, folder)
                for name, kind in promised.get("parameters", {}).items()
            },
            artifacts={
                name: _produced(name, kind["artifactType"], written, folder, inside)
                for name, kind in promised.get("artifacts", {}).items()
            },
        )
    except OSError as error:
        raise TaskOutputError(f"what it wrote cannot be read: {error}") from error


def safely(path: Path, folder: Path) -> Path:
    """A path that a task chose, once it is sure to lead to nothing outside the task's folder.

    Raises:
        TaskOutputError: it leads to something else on this machine, or nowhere.
    """
    shown = path.relative_to(folder) if path.is_relative_to(folder) else path
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself; no path at all
        raise TaskOutputError(f"{shown} leads nowhere: {error}") from error
    if not inside:
        raise TaskOutputError(f"{shown} leads out of its folder")
    return path


def _read(folder: Path) -> dict[str, Any]:
    path = safely(folder / OUTPUT_FILE, folder)
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise TaskOutputError(f"its {OUTPUT_FILE} is no file")
        told = json_of(path.read_text(encoding="utf-8"), constant=_no_number)
    except FileNotFoundError:
        raise TaskOutputError(
            f"it wrote no {OUTPUT_FILE}", why="KFP's executor did not come to its end"
        ) from None
    except (OSError, ValueError) as error:
        raise TaskOutputError(f"its {OUTPUT_FILE} cannot be read: {error}") from error
    if not isinstance(told, dict):
        raise TaskOutputError(f"its {OUTPUT_FILE} is not an object")
    return told


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON, and KFP takes none")


def _value(name: str, kind: str, values: dict[str, Any], folder: Path) -> Any:
    """A parameter: returned, or written to the file that its ``OutputPath`` names."""
    file = safely(folder / name, folder)
    if file.is_file():
        value = _of_file(name, kind, file)
    elif name in values:
        value = values[name]
    else:
        raise TaskOutputError(f"it gave no value for its output {name}")
    if words := misfit(kind, value):
        raise TaskOutputError(f"its output {name} must be {words}, not {value!r}")
    return value


def _of_file(name: str, kind: str, file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
        if kind == "STRING":
            return text
        return json_of(text.lower() if kind == "BOOLEAN" else text, constant=_no_number)
    except (OSError, ValueError) as error:
        raise TaskOutputError(f"its output {name} cannot be read: {error}") from error


def _produced(
    name: str, kind: Mapping[str, Any], written: dict[str, Any], folder: Path, inside: str
) -> Produced:
    try:
        [artifact] = written[name]["artifacts"]
        uri, metadata = str(artifact["uri"]), dict(artifact.get("metadata") or {})
    except (KeyError, TypeError, ValueError):
        raise TaskOutputError(f"its {OUTPUT_FILE} does not tell of its output {name}") from None
    if not uri.startswith(f"{inside}/"):
        return Produced(path=None, uri=uri, metadata=metadata)
    path = safely(folder / uri.removeprefix(f"{inside}/").lstrip("/"), folder)
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        return Produced(path=path, uri=uri, metadata=metadata)
    if kind.get("schemaTitle") in _OF_METADATA and metadata:
        return Produced(path=None, uri=uri, metadata=metadata)
    raise TaskOutputError(
        f"it wrote nothing for its output {name}",
        why=f"{uri} does not exist" if not path.exists() else f"{uri} is an empty folder",
    )
