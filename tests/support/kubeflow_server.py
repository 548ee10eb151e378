"""Kubeflow Pipelines' API with state over HTTP, as ``kfp.Client`` speaks it.

A run goes on by one step each time it is looked at. Its nodes are those of KFP's workflow: a
driver, the task and an executor for each task.
API: https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec/.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from support.json_server import JsonHandler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_API = "/apis/v2beta1/"
_OVER = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")
_ARGUMENT = 131071
"""Bytes that Linux takes in one argument: the container is one."""


@dataclass
class KubeflowServer:
    """What there is, and what goes wrong."""

    url: str = ""
    token: str = ""
    """Asked of everybody, where there is one."""
    cookie: str = ""
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    recurring: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By ``PIPELINE/versions/VERSION``: uploaded pipelines."""
    ends: dict[str, str] = field(default_factory=dict)
    """By task: the message it fails with."""
    endless: bool = False
    """What runs does not come to its end by itself."""
    faults: dict[str, list[int]] = field(default_factory=dict)
    """By ``METHOD collection``, for the next requests: a status; 0: the connection is cut."""
    calls: list[str] = field(default_factory=list)

    def create_experiment(self, given: Mapping[str, Any]) -> tuple[int, Any]:
        made = {**given, "experiment_id": f"experiment-{len(self.experiments) + 1}"}
        self.experiments[made["experiment_id"]] = made
        return 200, made

    def list_experiments(self, query: Mapping[str, list[str]]) -> tuple[int, Any]:
        [asked] = json.loads(query["filter"][0])["predicates"]
        namespace = query.get("namespace", [""])[0]
        found = [
            one
            for one in self.experiments.values()
            if one[asked["key"]] == asked["stringValue"]
            and (one.get("namespace") or "") == namespace
        ]
        return 200, {"experiments": found} if found else {}

    def create_run(self, given: dict[str, Any]) -> tuple[int, Any]:
        spec = given["pipeline_spec"].get("pipeline_spec", given["pipeline_spec"])
        if given["experiment_id"] not in self.experiments:
            return _error(404, f"experiment {given['experiment_id']} not found")
        if "deploymentSpec" not in spec or "root" not in spec:
            return _error(400, "invalid pipeline spec: it has no root or no deploymentSpec")
        known = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        unknown = set(given["runtime_config"].get("parameters", {})) - set(known)
        if unknown:
            return _error(400, f"parameter {min(unknown)} is not in the pipeline")
        for name, executor in spec["deploymentSpec"]["executors"].items():
            if len(json.dumps(executor["container"])) > _ARGUMENT:
                return _error(500, f"{name}: exec: argument list too long")
        run_id = f"run-{len(self.runs) + 1}"
        made = {
            **given,
            "run_id": run_id,
            "state": "PENDING",
            "created_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "tasks": spec["root"]["dag"]["tasks"],
        }
        self.runs[run_id] = made
        return 200, _shown(made)

    def get_run(self, run_id: str) -> tuple[int, Any]:
        run = self.runs.get(run_id)
        if run is None:
            return _error(404, f"Run {run_id} not found")
        _step(run, self.ends, endless=self.endless)
        return 200, _shown(run)

    def listed(self, what: str, query: Mapping[str, list[str]]) -> tuple[int, Any]:
        """A page of two at a time, the latest first, of a namespace."""
        if query.get("sort_by") != ["created_at desc"]:
            return _error(400, "tests ask for the latest first")
        namespace = query.get("namespace", [""])[0]
        every = (self.runs if what == "runs" else self.recurring).values()
        found = [one for one in every if one.get("namespace", "") == namespace]
        found.sort(key=lambda one: one["created_at"], reverse=True)
        at = int(query.get("page_token", ["0"])[0] or 0)
        key = "runs" if what == "runs" else "recurringRuns"
        page = [{k: v for k, v in one.items() if k != "tasks"} for one in found[at : at + 2]]
        more = {"next_page_token": str(at + 2)} if at + 2 < len(found) else {}
        return 200, {key: page, **more} if page else {}

    def get_version(self, where: str) -> tuple[int, Any]:
        """An uploaded pipeline."""
        found = self.versions.get(where)
        return (200, found) if found else _error(404, f"{where} not found")

    def terminate_run(self, run_id: str) -> tuple[int, Any]:
        if run_id not in self.runs:
            return _error(404, f"Run {run_id} not found")
        if self.runs[run_id]["state"] in _OVER:
            return _error(400, f"Run {run_id} cannot be terminated")
        self.runs[run_id]["state"] = "CANCELING"
        return 200, {}


