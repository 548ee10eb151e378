"""Vertex AI's pipelines and schedules with state, over TLS gRPC as the official client speaks it.

A run goes on by one step each time it is looked at: its tasks, in the order of their
dependencies, become running and then what :attr:`Vertex.ends` says.
"""

from __future__ import annotations

import contextlib
import json
import re
from concurrent import futures
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc
from google.cloud import aiplatform_v1 as v1
from google.cloud import resourcemanager_v3 as manager
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2, json_format
from google.rpc import status_pb2

from support.storage_server import Storage, storage_server
from support.tunnel import Tunnel, authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

PROJECT, NUMBER, LOCATION = "ml-production", 123456, "europe-west4"
PARENT = f"projects/{PROJECT}/locations/{LOCATION}"
_Task = v1.PipelineTaskDetail
_State = v1.PipelineState
_OVER = (_Task.State.SUCCEEDED, _Task.State.SKIPPED, _Task.State.FAILED, _Task.State.NOT_TRIGGERED)
Fault = grpc.StatusCode | str
"""A status instead of an answer; ``cut`` before it is done, ``cut after``: done, and not told."""


@dataclass
class Vertex:
    """What there is, and what goes wrong."""

    jobs: dict[str, Any] = field(default_factory=dict)
    schedules: dict[str, Any] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    """By task: ``cached``, or the message it fails with."""
    endless: bool = False
    """What runs does not come to its end by itself."""
    experiments: dict[str, Any] = field(default_factory=dict)
    """Contexts of the metadata store by name, with their children."""
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """By method, for the next calls."""
    denied: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    tunnel: Tunnel = field(default_factory=lambda: Tunnel({}))
    storage: Storage = field(default_factory=Storage)

    def create_pipeline_job(self, request: Any, context: Any) -> Any:
        """Take a run, or say what is wrong with it."""
        job = request.pipeline_job
        name = f"{request.parent}/pipelineJobs/{request.pipeline_job_id}"
        if name in self.jobs:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"{name} already exists")
        if problem := _problem(job):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, problem)
        job.name = name
        job.state = _State.PIPELINE_STATE_PENDING
        job.create_time = datetime.now(UTC)
        self.jobs[name] = job
        return job

    def get_pipeline_job(self, request: Any, context: Any) -> Any:
        """Tell a run, one step later."""
        job = self.jobs.get(request.name)
        if job is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} is not found")
        _step(job, self.ends, endless=self.endless)
        return job

    def list_pipeline_jobs(self, request: Any, context: Any) -> Any:
        """A page of two at a time, of those made later than the filter says; without details."""
        after = re.fullmatch(r'(?:create_time>"(?P<time>[^"]+)")?', request.filter)
        if after is None:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"bad filter {request.filter!r}")
        start = datetime.fromisoformat(after["time"]) if after["time"] else None
        found = [
            job
            for name, job in reversed(self.jobs.items())
            if name.startswith(f"{request.parent}/") and (not start or job.create_time > start)
        ]
        at = int(request.page_token or 0)
        page = [v1.PipelineJob(v1.PipelineJob.pb(job)) for job in found[at : at + 2]]
        for job in page:
            job.job_detail.task_details = []
        more = str(at + 2) if at + 2 < len(found) else ""
        return v1.ListPipelineJobsResponse(pipeline_jobs=page, next_page_token=more)

    def cancel_pipeline_job(self, request: Any, context: Any) -> Any:
        """Begin the end of a run."""
        if request.name not in self.jobs:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} is not found")
        self.jobs[request.name].state = _State.PIPELINE_STATE_CANCELLING
        return empty_pb2.Empty()

    def create_schedule(self, request: Any, context: Any) -> Any:
        """Take a schedule, or say what is wrong with it."""
        schedule = request.schedule
        cron = schedule.cron.split(" ", 1)[-1] if "TZ=" in schedule.cron else schedule.cron
        if len(cron.split()) != 5:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"bad cron {schedule.cron!r}")
        if problem := _problem(schedule.create_pipeline_job_request.pipeline_job):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, problem)
        schedule.name = f"{request.parent}/schedules/{1000 + len(self.calls)}"
        schedule.state = v1.Schedule.State.ACTIVE
        schedule.create_time = datetime.now(UTC)
        schedule.next_run_time = schedule.create_time + timedelta(hours=1)
        self.schedules[schedule.name] = schedule
        return schedule

    def list_schedules(self, request: Any, _: Any) -> Any:
        """A page of two at a time."""
        names = [name for name in self.schedules if name.startswith(f"{request.parent}/")]
        start = int(request.page_token or 0)
        more = start + 2 < len(names)
        return v1.ListSchedulesResponse(
            schedules=[self.schedules[name] for name in names[start : start + 2]],
            next_page_token=str(start + 2) if more else "",
        )

    def update_schedule(self, request: Any, context: Any) -> Any:
        """Replace the fields of the mask; what is over, and what has a value, stays."""
        there = self.get_schedule(v1.GetScheduleRequest(name=request.schedule.name), context)
        if there.state == v1.Schedule.State.COMPLETED:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{there.name} is COMPLETED")
        for path in request.update_mask.paths:
            given = getattr(request.schedule, path)
            if not given and getattr(there, path):
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{path} cannot be unset")
            setattr(there, path, given)
        if problem := _problem(there.create_pipeline_job_request.pipeline_job):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, problem)
        there.next_run_time = datetime.now(UTC) + timedelta(hours=2)
        return there

    def get_schedule(self, request: Any, context: Any) -> Any:
        """Tell it."""
        if request.name not in self.schedules:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} is not found")
        return self.schedules[request.name]

    def pause_schedule(self, request: Any, context: Any) -> Any:
        """Only an active one can be."""
        self._turn(request, context, v1.Schedule.State.ACTIVE, v1.Schedule.State.PAUSED)
        return empty_pb2.Empty()

    def resume_schedule(self, request: Any, context: Any) -> Any:
        """Only a paused one can be."""
        self._turn(request, context, v1.Schedule.State.PAUSED, v1.Schedule.State.ACTIVE)
        self.schedules[request.name].catch_up = request.catch_up
        return empty_pb2.Empty()

    def _turn(self, request: Any, context: Any, before: Any, after: Any) -> None:
        schedule = self.get_schedule(request, context)
        if schedule.state != before:
            told = f"{request.name} is {schedule.state.name}"
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, told)
        schedule.state = after

    def delete_schedule(self, request: Any, context: Any) -> Any:
        """As an operation that is done."""
        self.get_schedule(request, context)
        del self.schedules[request.name]
        done = operations_pb2.Operation(name=f"{PARENT}/operations/1", done=True)
        done.response.Pack(empty_pb2.Empty())
        return done

    def get_metadata_store(self, request: Any, _: Any) -> Any:
        """There is one from the beginning."""
        return v1.MetadataStore(name=request.name)

    def get_context(self, request: Any, context: Any) -> Any:
        """Tell an experiment, or what a run is to the metadata store."""
        if request.name.rpartition("/")[2].startswith("run-of-"):
            return v1.Context(name=request.name, schema_title="system.PipelineRun")
        if request.name not in self.experiments:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} is not found")
        return self.experiments[request.name]

    def create_context(self, request: Any, _: Any) -> Any:
        """Make an experiment."""
        made = request.context
        made.name = f"{request.parent}/contexts/{request.context_id}"
        self.experiments[made.name] = made
        return made

    def add_context_children(self, request: Any, _: Any) -> Any:
        """Put runs into an experiment."""
        experiment = self.experiments[request.context]
        experiment.parent_contexts = [*experiment.parent_contexts, *request.child_contexts]
        return v1.AddContextChildrenResponse()

    def get_project(self, *_: Any) -> Any:
        """Tell the project's number."""
        return manager.Project(name=f"projects/{NUMBER}", project_id=PROJECT)


