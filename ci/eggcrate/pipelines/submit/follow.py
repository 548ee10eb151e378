"""Following a run to its end: looked at now and then, patiently with servers that stumble."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from eggcrate.errors import SubmitError
from eggcrate.pipelines.submit.states import State
from eggcrate.retries import Retries, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from eggcrate.pipelines.submit.states import Platform, RunState
    from eggcrate.progress import Progress

EVERY = 10.0
"""Seconds between two looks, give or take a fifth: many followers must not ask in step."""
PATIENCE = Retries(attempts=12, first=2.0, ceiling=60.0)
"""About seven minutes without an answer."""


def follow(
    platform: Platform,
    name: str,
    progress: Progress,
    *,
    every: float = EVERY,
    patience: Retries = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> RunState:
    """Watch a run until it is over, telling each change.

    Args:
        platform: where it runs.
        name: what the platform calls it.
        progress: told each task whose state changes.
        every: seconds between two looks.
        patience: how long a platform may not answer.
        sleep: waits.

    Raises:
        SubmitError: the run is not there any more, or the platform answers no more.
    """
    told: dict[str, State] = {}
    while True:
        run = _look(platform, name, progress, patience, sleep)
        _tell(run, told, progress)
        if run.state.over:
            progress.status("")
            return run
        progress.status(status(run))
        sleep(every * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load


def status(run: RunState) -> str:
    """What is under way, for the bottom of a terminal."""
    counts = {state: sum(1 for task in run.tasks if task.state is state) for state in State}
    told = ", ".join(f"{count} {state.value}" for state, count in counts.items() if count)
    under_way = [f"  {task.name}" for task in run.tasks if task.state is State.RUNNING]
    return "\n".join([f"{run.state.value}{f': {told}' if told else ''}", *under_way])


def _look(
    platform: Platform,
    name: str,
    progress: Progress,
    patience: Retries,
    sleep: Callable[[float], None],
) -> RunState:
    for attempt in range(patience.attempts):
        try:
            return platform.look(name)
        except TransientError as error:
            if attempt + 1 == patience.attempts:
                raise SubmitError(
                    f"run {name} cannot be followed any more; it goes on",
                    why=error.reason,
                    hint="follow it again later with `eggcrate follow`",
                ) from error
            progress.status(f"no answer, trying again: {error.reason}")
            sleep(patience.delay(attempt, error.retry_after))
    raise AssertionError


def _tell(run: RunState, told: dict[str, State], progress: Progress) -> None:
    """One line for each task whose state is another than when it was last told."""
    for task in run.tasks:
        if told.get(task.key) is task.state:
            continue
        told[task.key] = task.state
        if task.state is State.PENDING:
            continue
        seconds = f" ({task.seconds:.0f} s)" if task.state.over and task.seconds else ""
        progress.info(f"{task.name}: {task.state.value}{seconds}")
