"""The record of a run: ``run.json``, schema ``eggcrate.run/1``."""

from __future__ import annotations

import enum
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from eggcrate.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA = "eggcrate.run/1"
FILE = "run.json"
RUNS = ".eggcrate/runs"
"""Where runs are, below the repository: ``<pipeline>/<run>/run.json``."""


class TaskState(enum.Enum):
    """Where a task is, or how it ended."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REUSED = "reused"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed-out"
    KILLED = "killed"

    @property
    def good(self) -> bool:
        """Whether it has outputs."""
        return self in {TaskState.SUCCEEDED, TaskState.REUSED}

    @property
    def bad(self) -> bool:
        """Whether it ran, and did not give what it has to."""
        return self in {TaskState.FAILED, TaskState.TIMED_OUT, TaskState.KILLED}

    @property
    def over(self) -> bool:
        """Whether nothing more happens to it."""
        return self not in {TaskState.WAITING, TaskState.RUNNING}


class Kind(enum.Enum):
    """What a task is."""

    CONTAINER = "container"
    IMPORTER = "importer"
    PIPELINE = "pipeline"
    """A pipeline in the pipeline, a condition, a loop or an exit handler's part."""
    ITERATION = "iteration"


class RunState(enum.Enum):
    """Where a run is, or how it ended."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """An artifact of a run."""

    name: str
    type: str
    """Such as ``system.Model``."""
    path: str
    """Relative to the run's folder; empty when it consists of its metadata alone."""
    uri: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Values:
    """Parameters and artifacts by name."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TaskRecord:
    """What is known of a task."""

    id: str
    """Its path in the graph, loops unrolled: ``for-loop-1[0]/train-model``."""
    parent: str
    name: str
    component: str
    kind: Kind
    state: TaskState = TaskState.WAITING
    reason: str = ""
    needs: tuple[str, ...] = ()
    image: str = ""
    environment: str = ""
    started: str = ""
    """UTC, ISO 8601 with milliseconds; empty until it runs."""
    seconds: float = 0.0
    attempts: int = 0
    reused_from: str = ""
    inputs: Values = field(default_factory=Values)
    outputs: Values = field(default_factory=Values)
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What is known of a run."""

    pipeline: str
    run: str
    project: str = ""
    stage: str = ""
    runtime: str = ""
    state: RunState = RunState.RUNNING
    started: str = ""
    """UTC, ISO 8601."""
    seconds: float = 0.0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    outputs: Values = field(default_factory=Values)
    tasks: tuple[TaskRecord, ...] = ()


def document(record: RunRecord) -> dict[str, Any]:
    """The record as JSON holds it."""
    told: dict[str, Any] = {"schema": SCHEMA, **asdict(record)}
    told["state"] = record.state.value
    told["seconds"] = round(record.seconds, 3)
    for task in told["tasks"]:
        task["kind"], task["state"] = task["kind"].value, task["state"].value
        task["seconds"] = round(task["seconds"], 3)
    return told


def read_record(path: Path) -> RunRecord:
    """Read a ``run.json``.

    Raises:
        StoreError: it is not one.
    """
    try:
        return parse_record(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} is no record of a run", why=str(error)) from error


def parse_record(told: Mapping[str, Any]) -> RunRecord:
    """The record that a document holds.

    Raises:
        ValueError: it is of another schema; other errors when it is not one at all.
    """
    if told["schema"] != SCHEMA:
        raise ValueError(f"its schema is {told['schema']!r}, not {SCHEMA!r}")
    fields = {name: value for name, value in told.items() if name != "schema"}
    return RunRecord(
        **{
            **fields,
            "state": RunState(told["state"]),
            "outputs": _values(told["outputs"]),
            "tasks": tuple(_task(task) for task in told["tasks"]),
        }
    )


def _task(told: Mapping[str, Any]) -> TaskRecord:
    return TaskRecord(
        **{
            **told,
            "kind": Kind(told["kind"]),
            "state": TaskState(told["state"]),
            "needs": tuple(told["needs"]),
            "inputs": _values(told["inputs"]),
            "outputs": _values(told["outputs"]),
        }
    )


def _values(told: Mapping[str, Any]) -> Values:
    return Values(
        parameters=dict(told["parameters"]),
        artifacts={
            name: tuple(Artifact(**item) for item in items)
            for name, items in told["artifacts"].items()
        },
    )
