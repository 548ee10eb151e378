"""Runs on Vertex AI: ``aiplatform.PipelineJob`` against a server with state, over TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.errors import SubmitError
from eggcrate.pipelines.submit import vertex as on_vertex
from eggcrate.pipelines.submit.follow import follow
from eggcrate.pipelines.submit.options import VertexOptions
from eggcrate.pipelines.submit.states import State
from eggcrate.progress import Silent
from eggcrate.retries import Retries
from support.pipelines import compiled

if TYPE_CHECKING:
    from eggcrate.pipelines.submit.states import RunState
    from support.vertex_server import Vertex

OPTIONS = VertexOptions(
    project="ml-production", location="europe-west4", pipeline_root="gs://artifacts/runs"
)
QUICK = Retries(attempts=3, first=0.0)


class Lines(Silent):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, line: str) -> None:
        self.lines.append(line)

    warn = info


def submit(options: VertexOptions = OPTIONS, **settings: Any) -> tuple[on_vertex.Vertex, RunState]:
    submission = on_vertex.decide(compiled(), {"rows": 3}, options, **settings)
    platform = on_vertex.Vertex(options, retries=QUICK)
    return platform, platform.submit(submission)


def test_a_run_from_submission_to_success(vertex: Vertex) -> None:
    """Each change of a task is told once; the run ends as the platform says."""
    platform, run = submit()
    assert run.state is State.PENDING
    lines = Lines()
    vertex.ends["prepare-data"] = "cached"
    last = follow(platform, run.name, lines, every=0.0)
    assert last.state is State.SUCCEEDED
    assert lines.lines == [
        "prepare-data: cached",
        "train-model: running",
        "train-model: succeeded (42 s)",
        "evaluate-model: running",
        "evaluate-model: succeeded (42 s)",
    ]


def test_what_is_said_of_a_run_arrives(vertex: Vertex) -> None:
    """Service account, network, labels, root, key, policy, parameters and caching."""
    key = "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k"
    options = VertexOptions(
        project="ml-production",
        location="europe-west4",
        pipeline_root="gs://artifacts/runs",
        service_account="runner@ml-production.iam.gserviceaccount.com",
        network="projects/123456/global/networks/ml",
        encryption_key=key,
        failure_policy="fast",
        labels={"team": "ml"},
        caching=False,
    )
    submit(options, run="A run of ours")
    [job] = vertex.jobs.values()
    assert job.display_name == "A run of ours"
    assert job.service_account == options.service_account
    assert job.network == options.network
    assert job.encryption_spec.kms_key_name == key
    assert job.runtime_config.failure_policy.name == "PIPELINE_FAILURE_POLICY_FAIL_FAST"
    assert dict(job.labels)["team"] == "ml"
    assert job.runtime_config.gcs_output_directory == "gs://artifacts/runs"
    assert job.runtime_config.parameter_values["rows"] == 3
    tasks = job.pipeline_spec["root"]["dag"]["tasks"]
    assert [dict(tasks[name]["cachingOptions"]) for name in tasks] == [{}, {}, {}]


def test_an_endpoint_of_ones_own(vertex: Vertex) -> None:
    """Private Service Connect: the API is where the option says, and nowhere else."""
    own = "pipelines-p.googleapis.com"
    vertex.tunnel.routes[own] = vertex.tunnel.routes.pop("europe-west4-aiplatform.googleapis.com")
    _, run = submit(OPTIONS.overridden({"endpoint": own}))
    assert list(vertex.jobs) == [run.name]
    assert own in vertex.tunnel.connected


def test_a_task_that_fails(vertex: Vertex) -> None:
    """It is named, with its message and the address of its log; what needs it is skipped."""
    vertex.ends["train-model"] = "ValueError: no rows"
    platform, run = submit()
    last = follow(platform, run.name, Silent(), every=0.0)
    assert last.state is State.FAILED
    [task] = last.failed
    assert (task.name, task.error) == ("train-model", "ValueError: no rows")
    job = 7000 + int(task.key)  # the fake's number for it; KFP's maps come in any order
    assert (
        f"/logs/query;query=resource.labels.job_id%3D%22{job}%22?project=ml-production" in task.logs
    )
    assert last.tasks[2].state is State.SKIPPED


def test_a_run_that_is_cancelled(vertex: Vertex) -> None:
    """It is cancelling first, and over then."""
    vertex.endless = True
    platform, run = submit()
    while platform.look(run.name).state is not State.RUNNING:
        pass
    platform.cancel(run.name)
    assert follow(platform, run.name, Silent(), every=0.0).state is State.CANCELLED


def test_faults_while_following(vertex: Vertex) -> None:
    """A quota that is used up for a moment and a connection that is cut end nothing."""
    import grpc  # noqa: PLC0415 - an extra

    platform, run = submit()
    vertex.faults["GetPipelineJob"] = ["cut", grpc.StatusCode.RESOURCE_EXHAUSTED]
    assert follow(platform, run.name, Silent(), every=0.0).state is State.SUCCEEDED
    assert vertex.faults["GetPipelineJob"] == []


@pytest.mark.parametrize("fault", ["RESOURCE_EXHAUSTED", "UNAVAILABLE", "cut", "cut after"])
def test_faults_while_submitting(vertex: Vertex, fault: str) -> None:
    """It is tried again, and makes one run: also when the first attempt was heard after all."""
    import grpc  # noqa: PLC0415 - an extra

    vertex.faults["CreatePipelineJob"] = [getattr(grpc.StatusCode, fault, fault)]
    _, run = submit()
    assert list(vertex.jobs) == [run.name]
    assert vertex.calls.count("CreatePipelineJob") == 2


def test_a_platform_that_never_answers(vertex: Vertex) -> None:
    """After all attempts it is told; nothing was started."""
    import grpc  # noqa: PLC0415 - an extra

    vertex.faults["CreatePipelineJob"] = [grpc.StatusCode.UNAVAILABLE] * 3
    with pytest.raises(SubmitError, match="does not answer"):
        submit()
    assert vertex.jobs == {}


def test_permission_denied(vertex: Vertex) -> None:
    """What Google says, and the roles that are needed."""
    vertex.denied.add("CreatePipelineJob")
    with pytest.raises(SubmitError) as caught:
        submit()
    assert "403 Permission 'aiplatform.CreatePipelineJob' denied" in str(caught.value)
    assert "roles/aiplatform.user" in caught.value.hint
    assert vertex.calls.count("CreatePipelineJob") == 1


def test_a_bucket_that_is_missing(vertex: Vertex) -> None:
    """It is told how it is made, and not made: the client would, in silence."""
    del vertex.storage.buckets["artifacts"]
    with pytest.raises(SubmitError, match="there is no bucket artifacts") as caught:
        submit()
    assert "gcloud storage buckets create gs://artifacts" in caught.value.hint
    assert vertex.storage.buckets == {}
    assert vertex.jobs == {}


def test_a_bucket_that_may_not_be_seen(vertex: Vertex) -> None:
    """Whoever submits needs no right to it, the run's service account does: a warning."""
    vertex.storage.denied.add("GET artifacts")
    lines = Lines()
    platform = on_vertex.Vertex(OPTIONS, warn=lines.warn, retries=QUICK)
    platform.submit(on_vertex.decide(compiled(), {"rows": 3}, OPTIONS))
    assert len(vertex.jobs) == 1
    [warning] = lines.lines
    assert "you lack storage.buckets.get" in warning


