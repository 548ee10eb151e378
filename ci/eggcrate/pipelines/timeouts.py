"""Time limits that tasks keep themselves: KFP has none that every backend honours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.errors import CompileError

if TYPE_CHECKING:
    from kfp.dsl import PipelineTask

VARIABLE = "EGGCRATE_TIMEOUT"
"""Seconds; read by the first program of a task's container."""


def set_timeout(task: PipelineTask, seconds: float) -> PipelineTask:
    """Have a task end itself after so many seconds, telling where each of its threads was.

    Args:
        task: of a component of ours.
        seconds: more than 0.

    Returns:
        The task, as KFP's own methods do.

    Raises:
        CompileError: that is no length of time.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise CompileError(f"{seconds!r} is not a time limit", hint="give seconds, more than 0")
    return task.set_env_variable(VARIABLE, f"{seconds:g}")
