"""A local run as text: while it goes on, and when it is over."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import TYPE_CHECKING, Any

from eggcrate.build.export import LOCAL
from eggcrate.pipelines.local.record import Kind, RunState, TaskState
from eggcrate.report.plain import telling
from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eggcrate.pipelines.compiled_file import CompiledPipeline
    from eggcrate.pipelines.local.record import RunRecord, TaskRecord
    from eggcrate.progress import Progress

_LINES = 12
_FRAME = re.compile(r'File "(?:/[^"]*?/eggcrate-[^/"]+|/opt/code)/([^"]+)", line (\d+)')
_SHOWN = (Kind.CONTAINER, Kind.IMPORTER)


class RunWatch:
    """Shows tasks as they begin and end: on a terminal also those that run, redrawn in place."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._running: dict[str, float] = {}
        self._states: dict[str, TaskState] = {}
        self._lock = threading.Lock()

    def changed(self, record: TaskRecord) -> None:
        """A task is waiting, running or over."""
        if record.kind not in _SHOWN:
            return
        with self._lock:
            self._states[record.id] = record.state
            if record.state is TaskState.RUNNING:
                self._running[record.id] = time.monotonic()
            if record.state.over:
                self._running.pop(record.id, None)
                self._progress.info(_line(record))
            done = sum(state.over for state in self._states.values())
            names = "; ".join(self._running)
            self._progress.status(
                f"{done}/{len(self._states)} done" + (f", running {names}" if names else "")
            )


def _line(record: TaskRecord) -> str:
    told = f"{record.id}: {record.state.value}"
    if record.state is TaskState.REUSED:
        return f"{told} (of run {record.reused_from})"
    if record.reason:
        return f"{told}: {record.reason}"
    return f"{told} in {record.seconds:.1f} s"


def plan_text(compiled: CompiledPipeline, parameters: Mapping[str, Any]) -> str:
    """What a run would do: tasks in an order that they can be run in, images, parameters."""
    rows = [
        (name, ", ".join(needs) or "-", _pinned(image))
        for name, needs, image in plan_rows(compiled)
    ]
    values = [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in parameters.items()
    ]
    parts = [table(("task", "needs", "image"), rows)]
    if values:
        parts.append(table(("parameter", "value"), values))
    return "\n\n".join(parts)


def _pinned(image: str) -> str:
    """An image in few words; what is not built yet has no digest to tell."""
    name, _, digest = image.removeprefix(f"{LOCAL}/").partition("@")
    if digest == f"sha256:{'0' * 64}":
        return f"{name} (to be built)"
    return f"{name}@{digest[:19]}" if digest else name or "-"


def plan_rows(compiled: CompiledPipeline) -> list[tuple[str, tuple[str, ...], str]]:
    """Tasks in an order that they can be run in, what they need, and their images."""
    from eggcrate.pipelines.local.values import producers  # noqa: PLC0415 - for this alone

    spec = compiled.spec
    rows: list[tuple[str, tuple[str, ...], str]] = []

    def walk(dag: Mapping[str, Any], prefix: str) -> None:
        left = {name: tuple(producers(task)) for name, task in dag["tasks"].items()}
        while left:
            ready = sorted(name for name, needs in left.items() if not set(needs) & set(left))
            for name in ready:
                needs = left.pop(name)
                component = spec["components"][dag["tasks"][name]["componentRef"]["name"]]
                if "dag" in component:
                    walk(component["dag"], f"{prefix}{name}/")
                    continue
                executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
                image = executor.get("container", {}).get("image", "")
                rows.append((prefix + name, tuple(prefix + one for one in needs), image))

    walk(spec["root"]["dag"], "")
    return rows


def run_text(record: RunRecord, folder: Path, root: Path, again: str) -> str:
    """How a run ended: tasks, metrics, what failed and why, where artifacts are.

    Args:
        record: of the run.
        folder: the run's.
        root: the repository.
        again: the command that runs it once more.
    """
    rows = [
        (task.id, task.state.value, f"{task.seconds:.1f}", task.reason)
        for task in record.tasks
        if task.kind in _SHOWN
    ]
    parts = [table(("task", "state", "seconds", "reason"), rows, right="seconds")]
    if figures := metrics(record):
        parts.append(table(("task", "metric", "value"), figures, right="value"))
    parts += [_failure(task, folder, root, again) for task in record.tasks if _failed(task)]
    where = folder.relative_to(root) if folder.is_relative_to(root) else folder
    parts.append(
        f"run {record.run} {record.state.value} in {record.seconds:.1f} s\n"
        f"artifacts: {where}/artifacts\nall of it: {where}/index.html"
    )
    return "\n\n".join(parts)


def metrics(record: RunRecord) -> list[tuple[str, str, str]]:
    """Numbers that tasks logged: the task, the metric, the value."""
    return [
        (task.id, name, f"{value:.6g}" if isinstance(value, float) else str(value))
        for task in record.tasks
        for items in task.outputs.artifacts.values()
        for item in items
        if item.type == "system.Metrics" and task.kind in _SHOWN
        for name, value in item.metadata.items()
        if isinstance(value, int | float)
    ]


def _failed(task: TaskRecord) -> bool:
    return task.state.bad and task.kind in _SHOWN


def _failure(task: TaskRecord, folder: Path, root: Path, again: str) -> str:
    lines = [f"{task.id} {task.state.value}: {task.reason}"]
    log = folder / task.log
    text = log.read_text(encoding="utf-8", errors="replace") if task.log and log.is_file() else ""
    lines += [f"  | {line}" for line in telling(text, _LINES)]
    if place := traced(text, root):
        lines.append(f"  at:    {place}")
    if text:
        lines.append(f"  log:   {log.relative_to(root) if log.is_relative_to(root) else log}")
    lines.append(f"  again: {again}")
    return "\n".join(lines)


def traced(log: str, root: Path) -> str:
    """File and line of the repository that a traceback leads to; empty when there is none."""
    places = [(path, line) for path, line in _FRAME.findall(log) if (root / path).is_file()]
    return f"{places[-1][0]}, line {places[-1][1]}" if places else ""


def good(record: RunRecord) -> bool:
    """Whether it did all that it was to do."""
    return record.state is RunState.SUCCEEDED
