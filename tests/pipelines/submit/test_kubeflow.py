"""Runs on Kubeflow: ``kfp.Client`` against a server with state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.errors import CompileError, SubmitError
from eggcrate.pipelines.submit import kubeflow as on_kubeflow
from eggcrate.pipelines.submit.follow import follow
from eggcrate.pipelines.submit.options import KubeflowOptions
from eggcrate.pipelines.submit.states import State
from eggcrate.progress import Silent
from eggcrate.retries import Retries
from support.pipelines import compiled

if TYPE_CHECKING:
    from eggcrate.pipelines.compiled_file import CompiledPipeline
    from eggcrate.pipelines.submit.states import RunState
    from support.kubeflow_server import KubeflowServer

QUICK = Retries(attempts=4, first=0.0)


def submit(
    server: KubeflowServer,
    environ: dict[str, str] | None = None,
    pipeline: CompiledPipeline | None = None,
    **options: Any,
) -> tuple[on_kubeflow.Kubeflow, RunState]:
    there = KubeflowOptions(host=server.url, **options)
    submission = on_kubeflow.decide(pipeline or compiled(), {"rows": 3}, there, run="Ours")
    platform = on_kubeflow.Kubeflow(there, environ=environ or {})
    return platform, platform.submit(submission)


def test_what_is_said_of_a_run_arrives(kubeflow: KubeflowServer) -> None:
    """Experiment in its namespace, root, account, parameters, caching; volumes go with it."""
    submit(
        kubeflow,
        pipeline=compiled(platform=True),
        experiment="nightly",
        namespace="team-ml",
        pipeline_root="s3://artifacts/runs",
        service_account="runner",
        caching=False,
    )
    [experiment] = kubeflow.experiments.values()
    assert (experiment["display_name"], experiment["namespace"]) == ("nightly", "team-ml")
    [run] = kubeflow.runs.values()
    assert (run["display_name"], run["service_account"]) == ("Ours", "runner")
    assert run["runtime_config"] == {
        "parameters": {"rows": 3},
        "pipeline_root": "s3://artifacts/runs",
    }
    assert run["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]
    assert all(not task.get("cachingOptions") for task in run["tasks"].values())


def test_an_experiment_is_made_once(kubeflow: KubeflowServer) -> None:
    """A second run joins it."""
    submit(kubeflow, experiment="nightly")
    submit(kubeflow, experiment="nightly")
    assert len(kubeflow.experiments) == 1
    assert {run["experiment_id"] for run in kubeflow.runs.values()} == {"experiment-1"}


def test_drivers_are_no_tasks(kubeflow: KubeflowServer) -> None:
    """Only the pipeline's own tasks are told; an executor's error is its task's."""
    kubeflow.ends["train-model"] = "ValueError: no rows"
    platform, run = submit(kubeflow, namespace="team-ml")
    last = follow(platform, run.name, Silent(), every=0.0)
    assert last.state is State.FAILED
    assert [(task.name, task.state) for task in last.tasks] == [
        ("prepare-data", State.SUCCEEDED),
        ("train-model", State.FAILED),
    ]
    [task] = last.failed
    assert task.error == "ValueError: no rows"
    assert task.seconds == 41
    assert task.logs == "kubectl logs run-1-train-model-impl -c main -n team-ml"


def test_a_run_that_is_cancelled(kubeflow: KubeflowServer) -> None:
    """Is over: kfp's own waiting would never end."""
    kubeflow.endless = True
    platform, run = submit(kubeflow)
    while platform.look(run.name).state is not State.RUNNING:
        pass
    platform.cancel(run.name)
    assert follow(platform, run.name, Silent(), every=0.0).state is State.CANCELLED
    with pytest.raises(SubmitError, match="cannot be terminated"):
        platform.cancel(run.name)


def test_faults_while_following(kubeflow: KubeflowServer) -> None:
    """429, 503 and a connection that is cut, and cut again, end nothing."""
    platform, run = submit(kubeflow)
    kubeflow.faults["GET runs"] = [429, 0, 503, 0, 0]
    last = follow(platform, run.name, Silent(), every=0.0, patience=QUICK, sleep=lambda _: None)
    assert last.state is State.SUCCEEDED
    assert kubeflow.faults["GET runs"] == []


def test_no_answer_any_more(kubeflow: KubeflowServer) -> None:
    """After all attempts it is told that the run goes on."""
    platform, run = submit(kubeflow)
    kubeflow.faults["GET runs"] = [503] * 4
    with pytest.raises(SubmitError, match="cannot be followed any more; it goes on"):
        follow(platform, run.name, Silent(), patience=QUICK, sleep=lambda _: None)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (403, "look at namespace"),
        (0, "whether the run was made is not known"),
        (503, "whether the run was made is not known"),
    ],
)
def test_a_run_that_is_not_taken(kubeflow: KubeflowServer, fault: int, told: str) -> None:
    """Making a run is not tried again by itself: Kubeflow would make two."""
    kubeflow.faults["POST runs"] = [fault] * 9
    with pytest.raises(SubmitError) as caught:
        submit(kubeflow)
    assert told in str(caught.value)
    assert kubeflow.calls.count("POST runs") == 1


def test_a_token(kubeflow: KubeflowServer) -> None:
    """Is taken from the environment; without it the variable is named."""
    kubeflow.token = "of-ours"
    with pytest.raises(SubmitError, match="401 Request not authenticated") as caught:
        submit(kubeflow)
    assert "EGGCRATE_KUBEFLOW_TOKEN" in caught.value.hint
    assert kubeflow.calls == ["GET healthz"]
    _, run = submit(kubeflow, {"EGGCRATE_KUBEFLOW_TOKEN": "of-ours"})
    assert run.name == "run-1"


def test_a_page_to_log_in(kubeflow: KubeflowServer) -> None:
    """Is not taken for the API; a session's cookie gets past it."""
    kubeflow.cookie = "session=of-ours"
    with pytest.raises(SubmitError, match="is not Kubeflow's API"):
        submit(kubeflow)
    _, run = submit(kubeflow, {"EGGCRATE_KUBEFLOW_COOKIE": "session=of-ours"})
    assert run.name == "run-1"


def test_nobody_is_there(kubeflow: KubeflowServer) -> None:
    """A wrong address is told at once."""
    kubeflow.url = "http://127.0.0.1:9"
    with pytest.raises(SubmitError, match="does not answer at"):
        submit(kubeflow)


def test_a_wrong_address_of_the_api(kubeflow: KubeflowServer) -> None:
    """A server that has no such page."""
    kubeflow.url += "/pipeline/apis/v1"
    kubeflow.faults["GET healthz"] = [404]
    with pytest.raises(SubmitError, match="refuses") as caught:
        submit(kubeflow)
    assert "/apis/v2beta1 begins" in caught.value.hint


def test_a_container_that_is_too_large(kubeflow: KubeflowServer) -> None:
    """Is told here, with its size, and not by a run that fails."""
    with pytest.raises(CompileError, match=r"Kubeflow takes 122\.9 kB in a container") as caught:
        submit(kubeflow, pipeline=compiled(code="x" * (121 << 10)))
    assert "124.1 kB  train-model" in caught.value.why
    assert kubeflow.calls == []
    submit(kubeflow, pipeline=compiled(code="x" * (119 << 10)))
    assert len(kubeflow.runs) == 1