_METHODS: Mapping[str, tuple[str, Any, Any]] = {
    "CreatePipelineJob": ("create_pipeline_job", v1.CreatePipelineJobRequest, v1.PipelineJob),
    "GetPipelineJob": ("get_pipeline_job", v1.GetPipelineJobRequest, v1.PipelineJob),
    "ListPipelineJobs": (
        "list_pipeline_jobs",
        v1.ListPipelineJobsRequest,
        v1.ListPipelineJobsResponse,
    ),
    "CancelPipelineJob": ("cancel_pipeline_job", v1.CancelPipelineJobRequest, None),
    "CreateSchedule": ("create_schedule", v1.CreateScheduleRequest, v1.Schedule),
    "ListSchedules": ("list_schedules", v1.ListSchedulesRequest, v1.ListSchedulesResponse),
    "GetSchedule": ("get_schedule", v1.GetScheduleRequest, v1.Schedule),
    "UpdateSchedule": ("update_schedule", v1.UpdateScheduleRequest, v1.Schedule),
    "PauseSchedule": ("pause_schedule", v1.PauseScheduleRequest, None),
    "ResumeSchedule": ("resume_schedule", v1.ResumeScheduleRequest, None),
    "DeleteSchedule": ("delete_schedule", v1.DeleteScheduleRequest, None),
    "GetMetadataStore": ("get_metadata_store", v1.GetMetadataStoreRequest, v1.MetadataStore),
    "GetContext": ("get_context", v1.GetContextRequest, v1.Context),
    "CreateContext": ("create_context", v1.CreateContextRequest, v1.Context),
    "AddContextChildren": (
        "add_context_children",
        v1.AddContextChildrenRequest,
        v1.AddContextChildrenResponse,
    ),
    "GetProject": ("get_project", manager.GetProjectRequest, manager.Project),
}


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, vertex: Vertex) -> None:
        self._vertex = vertex

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        method = handler_call_details.method.rpartition("/")[2]
        if method not in _METHODS:
            return None
        name, request, response = _METHODS[method]
        return grpc.unary_unary_rpc_method_handler(
            self._guarded(method, getattr(self._vertex, name)),
            request_deserializer=request.deserialize,
            response_serializer=response.serialize
            if response
            else lambda message: message.SerializeToString(),
        )

    def _guarded(self, method: str, answer: Callable[..., Any]) -> Callable[..., Any]:
        vertex = self._vertex

        def call(request: Any, context: Any) -> Any:
            vertex.calls.append(method)
            sent = dict(context.invocation_metadata())
            if not sent.get("authorization", "").startswith("Bearer "):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "no credentials")
            if method in vertex.denied:
                told = f"Permission 'aiplatform.{method}' denied on resource '//{PARENT}'"
                context.abort(grpc.StatusCode.PERMISSION_DENIED, told)
            waiting = vertex.faults.get(method)
            fault = waiting.pop(0) if waiting else None
            if isinstance(fault, grpc.StatusCode):
                context.abort(fault, f"{method} fails: {fault.name}")
            if fault == "cut":
                vertex.tunnel.cut()
                context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
            given = answer(request, context)
            if fault == "cut after":
                vertex.tunnel.cut()
            return given

        return call