class _Handler(JsonHandler):
    kubeflow: KubeflowServer

    def get(self) -> None:
        url = urlsplit(self.path)
        if self._stopped(url.path):
            return
        where = url.path.partition(_API)[2]
        if where == "healthz":
            self.answer(200, {"multi_user": False})
        elif where == "experiments":
            self.answer(*self.kubeflow.list_experiments(parse_qs(url.query)))
        elif where in {"runs", "recurringruns"}:
            self.answer(*self.kubeflow.listed(where, parse_qs(url.query)))
        elif where.startswith("pipelines/"):
            self.answer(*self.kubeflow.get_version(where.partition("/")[2]))
        elif where.startswith("runs/"):
            self.answer(*self.kubeflow.get_run(where.partition("/")[2]))
        else:
            self.answer(404, "<html>404 page not found</html>")

    def post(self) -> None:
        body = self.body()
        if self._stopped(self.path):
            return
        where = self.path.partition(_API)[2]
        if where == "experiments":
            self.answer(*self.kubeflow.create_experiment(json.loads(body)))
        elif where == "runs":
            self.answer(*self.kubeflow.create_run(json.loads(body)))
        elif where.endswith(":terminate"):
            name = where.removeprefix("runs/").removesuffix(":terminate")
            self.answer(*self.kubeflow.terminate_run(name))
        else:
            self.answer(404, "<html>404 page not found</html>")

    def _stopped(self, path: str) -> bool:
        """Whether a fault or the lack of a log-in has answered already."""
        kubeflow = self.kubeflow
        call = f"{self.command} {path.partition(_API)[2].partition('/')[0]}"
        kubeflow.calls.append(call)
        if kubeflow.cookie and kubeflow.cookie not in (self.headers.get("Cookie") or ""):
            self.answer(200, "<html><title>Log in to Dex</title></html>")
            return True
        if kubeflow.token and self.headers.get("Authorization") != f"Bearer {kubeflow.token}":
            self.answer(*_error(401, "Request not authenticated"))
            return True
        waiting = kubeflow.faults.get(call)
        if not waiting:
            return False
        fault = waiting.pop(0)
        if fault:
            self.answer(*_error(fault, f"{call} fails with {fault}"))
        else:
            self.cut()
        return True


def _error(status: int, message: str) -> tuple[int, Any]:
    return status, {"error": message, "code": status, "message": message, "details": []}


def _shown(run: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in run.items() if name not in ("tasks", "nodes")} | {
        "run_details": {"task_details": [*_nodes(run)]}
    }


def _nodes(run: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    run_id = run["run_id"]
    if "nodes" not in run:
        return
    yield _node(run_id, "", f"{run['display_name']}-x1y2z", run["state"])
    yield _node("root-driver", run_id, "root-driver", "SUCCEEDED")
    yield _node("root", run_id, "root", run["state"])
    for number, (name, (state, error)) in reversed([*enumerate(run["nodes"].items())]):
        yield _node(f"{name}-driver", "root", f"{name}-driver", "SUCCEEDED")
        started = f"2027-01-31T06:00:{number:02}Z"
        yield {**_node(name, "root", name, state), "start_time": started}
        yield {
            **_node(f"{name}-executor", name, "executor", state),
            "pod_name": f"{run_id}-{name}-impl",
            **({"error": {"code": 1, "message": error}} if error else {}),
        }


def _node(task_id: str, parent: str, name: str, state: str) -> dict[str, Any]:
    times = {"start_time": "2027-01-31T06:00:00Z"}
    if state in ("SUCCEEDED", "FAILED"):
        times["end_time"] = "2027-01-31T06:00:42Z"
    node = {"task_id": task_id, "display_name": name, "state": state, **times}
    return {**node, "parent_task_id": parent} if parent else node


def _step(run: dict[str, Any], ends: Mapping[str, str], *, endless: bool) -> None:
    if run["state"] == "CANCELING":
        run["state"] = "CANCELED"
        run["nodes"] = {
            name: (state if state in _OVER else "CANCELED", error)
            for name, (state, error) in run.get("nodes", {}).items()
        }
    elif run["state"] == "PENDING":
        run["state"], run["nodes"] = "RUNNING", {}
    elif run["state"] == "RUNNING":
        nodes = run["nodes"]
        for name, task in run["tasks"].items():
            if nodes.get(name, ("",))[0] == "RUNNING":
                if endless:
                    continue
                error = ends.get(name, "")
                nodes[name] = ("FAILED" if error else "SUCCEEDED", error)
            elif name not in nodes and all(
                nodes.get(one, ("",))[0] == "SUCCEEDED" for one in task.get("dependentTasks", ())
            ):
                nodes[name] = ("RUNNING", "")
        states = {state for state, _ in nodes.values()}
        if "FAILED" in states:
            run["state"] = "FAILED"
            run["error"] = {"code": 1, "message": "child failed"}
        elif len(nodes) == len(run["tasks"]) and states == {"SUCCEEDED"}:
            run["state"] = "SUCCEEDED"


@contextlib.contextmanager
def kubeflow_server() -> Iterator[KubeflowServer]:
    """Serve an installation with nothing in it."""
    kubeflow = KubeflowServer()
    with serving(type("Handler", (_Handler,), {"kubeflow": kubeflow})) as port:
        kubeflow.url = f"http://127.0.0.1:{port}"
        yield kubeflow
