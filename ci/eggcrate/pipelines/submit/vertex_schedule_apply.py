"""A schedule as it is wanted: made, changed, or left as it is."""

from __future__ import annotations

import copy
import enum
import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from eggcrate.errors import SubmitError

if TYPE_CHECKING:
    from eggcrate.pipelines.submit.options import VertexOptions
    from eggcrate.pipelines.submit.states import Submission
    from eggcrate.pipelines.submit.vertex_schedules import Schedule, Schedules, Timing

LABEL = "eggcrate-content"
"""Of a schedule's runs: a hash over all that the schedule runs. What a platform gives back it may
have filled in, so that it is no way to tell whether it is the same."""
_HEX = 40
_REQUEST = "create_pipeline_job_request"


class Applied(enum.Enum):
    """What became of it."""

    CREATED = "created"
    UPDATED = "updated"
    UP_TO_DATE = "up-to-date"


def labelled(options: VertexOptions, submission: Submission) -> VertexOptions:
    """The options with a label that says what is run."""
    told = [submission.text, dict(submission.parameters), submission.options]
    content = json.dumps(told, sort_keys=True, default=str).encode()
    digest = hashlib.sha256(content).hexdigest()[:_HEX]
    return replace(options, labels={**options.labels, LABEL: digest})


def apply(
    schedules: Schedules, submission: Submission, timing: Timing, name: str, *, dry_run: bool
) -> tuple[Applied, Schedule | None]:
    """Have a schedule be what is wanted; doing it again changes nothing.

    A schedule that is paused stays paused; its runs stay whatever becomes of it.

    Args:
        schedules: with :func:`labelled` options.
        submission: what it is to run.
        timing: when.
        name: of the schedule.
        dry_run: only tell what would become of it.

    Raises:
        SubmitError: it is refused, is over, or would have to lose an end that it has.
    """
    there = schedules.named(name)
    if there is None:
        return Applied.CREATED, None if dry_run else schedules.create(submission, timing, name)
    seen, message = there
    changed, wanted = _wanted(message, schedules.job(submission), schedules.options, timing)
    if lost := [key for key in ("end_time", "max_run_count") if _is_lost(key, message, timing)]:
        flag = {"end_time": "end", "max_run_count": "max-runs"}[lost[0]]
        raise SubmitError(
            f"schedule {name} has {flag}, and cannot be without it any more",
            why="Vertex AI changes such a setting, and never removes it",
            hint=f"say {flag}; or eggcrate schedule delete {seen.id}, and apply it again",
        )
    if not changed:
        return Applied.UP_TO_DATE, seen
    return Applied.UPDATED, seen if dry_run else schedules.update(seen, wanted, changed)


def _wanted(there: Any, job: Any, options: VertexOptions, timing: Timing) -> tuple[list[str], Any]:
    """The fields that differ, and the schedule with all of them as they are wanted."""
    message = copy.deepcopy(there)
    message.cron = timing.expression
    message.max_concurrent_run_count = timing.max_concurrent
    message.max_run_count = timing.max_runs
    for key in ("start", "end"):
        if getattr(timing, key):
            setattr(message, f"{key}_time", getattr(timing, f"{key}_moment"))
    run = message.create_pipeline_job_request.pipeline_job
    before = there.create_pipeline_job_request.pipeline_job.labels.get(LABEL)
    run.pipeline_spec, run.runtime_config = job.pipeline_spec, job.runtime_config
    run.labels = dict(options.labels)
    run.service_account, run.network = options.service_account, options.network
    fields = ("cron", "max_concurrent_run_count", "max_run_count", "start_time", "end_time")
    changed = [key for key in fields if getattr(message, key) != getattr(there, key)]
    if before != options.labels.get(LABEL):
        changed.append(_REQUEST)
    return changed, message


def _is_lost(key: str, there: Any, timing: Timing) -> bool:
    said = {"end_time": timing.end, "max_run_count": timing.max_runs}[key]
    return bool(getattr(there, key)) and not said