def _problem(job: Any) -> str:
    """What Vertex AI would say of a run that cannot be one."""
    spec = json_format.MessageToDict(type(job).pb(job).pipeline_spec)
    for part in ("pipelineInfo", "root", "schemaVersion", "deploymentSpec"):
        if part not in spec:
            return f"pipeline_spec has no {part}"
    known = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    unknown = set(job.runtime_config.parameter_values) - set(known)
    return f"unknown parameters {sorted(unknown)}" if unknown else ""


def _tasks(job: Any) -> dict[str, set[str]]:
    """The tasks of a run's root, with those that each needs."""
    spec = json_format.MessageToDict(type(job).pb(job).pipeline_spec)
    tasks = spec["root"]["dag"]["tasks"]
    return {name: set(task.get("dependentTasks", ())) for name, task in tasks.items()}


def _step(job: Any, ends: Mapping[str, str], *, endless: bool) -> None:
    if job.state == _State.PIPELINE_STATE_CANCELLING:
        job.state = _State.PIPELINE_STATE_CANCELLED
        for one in job.job_detail.task_details:
            if one.state not in _OVER:
                one.state = _Task.State.CANCELLED
        return
    if job.state == _State.PIPELINE_STATE_PENDING:
        job.state = _State.PIPELINE_STATE_RUNNING
        job_id = job.name.rpartition("/")[2]
        job.job_detail.pipeline_run_context = v1.Context(
            name=f"{PARENT}/metadataStores/default/contexts/run-of-{job_id}"
        )
        root = _Task(task_id=1, task_name=job_id, state=_Task.State.RUNNING)
        job.job_detail.task_details = [root] + [
            _Task(task_id=2 + n, parent_task_id=1, task_name=name, state=_Task.State.PENDING)
            for n, name in enumerate(_tasks(job))
        ]
        return
    if job.state != _State.PIPELINE_STATE_RUNNING:
        return
    by_name = {one.task_name: one for one in list(job.job_detail.task_details)[1:]}
    for name, needs in _tasks(job).items():
        if not endless or by_name[name].state == _Task.State.PENDING:
            _advance(by_name[name], [by_name[one].state for one in needs], ends.get(name, ""))
    states = {one.state for one in by_name.values()}
    if states <= set(_OVER):
        failed = [one for one in by_name.values() if one.state == _Task.State.FAILED]
        job.state = _State.PIPELINE_STATE_FAILED if failed else _State.PIPELINE_STATE_SUCCEEDED
        if failed:
            job.error = status_pb2.Status(code=9, message=f"Failed: {failed[0].task_name}")


