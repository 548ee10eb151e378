"""Runs on Vertex AI: ``aiplatform.PipelineJob``, submitted and looked at.

API: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.pipelineJobs.
"""

from __future__ import annotations

import importlib
import os
import re
import secrets
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from eggcrate.errors import SubmitError, UsageError
from eggcrate.pipelines.bundle import VERTEX
from eggcrate.pipelines.submit.bucket import check_bucket
from eggcrate.pipelines.submit.checks import (
    check_images,
    check_parameters,
    check_platform,
    check_sizes,
    with_caching,
)
from eggcrate.pipelines.submit.clients import credentials, quiet, require, told
from eggcrate.pipelines.submit.states import RunState, State, Submission, TaskState
from eggcrate.retries import Retries, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eggcrate.pipelines.compiled_file import CompiledPipeline
    from eggcrate.pipelines.submit.options import VertexOptions

NAME = "Vertex AI"
_SECONDS = 60.0
_ATTEMPTS = Retries(attempts=5, first=1.0)
_CONSOLE = "https://console.cloud.google.com"
RESOURCE = re.compile(
    r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/pipelineJobs/(?P<job>[^/]+)"
)
HINTS = {
    403: "you need roles/aiplatform.user on the project, and roles/iam.serviceAccountUser on the "
    "service account that the run has",
    404: "look at project and location, and whether the API aiplatform.googleapis.com is enabled",
    429: "the quota of the project is used up; try again later",
}
_STATES = {
    "QUEUED": State.PENDING,
    "PENDING": State.PENDING,
    "RUNNING": State.RUNNING,
    "SUCCEEDED": State.SUCCEEDED,
    "FAILED": State.FAILED,
    "CANCELLING": State.CANCELLING,
    "CANCEL_PENDING": State.CANCELLING,
    "CANCELLED": State.CANCELLED,
    "PAUSED": State.PAUSED,
    "SKIPPED": State.CACHED,
    "NOT_TRIGGERED": State.SKIPPED,
}


def decide(
    compiled: CompiledPipeline,
    parameters: Mapping[str, Any],
    options: VertexOptions,
    *,
    run: str = "",
    now: Callable[[], time.struct_time] = time.gmtime,
) -> Submission:
    """What would be submitted.

    Args:
        compiled: the pipeline.
        parameters: its values.
        options: how it is run.
        run: the name to be shown; default: the pipeline's and the time.
        now: tells the time.

    Raises:
        CompileError: Vertex AI cannot run the pipeline.
        UsageError: a parameter or an option is wrong or missing.
    """
    check_platform(compiled, NAME)
    check_images(compiled)
    check_sizes(compiled, VERTEX)
    check_parameters(compiled, parameters)
    for name in ("project", "location", "pipeline_root"):
        key = name.replace("_", "-")
        if not getattr(options, name):
            raise UsageError(
                f"Vertex AI needs a {key}",
                hint=f"--{key}, or {key} under [vertex] in the pipeline's config.toml",
            )
    stamp = time.strftime("%Y%m%d-%H%M%S", now())
    slug = re.sub(r"[^a-z0-9]+", "-", compiled.name.lower()).strip("-")[:80] or "pipeline"
    return Submission(
        target="vertex",
        pipeline=compiled.name,
        run=run or f"{compiled.name} {stamp}",
        job_id=f"{slug}-{stamp}-{secrets.token_hex(2)}",
        parameters=dict(parameters),
        images=compiled.images,
        options={
            name.replace("_", "-"): dict(value) if name == "labels" else value
            for name, value in asdict(options).items()
            if value not in ("", None) and value != {}
        },
        text=with_caching(compiled, options.caching).text,
    )


