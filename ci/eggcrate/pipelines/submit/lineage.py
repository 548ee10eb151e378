"""Runs and schedules of platforms, with the images that their pipelines name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.errors import SubmitError, UsageError
from eggcrate.pipelines.lineage import Kind, Use, images_of, moment_text
from eggcrate.pipelines.submit.clients import told
from eggcrate.pipelines.submit.vertex import HINTS, sdk
from eggcrate.retries import TransientError

if TYPE_CHECKING:
    from datetime import datetime

    from eggcrate.pipelines.submit.kubeflow import Kubeflow
    from eggcrate.pipelines.submit.options import VertexOptions

_STATE = "PIPELINE_STATE_"
_UNUSED = ("COMPLETED",)
"""States of a schedule that starts no more runs."""


def on_vertex(options: VertexOptions, since: str) -> list[Use]:
    """Vertex AI's runs since a moment, and its schedules, of one project and location.

    Args:
        options: with both.
        since: UTC, ISO 8601.

    Raises:
        SubmitError: they may not be seen, or there is no answer.
        UsageError: project or location is missing.
    """
    for key in ("project", "location"):
        if not getattr(options, key):
            raise UsageError(f"Vertex AI's runs need a {key}", hint=f"--{key}, or --config")
    client = sdk(options)
    where = {"project": options.project, "location": options.location}
    try:
        with told("listing runs", hints=HINTS):
            runs = client.PipelineJob.list(filter=f'create_time>"{since}"', **where)
        with told("listing schedules", hints=HINTS):
            schedules = client.PipelineJobSchedule.list(**where)
    except TransientError as error:
        raise SubmitError(
            "Vertex AI does not answer", why=error.reason, hint="try again"
        ) from error
    found = [_vertex_run(one.gca_resource) for one in runs]
    return found + [
        _vertex_schedule(one.gca_resource)
        for one in schedules
        if one.gca_resource.state.name not in _UNUSED
    ]


def _vertex_run(job: Any) -> Use:
    spec = _plain(job)
    return Use(
        where="vertex",
        name=job.display_name,
        reference=job.name,
        pipeline=_pipeline(spec),
        state=job.state.name.removeprefix(_STATE).lower(),
        started=_moment(job.create_time),
        images=images_of(spec),
    )


def _vertex_schedule(schedule: Any) -> Use:
    spec = _plain(schedule.create_pipeline_job_request.pipeline_job)
    return Use(
        kind=Kind.SCHEDULE,
        where="vertex",
        name=schedule.display_name,
        reference=schedule.name,
        pipeline=_pipeline(spec),
        state=schedule.state.name.lower(),
        started=_moment(schedule.create_time),
        images=images_of(spec),
    )


def _plain(job: Any) -> dict[str, Any]:
    """The pipeline of a run, as JSON.

    Raises:
        SubmitError: it has none, so that what it uses is not known.
    """
    from google.protobuf import json_format  # noqa: PLC0415 - slow

    found: dict[str, Any] = json_format.MessageToDict(type(job).pb(job).pipeline_spec)
    if "deploymentSpec" not in found:
        raise _unknown(job.display_name or job.name)
    return found


def on_kubeflow(platform: Kubeflow, since: str) -> list[Use]:
    """Kubeflow's runs since a moment, and its recurring runs, of one installation and namespace.

    Raises:
        SubmitError: they may not be seen, or there is no answer.
    """
    versions: dict[tuple[str, str], Any] = {}
    found = []
    for run in platform.listed("runs"):
        started = _moment(run.created_at)
        if started < since:
            break  # the latest came first
        spec = _kubeflow_spec(run, platform, versions)
        found.append(
            Use(
                where="kubeflow",
                name=run.display_name,
                reference=platform.page(run.run_id),
                pipeline=_pipeline(spec),
                state=(run.state or "unknown").lower(),
                started=started,
                images=images_of(spec),
            )
        )
    for one in platform.listed("recurring_runs"):
        spec = _kubeflow_spec(one, platform, versions)
        found.append(
            Use(
                kind=Kind.SCHEDULE,
                where="kubeflow",
                name=one.display_name,
                reference=one.recurring_run_id,
                pipeline=_pipeline(spec),
                state=(one.status or "unknown").lower(),
                started=_moment(one.created_at),
                images=images_of(spec),
            )
        )
    return found


def _kubeflow_spec(
    run: Any, platform: Kubeflow, versions: dict[tuple[str, str], Any]
) -> dict[str, Any]:
    """The pipeline of a run: what it was made of, else the uploaded version that it names.

    Raises:
        SubmitError: neither is there, so that what it uses is not known.
    """
    spec = run.pipeline_spec
    named = run.pipeline_version_reference
    if not spec and named:
        key = (named.pipeline_id, named.pipeline_version_id)
        if key not in versions:
            versions[key] = platform.version(*key).pipeline_spec
        spec = versions[key]
    found: dict[str, Any] = (spec or {}).get("pipeline_spec") or spec or {}
    if "deploymentSpec" not in found:
        raise _unknown(run.display_name)
    return found


def _unknown(name: str) -> SubmitError:
    return SubmitError(
        f"which images {name} uses cannot be told",
        why="the platform does not give its pipeline",
        hint="it may have been made by another version of KFP, or the pipeline was deleted",
    )


def _pipeline(spec: dict[str, Any]) -> str:
    return str(spec.get("pipelineInfo", {}).get("name", ""))


def _moment(moment: datetime | None) -> str:
    return moment_text(moment) if moment else ""
