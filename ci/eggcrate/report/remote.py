"""Runs on platforms, schedules and uploads as text and as documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.pipelines.submit.bucket import Upload
    from eggcrate.pipelines.submit.states import RunState, Submission
    from eggcrate.pipelines.submit.vertex_schedules import Schedule, Timing

_TARGETS = {"vertex": "Vertex AI", "kubeflow": "Kubeflow"}


def submission_text(submission: Submission) -> str:
    """What would be submitted, as a list."""
    rows = [
        ("target", _TARGETS[submission.target]),
        ("pipeline", submission.pipeline),
        ("run", submission.run),
        *[(f"parameter {name}", repr(value)) for name, value in submission.parameters.items()],
        *[(name, _shown(value)) for name, value in submission.options.items()],
        *[("image", image) for image in submission.images],
    ]
    return table(("would be submitted", ""), rows)


def submission_document(submission: Submission) -> dict[str, Any]:
    """What would be submitted, without the compiled pipeline itself."""
    return {
        "target": submission.target,
        "pipeline": submission.pipeline,
        "run": submission.run,
        "job_id": submission.job_id,
        "parameters": dict(submission.parameters),
        "options": dict(submission.options),
        "images": list(submission.images),
    }


def run_text(run: RunState) -> str:
    """How a run ended: its tasks, then what failed and where to look."""
    rows = [
        (task.name, task.state.value, f"{task.seconds:.0f}" if task.seconds is not None else "-")
        for task in run.tasks
    ]
    parts = [table(("task", "state", "seconds"), rows, right="seconds")] if rows else []
    for task in run.failed:
        lines = [f"{task.name} failed: {task.error or 'no message'}"]
        if task.logs:
            lines.append(f"  log:  {task.logs}")
        parts.append("\n".join(lines))
    if run.error:
        parts.append(f"the run says: {run.error}")
    parts.append(f"run {run.state.value}: {run.page}")
    return "\n\n".join(parts)


def run_document(run: RunState) -> dict[str, Any]:
    """A run as programs read it."""
    return {
        "name": run.name,
        "page": run.page,
        "reference": run.reference,
        "state": run.state.value,
        "error": run.error,
        "tasks": [
            {
                "name": task.name,
                "state": task.state.value,
                "seconds": task.seconds,
                "error": task.error,
                "logs": task.logs,
            }
            for task in run.tasks
        ],
    }


def schedules_text(schedules: Sequence[Schedule]) -> str:
    """A table of schedules."""
    if not schedules:
        return "there are no schedules"
    rows = [
        (one.name, one.id, one.state.value, one.cron, one.next_run or "-", str(one.runs))
        for one in schedules
    ]
    return table(("schedule", "id", "state", "cron", "next run", "runs"), rows, right="runs")


def schedule_document(schedule: Schedule) -> dict[str, Any]:
    """A schedule as programs read it."""
    return {
        "name": schedule.name,
        "id": schedule.id,
        "resource": schedule.resource,
        "state": schedule.state.value,
        "cron": schedule.cron,
        "next_run": schedule.next_run,
        "runs": schedule.runs,
        "page": schedule.page,
    }


def timing_document(timing: Timing) -> dict[str, Any]:
    """When a schedule that is not made yet would start runs."""
    return {
        "cron": timing.expression,
        "start": timing.start,
        "end": timing.end,
        "max_concurrent": timing.max_concurrent,
        "max_runs": timing.max_runs,
    }


def upload_document(upload: Upload) -> dict[str, Any]:
    """An upload as programs read it."""
    return {
        "pipeline": upload.pipeline,
        "to": upload.to,
        "outcome": upload.outcome.value,
        "version": upload.version,
        "tags": list(upload.tags),
    }


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    return str(value)
