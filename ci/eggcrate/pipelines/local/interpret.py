"""Run a compiled pipeline: which task when, with what, and what follows from how each ends."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from eggcrate.errors import CompileError, EggcrateError
from eggcrate.pipelines.local.condition import compile_condition
from eggcrate.pipelines.local.record import Kind, TaskRecord, TaskState, Values
from eggcrate.pipelines.local.values import (
    MissingError,
    collected,
    dag_outputs,
    is_loop,
    loop_items,
    producers,
    resolve_inputs,
    with_defaults,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WHATEVER = "ALL_UPSTREAM_TASKS_COMPLETED"
_UNMET = "its condition does not hold"


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A task with all that it is given."""

    id: str
    name: str
    spec: Mapping[str, Any]
    """Its ``PipelineTaskSpec``."""
    definition: Mapping[str, Any]
    """Its ``ComponentSpec``."""
    executor: Mapping[str, Any]
    inputs: Values


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a task ended."""

    state: TaskState
    reason: str = ""
    outputs: Values = field(default_factory=Values)
    attempts: int = 1
    reused_from: str = ""


class Runner(Protocol):
    """Carries out tasks that have no tasks in them; called from several threads at once."""

    def run(self, task: Ready) -> Finished:
        """Run one to its end; never raises for what the task does."""


class Journal(Protocol):
    """Is told of every change, from several threads."""

    def put(self, record: TaskRecord) -> None:
        """Keep what is known of a task now."""


@dataclass(kw_only=True)
class Interpreter:
    """One run of one compiled pipeline.

    Args:
        spec: its ``PipelineSpec``.
        runner: carries out its tasks.
        journal: is told.
        jobs: how many tasks run at once.
    """

    spec: Mapping[str, Any]
    runner: Runner
    journal: Journal
    jobs: int
    stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._slots = threading.BoundedSemaphore(self.jobs)
        self._executors = self.spec["deploymentSpec"].get("executors", {})

    def run(self, parameters: Mapping[str, Any]) -> tuple[bool, Values]:
        """Run all of it; whether every task did well, and what the pipeline gives."""
        root = self.spec["root"]
        known = root.get("inputDefinitions", {}).get("parameters", {})
        scope = Values(parameters=with_defaults(known, parameters))
        return self._dag(root["dag"], scope, "")

    def stop(self) -> None:
        """Begin nothing more."""
        self.stopped.set()

    def _dag(self, dag: Mapping[str, Any], scope: Values, parent: str) -> tuple[bool, Values]:
        level = _Level(interpreter=self, dag=dag, scope=scope, parent=parent)
        return level.run()

    def carry_out(self, record: TaskRecord, task: Mapping[str, Any], inputs: Values) -> TaskRecord:
        """Run one task, whatever it is, to its end."""
        component = self.spec["components"][record.component]
        started = time.monotonic()
        try:
            if is_loop(task):
                record = self._loop(record, task, component, inputs)
            elif "dag" in component:
                self.journal.put(record)
                good, outputs = self._dag(component["dag"], inputs, record.id)
                record = self._composed(record, outputs, good=good)
            else:
                record, started = self._single(record, task, component, inputs)
        except (EggcrateError, ValueError) as error:
            told = error.what if isinstance(error, EggcrateError) else str(error)
            record = replace(record, state=TaskState.FAILED, reason=told)
        return replace(record, seconds=time.monotonic() - started)

    def _single(
        self,
        record: TaskRecord,
        task: Mapping[str, Any],
        component: Mapping[str, Any],
        inputs: Values,
    ) -> tuple[TaskRecord, float]:
        ready = Ready(
            id=record.id,
            name=record.name,
            spec=task,
            definition=component,
            executor=self._executors[component["executorLabel"]],
            inputs=inputs,
        )
        with self._slots:
            started = time.monotonic()
            if self.stopped.is_set():
                return _cancelled(record), started
            self.journal.put(record)
            done = self.runner.run(ready)
        return (
            replace(
                record,
                state=done.state,
                reason=done.reason,
                outputs=done.outputs,
                attempts=done.attempts,
                reused_from=done.reused_from,
            ),
            started,
        )

    def _loop(
        self,
        record: TaskRecord,
        task: Mapping[str, Any],
        component: Mapping[str, Any],
        inputs: Values,
    ) -> TaskRecord:
        self.journal.put(record)
        name, items = loop_items(task, inputs)
        limit = int(task.get("iteratorPolicy", {}).get("parallelismLimit", 0) or 0)
        gate: Any = threading.BoundedSemaphore(limit) if limit else nullcontext()
        of_artifacts = "artifactIterator" in task
        rounds = [
            replace(record, id=f"{record.id}[{number}]", parent=record.id, kind=Kind.ITERATION)
            for number in range(len(items))
        ]
        for one in rounds:
            self.journal.put(replace(one, state=TaskState.WAITING, needs=()))

        def go(number: int) -> TaskRecord:
            item = items[number]
            given = (
                replace(inputs, artifacts={**inputs.artifacts, name: (item,)})
                if of_artifacts
                else replace(inputs, parameters={**inputs.parameters, name: item})
            )
            one = replace(rounds[number], needs=(), inputs=given)
            with gate:
                started = time.monotonic()
                if self.stopped.is_set():
                    one = _cancelled(one)
                else:
                    self.journal.put(one)
                    good, outputs = self._dag(component["dag"], given, one.id)
                    one = self._composed(one, outputs, good=good)
            one = replace(one, seconds=time.monotonic() - started)
            self.journal.put(one)
            return one

        with ThreadPoolExecutor(max(1, len(items))) as pool:
            done = list(pool.map(go, range(len(items))))
        outputs = collected(component["dag"], [one.outputs for one in done])
        return self._composed(record, outputs, good=all(one.state.good for one in done))

    def _composed(self, record: TaskRecord, outputs: Values, *, good: bool) -> TaskRecord:
        if self.stopped.is_set():
            return _cancelled(record)
        if good:
            return replace(record, state=TaskState.SUCCEEDED, outputs=outputs, attempts=1)
        reason = "a task in it did not end well"
        return replace(record, state=TaskState.FAILED, reason=reason, outputs=outputs)


@dataclass(kw_only=True)
class _Level:
    """The tasks of one DAG."""

    interpreter: Interpreter
    dag: Mapping[str, Any]
    scope: Values
    parent: str

    def __post_init__(self) -> None:
        self._tasks: Mapping[str, Mapping[str, Any]] = self.dag["tasks"]
        self._needs = {name: producers(task) for name, task in self._tasks.items()}
        self._records = {name: self._record(name) for name in self._tasks}
        self._made: dict[str, Values] = {}

    def run(self) -> tuple[bool, Values]:
        """Run each when those it needs are over."""
        for record in self._records.values():
            self.interpreter.journal.put(record)
        waiting = dict(self._needs)
        running: dict[Future[TaskRecord], str] = {}
        with ThreadPoolExecutor(max(1, len(waiting))) as pool:
            while waiting or running:
                for name in [
                    name
                    for name, needs in waiting.items()
                    if all(self._records[one].state.over for one in needs)
                ]:
                    del waiting[name]
                    if begin := self._begin(name):
                        running[pool.submit(begin)] = name
                if not running:
                    continue
                done, _ = wait(running, return_when="FIRST_COMPLETED")
                for future in done:
                    self._end(running.pop(future), future.result())
        good = not any(
            record.state.bad or record.state is TaskState.CANCELLED or self._lost(record)
            for record in self._records.values()
        )
        return good, dag_outputs(self.dag, self._made)

    def _begin(self, name: str) -> Callable[[], TaskRecord] | None:
        """What runs a task now; nothing when it is over without running."""
        record, task = self._records[name], self._tasks[name]
        if self.interpreter.stopped.is_set():
            self._end(name, _cancelled(record))
            return None
        whatever = task.get("triggerPolicy", {}).get("strategy") == WHATEVER
        for needed in self._needs[name]:
            other = self._records[needed]
            if not whatever and (other.state.bad or self._lost(other)):
                self._skip(name, f"{needed} {_ended(other)}")
                return None
        try:
            component = self.interpreter.spec["components"][record.component]
            finals = {one: self._final(one) for one in self._needs[name]}
            inputs = resolve_inputs(task, component, self.scope, self._made, finals)
            condition = task.get("triggerPolicy", {}).get("condition", "")
            if condition and not compile_condition(condition)(inputs.parameters):
                self._skip(name, _UNMET)
                return None
        except MissingError as error:
            self._skip(name, str(error))
            return None
        except CompileError as error:
            self._end(name, replace(record, state=TaskState.FAILED, reason=error.what))
            return None
        record = replace(record, state=TaskState.RUNNING, inputs=inputs)
        return lambda: self.interpreter.carry_out(record, task, inputs)

    def _lost(self, record: TaskRecord) -> bool:
        """Whether it was skipped for want of another that failed."""
        return record.state is TaskState.SKIPPED and any(
            self._records[one].state.bad or self._lost(self._records[one])
            for one in self._needs[record.name]
        )

    def _skip(self, name: str, reason: str) -> None:
        self._end(name, replace(self._records[name], state=TaskState.SKIPPED, reason=reason))

    def _end(self, name: str, record: TaskRecord) -> None:
        self._records[name] = record
        if record.state.good:
            self._made[name] = record.outputs
        self.interpreter.journal.put(record)

    def _final(self, name: str) -> Mapping[str, Any]:
        """How a task ended, as KFP tells an exit handler."""
        record = self._records[name]
        good = record.state.good
        return {
            "state": "SUCCEEDED" if good else "FAILED",
            "pipelineJobResourceName": self.interpreter.spec["pipelineInfo"]["name"],
            "pipelineTaskName": name,
            "error": {} if good else {"code": 9, "message": record.reason},
        }

    def _record(self, name: str) -> TaskRecord:
        task = self._tasks[name]
        component = str(task["componentRef"]["name"])
        executor = self.interpreter.spec["components"][component].get("executorLabel", "")
        told = self.interpreter.spec["deploymentSpec"].get("executors", {}).get(executor, {})
        image = str(told.get("container", {}).get("image", ""))
        kind = Kind.IMPORTER if "importer" in told else Kind.CONTAINER
        return TaskRecord(
            id=self._id(name),
            parent=self.parent,
            name=name,
            component=component,
            kind=kind if executor else Kind.PIPELINE,
            needs=tuple(self._id(one) for one in self._needs[name]),
            image=image,
            environment=image.partition("@")[0].rpartition("/")[2],
            log=f"tasks/{self._id(name)}/log.txt" if image else "",
        )

    def _id(self, name: str) -> str:
        return f"{self.parent}/{name}" if self.parent else name


def _ended(record: TaskRecord) -> str:
    return "was skipped" if record.state is TaskState.SKIPPED else "did not end well"


def _cancelled(record: TaskRecord) -> TaskRecord:
    return replace(record, state=TaskState.CANCELLED, reason="the run was interrupted")