def test_a_pipeline_that_is_refused(vertex: Vertex) -> None:
    """The platform's own words, once."""
    submission = on_vertex.decide(compiled(), {"rows": 3}, OPTIONS)
    broken = submission.text.replace("deploymentSpec:", "somethingElse:")
    platform = on_vertex.Vertex(OPTIONS, retries=QUICK)
    with pytest.raises(SubmitError, match="failed") as caught:
        platform.submit(on_vertex.Submission(**{**vars(submission), "text": broken}))
    assert "pipeline_spec has no deploymentSpec" in caught.value.why


def test_nobody_is_logged_in(
    vertex: Vertex, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The command that logs in is told."""
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with pytest.raises(SubmitError, match="no Google credentials") as caught:
        submit()
    assert "gcloud auth application-default login" in caught.value.hint


def test_a_run_that_is_not_there(vertex: Vertex) -> None:
    """A name that is wrong is told at once."""
    platform = on_vertex.Vertex(OPTIONS)
    name = "projects/ml-production/locations/europe-west4/pipelineJobs/none"
    with pytest.raises(SubmitError, match="404"):
        follow(platform, name, Silent())


def test_a_run_in_an_experiment(vertex: Vertex) -> None:
    """The experiment is made when there is none, and the run is in it."""
    options = OPTIONS.overridden({"experiment": "nightly"})
    _, run = submit(options)
    [experiment] = vertex.experiments.values()
    assert experiment.schema_title == "system.Experiment"
    [child] = experiment.parent_contexts
    assert child.endswith(f"run-of-{run.name.rpartition('/')[2]}")


@pytest.mark.parametrize(("denied", "runs"), [("CreateContext", 0), ("AddContextChildren", 1)])
def test_an_experiment_that_may_not_be_used(vertex: Vertex, denied: str, runs: int) -> None:
    """No run is made when that is known before; one that is made is not called a failure."""
    vertex.denied.add(denied)
    options = OPTIONS.overridden({"experiment": "nightly"})
    lines = Lines()
    platform = on_vertex.Vertex(options, warn=lines.warn, retries=QUICK)
    submission = on_vertex.decide(compiled(), {"rows": 3}, options)
    if runs:
        platform.submit(submission)
        assert "the run is made, but not in experiment nightly: 403" in lines.lines[0]
    else:
        with pytest.raises(SubmitError, match="experiment nightly cannot be used"):
            platform.submit(submission)
    assert len(vertex.jobs) == runs