def _advance(task: Any, needs: list[Any], end: str) -> None:
    now = datetime.now(UTC)
    if task.state == _Task.State.RUNNING:
        task.end_time = task.start_time + timedelta(seconds=42)
        task.state = _Task.State.FAILED if end else _Task.State.SUCCEEDED
        if end:
            task.error = status_pb2.Status(code=9, message=end)
    elif task.state == _Task.State.PENDING and all(
        one in (_Task.State.SUCCEEDED, _Task.State.SKIPPED) for one in needs
    ):
        task.state = _Task.State.SKIPPED if end == "cached" else _Task.State.RUNNING
        task.start_time = now
        task.executor_detail.container_detail.main_job = (
            f"projects/{NUMBER}/locations/{LOCATION}/customJobs/{7000 + task.task_id}"
        )
    elif task.state == _Task.State.PENDING and any(
        one in (_Task.State.FAILED, _Task.State.NOT_TRIGGERED) for one in needs
    ):
        task.state = _Task.State.NOT_TRIGGERED


@contextlib.contextmanager
def vertex_server() -> Iterator[Vertex]:
    """Serve Vertex AI, the Resource Manager and storage, all empty."""
    made = authority()
    vertex = Vertex()
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=(_Handler(vertex),))
    port = server.add_secure_port(
        "127.0.0.1:0", grpc.ssl_server_credentials([(made.key, made.certificate)])
    )
    hosts = (f"{LOCATION}-aiplatform.googleapis.com", "cloudresourcemanager.googleapis.com")
    vertex.tunnel.routes.update(dict.fromkeys(hosts, port))
    server.start()
    try:
        with storage_server() as vertex.storage, vertex.tunnel.running():
            vertex.storage.number = NUMBER
            yield vertex
    finally:
        server.stop(None).wait()


def environment(vertex: Vertex, folder: Path) -> dict[str, str]:
    """Variables by which the official clients find all of it, logged in as a service account."""
    account = folder / "service-account.json"
    account.write_text(
        json.dumps(
            {
                "type": "service_account",
                "client_email": f"tests@{PROJECT}.iam.gserviceaccount.com",
                "private_key_id": "1",
                "private_key": authority().account_key,
                "token_uri": f"{vertex.storage.url}/token",
                "project_id": PROJECT,
            }
        )
    )
    return {
        "GOOGLE_APPLICATION_CREDENTIALS": str(account),
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(authority().roots),
        "STORAGE_EMULATOR_HOST": vertex.storage.url,
        "grpc_proxy": vertex.tunnel.url,
    }