class Vertex:
    """Vertex AI in one project and location."""

    def __init__(
        self,
        options: VertexOptions,
        *,
        warn: Callable[[str], None] = lambda _: None,
        retries: Retries = _ATTEMPTS,
    ) -> None:
        self.options = options
        self._warn = warn
        self._retries = retries
        self._job: Any = None
        self.sdk = sdk(options)

    def submit(self, submission: Submission) -> RunState:
        """Make the run; trying again makes no second one.

        Raises:
            SubmitError: it is not taken.
        """
        check_bucket(self.options.pipeline_root, self.options, self._warn)
        self._job = self.job(submission)
        failure = ""
        for attempt in range(self._retries.attempts):
            try:
                with told(f"submitting {submission.run} to Vertex AI", hints=HINTS):
                    self._submit_once(attempt > 0)
                return self._seen()
            except TransientError as error:
                failure = error.reason
                if attempt + 1 < self._retries.attempts:
                    self._retries.sleep(self._retries.delay(attempt, error.retry_after))
        raise SubmitError(
            "Vertex AI does not answer", why=failure, hint="try again; nothing was started twice"
        )

    def job(self, submission: Submission) -> Any:
        """The run as the client's own object, not submitted yet.

        Raises:
            SubmitError: the client does not take it.
        """
        options = self.options
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "pipeline.yaml")
            path.write_text(submission.text, encoding="utf-8")
            with told(f"preparing {submission.run}"):
                return self.sdk.PipelineJob(
                    display_name=submission.run[:128],
                    template_path=str(path),
                    job_id=submission.job_id,
                    pipeline_root=options.pipeline_root,
                    parameter_values=dict(submission.parameters),
                    labels=dict(options.labels) or None,
                    encryption_spec_key_name=options.encryption_key or None,
                    failure_policy=options.failure_policy or None,
                )

    def _submit_once(self, again: bool) -> None:
        """Submit; when an earlier attempt was heard after all, take that run."""
        from google.api_core.exceptions import AlreadyExists  # noqa: PLC0415 - slow

        options = self.options
        try:
            self._job.submit(
                service_account=options.service_account or None,
                network=options.network or None,
                create_request_timeout=_SECONDS,
                experiment=options.experiment or None,
            )
        except AlreadyExists:
            if not again:
                raise
            self._job = self.sdk.PipelineJob.get(self._job.job_id)
        except RuntimeError as error:
            # The client's word for an experiment's failure, before the run is made or after.
            why = str(error.__cause__ or error)
            if not self._made():
                raise SubmitError(
                    f"experiment {options.experiment} cannot be used", why=why, hint=HINTS[403]
                ) from error
            self._warn(f"the run is made, but not in experiment {options.experiment}: {why}")

    def _made(self) -> bool:
        try:
            return bool(self._job.resource_name)
        except RuntimeError:
            return False

    def look(self, name: str) -> RunState:
        """How a run is.

        Raises:
            SubmitError: there is none, or it may not be seen.
            TransientError: no answer this time.
        """
        with told(f"looking at {name}", hints=HINTS):
            if self._job is None or self._job.resource_name != name:
                self._job = self.sdk.PipelineJob.get(name)
            else:
                _ = self._job.task_details  # asks for all of it anew
        return self._seen()

    def cancel(self, name: str) -> None:
        """Ask for its end.

        Raises:
            SubmitError: it is refused.
        """
        try:
            with told(f"cancelling {name}", hints=HINTS):
                self.sdk.PipelineJob.get(name).cancel()
        except TransientError as error:
            raise SubmitError(f"{name} was not cancelled", why=error.reason) from error

    def _seen(self) -> RunState:
        """The run as it was last told."""
        return run_state(self._job.gca_resource)


def sdk(options: VertexOptions) -> Any:
    """The client library, set up for a project and location.

    Raises:
        SubmitError: it is not installed, or nobody is logged in.
    """
    require("google.cloud.aiplatform", NAME)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its failures reach us as exceptions
    with quiet():
        aiplatform = importlib.import_module("google.cloud.aiplatform")  # takes seconds
        aiplatform.init(
            project=options.project,
            location=options.location,
            credentials=credentials(),
            # Said in every case: the client keeps the one that was said before.
            api_endpoint=options.endpoint or f"{options.location}-aiplatform.googleapis.com",
        )
    return aiplatform


def run_state(job: Any) -> RunState:
    """A ``PipelineJob`` message as a value."""
    found = RESOURCE.fullmatch(job.name)
    where = found.groupdict() if found else {"project": "", "location": "", "job": job.name}
    page = (
        f"{_CONSOLE}/vertex-ai/locations/{where['location']}/pipelines/runs/{where['job']}"
        f"?project={where['project']}"
    )
    details = list(job.job_detail.task_details)
    # Tasks that hold others (the run itself, conditions, loops) are told by those.
    above = {task.parent_task_id for task in details}
    leaves = [
        task for task in details if task.task_id not in above and task.task_name != where["job"]
    ]
    return RunState(
        name=job.name,
        page=page,
        reference=job.name,
        state=_STATES.get(job.state.name.removeprefix("PIPELINE_STATE_"), State.PENDING),
        error=job.error.message,
        tasks=tuple(_task(task, where["project"]) for task in sorted(leaves, key=_order)),
    )


def _order(task: Any) -> tuple[bool, float, str]:
    """As they were started; the platform tells them in any order."""
    started = task.start_time
    return (not started, started.timestamp() if started else 0.0, task.task_name)


def _task(task: Any, project: str) -> TaskState:
    job = task.executor_detail.container_detail.main_job.rpartition("/")[2]
    query = quote(f'resource.labels.job_id="{job}"', safe="")
    logs = f"{_CONSOLE}/logs/query;query={query}?project={project}" if job else ""
    seconds = None
    if task.start_time and task.end_time:
        seconds = (task.end_time - task.start_time).total_seconds()
    return TaskState(
        key=str(task.task_id),
        name=task.task_name,
        state=_STATES.get(task.state.name, State.PENDING),
        seconds=seconds,
        error=task.error.message,
        logs=logs,
    )
