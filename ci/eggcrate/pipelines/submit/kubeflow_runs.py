"""Kubeflow's answer about a run, as a value: a workflow has more nodes than its pipeline tasks."""

from __future__ import annotations

from typing import Any

from eggcrate.pipelines.submit.states import RunState, State, TaskState

_INNER = ("root", "executor")
"""Nodes of the workflow that are no task of the pipeline, beside ``…-driver``."""
_STATES = {
    "PENDING": State.PENDING,
    "RUNNING": State.RUNNING,
    "SUCCEEDED": State.SUCCEEDED,
    "SKIPPED": State.SKIPPED,
    "FAILED": State.FAILED,
    "CANCELING": State.CANCELLING,
    "CANCELED": State.CANCELLED,
    "PAUSED": State.PAUSED,
}


def run_state(run: Any, page: str, namespace: str) -> RunState:
    """A ``V2beta1Run`` of ``kfp_server_api``.

    Args:
        run: the answer.
        page: address of its page.
        namespace: where its containers are, as far as it is known.
    """
    return RunState(
        name=str(run.run_id),
        page=page,
        reference=page,
        state=_STATES.get(run.state, State.PENDING),
        error=run.error.message if run.error else "",
        tasks=_tasks(run, page, namespace),
    )


def _tasks(run: Any, page: str, namespace: str) -> tuple[TaskState, ...]:
    """The pipeline's tasks among the workflow's nodes, with errors of the nodes inside them."""
    details = (run.run_details.task_details if run.run_details else None) or []
    by_id = {one.task_id: one for one in details}
    # As they were started; the server tells them in any order.
    shown = sorted(
        (one for one in details if _is_task(one, run)),
        key=lambda one: (not one.start_time, str(one.start_time or ""), one.display_name),
    )
    errors: dict[str, str] = {}
    for one in details:
        if not one.error or not one.error.message:
            continue
        owner = one
        while owner and not _is_task(owner, run):
            owner = by_id.get(owner.parent_task_id)
        if owner:
            errors.setdefault(owner.task_id, one.error.message)
    return tuple(
        TaskState(
            key=one.task_id,
            name=one.display_name,
            state=_STATES.get(one.state, State.PENDING),
            seconds=(one.end_time - one.start_time).total_seconds()
            if one.start_time and one.end_time
            else None,
            error=errors.get(one.task_id, ""),
            logs=_logs(one, details, namespace) or page,
        )
        for one in shown
    )


def _is_task(node: Any, run: Any) -> bool:
    name = node.display_name or ""
    whole = node.parent_task_id is None and name.startswith(str(run.display_name))
    return not (name in _INNER or name.endswith("-driver") or whole)


def _logs(task: Any, details: list[Any], namespace: str) -> str:
    """The command that shows the log of a task's own container."""
    inside = [one for one in details if one.parent_task_id == task.task_id]
    pods = [one.pod_name for one in (task, *inside) if one.pod_name]
    where = f" -n {namespace}" if namespace else ""
    return f"kubectl logs {pods[-1]} -c main{where}" if pods else ""
