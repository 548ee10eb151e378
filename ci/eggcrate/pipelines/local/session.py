"""A local run from its beginning to its end, with its record."""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from eggcrate.files import atomic_write
from eggcrate.pipelines.local.interpret import Interpreter
from eggcrate.pipelines.local.record import (
    FILE,
    RunRecord,
    RunState,
    TaskRecord,
    TaskState,
    document,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from eggcrate.pipelines.local.interpret import Runner

_PAUSE = 0.2
"""Seconds between two looks for Ctrl-C, which a lock without an end would not let through."""


class Watcher(Protocol):
    """Is shown every change, one at a time."""

    def changed(self, record: TaskRecord) -> None:
        """A task is waiting, running or over."""


class Stoppable(Protocol):
    """What ends when a run is interrupted."""

    def close(self) -> None:
        """End everything that runs."""


@dataclass(kw_only=True)
class RunJournal:
    """Keeps the record of a run on disk, and shows it."""

    folder: Path
    record: RunRecord
    watcher: Watcher
    _started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _tasks: dict[str, TaskRecord] = field(default_factory=dict)

    def put(self, record: TaskRecord) -> None:
        """Keep what is known of a task now."""
        with self._lock:
            known = self._tasks.get(record.id)
            started = known.started if known else ""
            if not started and record.state not in {TaskState.WAITING, TaskState.SKIPPED}:
                started = now("milliseconds")
            told = replace(record, started=started)
            if known == told:
                return
            self._tasks[record.id] = told
            self._write(RunState.RUNNING)
            self.watcher.changed(told)

    def close(self, state: RunState, **more: Any) -> RunRecord:
        """Keep how the run ended."""
        with self._lock:
            self.record = replace(self.record, **more)
            self._write(state)
            return self.record

    def _write(self, state: RunState) -> None:
        self.record = replace(
            self.record,
            state=state,
            tasks=tuple(self._tasks.values()),
            seconds=time.monotonic() - self._started,
        )
        text = json.dumps(document(self.record), indent=1)
        atomic_write(self.folder / FILE, text, flush=state is not RunState.RUNNING)


def new_run() -> str:
    """A name that no other run has: the time, and some chance."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def now(precision: str = "seconds") -> str:
    """The time, UTC, as records have it."""
    return datetime.now(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _whatever_comes(action: Callable[[], object]) -> None:
    """Finish what is begun even where Ctrl-C comes twice, as it does from some shells and CI."""
    try:
        action()
    except KeyboardInterrupt:
        action()


def run_pipeline(
    spec: Mapping[str, Any],
    parameters: Mapping[str, Any],
    *,
    runner: Runner,
    journal: RunJournal,
    jobs: int,
    ends: Stoppable,
    stopped: threading.Event,
) -> RunRecord:
    """Run a pipeline to its end, and keep its record.

    Args:
        spec: its ``PipelineSpec``.
        parameters: of this run.
        runner: carries out tasks.
        journal: keeps the record.
        jobs: how many tasks run at once.
        ends: what is closed when we are interrupted.
        stopped: set then; the runner looks at it too.

    Raises:
        KeyboardInterrupt: Ctrl-C; tasks have been stopped, and the record says so.
    """
    interpreter = Interpreter(spec=spec, runner=runner, journal=journal, jobs=jobs, stopped=stopped)
    told: list[Any] = []
    over = threading.Event()  # join() takes a thread for ended that was waited for when Ctrl-C came

    def work() -> None:
        try:
            told.append(interpreter.run(parameters))
        except BaseException as error:  # handed on to who waits
            told.append(error)
        finally:
            over.set()

    threading.Thread(target=work, name="pipeline").start()
    try:
        while not over.wait(_PAUSE):
            pass
    except KeyboardInterrupt:
        interpreter.stop()
        try:
            _whatever_comes(ends.close)
            _whatever_comes(over.wait)
        finally:
            journal.close(RunState.INTERRUPTED)
        raise
    [found] = told
    if isinstance(found, BaseException):
        journal.close(RunState.FAILED)
        raise found
    good, outputs = found
    return journal.close(RunState.SUCCEEDED if good else RunState.FAILED, outputs=outputs)
