"""``eggcrate lineage``: runs by image and images by run, of each source, with the real clients."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.errors import UsageError
from eggcrate.pipelines.lineage import Use, asked_for, digest_in, environment_of
from eggcrate.pipelines.submit import kubeflow as on_kubeflow
from eggcrate.pipelines.submit import vertex as on_vertex
from eggcrate.pipelines.submit.options import KubeflowOptions, VertexOptions
from support import runs
from support.pipelines import IMAGE, TASKS, compiled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.kubeflow_server import KubeflowServer
    from support.vertex_server import Vertex

OTHER = "registry.invalid/eggs/xgboost@sha256:" + "b" * 64
WHERE = ("--project", "ml-production", "--location", "europe-west4")
THERE = VertexOptions(
    project="ml-production", location="europe-west4", pipeline_root="gs://artifacts/runs"
)


def on_the_cloud(*images: str) -> None:
    """A run on Vertex AI for each image."""
    for image in images:
        submission = on_vertex.decide(compiled(image=image), {"rows": 3}, THERE)
        on_vertex.Vertex(THERE).submit(submission)


def in_the_cluster(server: KubeflowServer, *images: str) -> None:
    """A run on Kubeflow for each image."""
    there = KubeflowOptions(host=server.url)
    for image in images:
        submission = on_kubeflow.decide(compiled(image=image), {"rows": 3}, there)
        on_kubeflow.Kubeflow(there, environ={}).submit(submission)


def names(document: dict[str, Any]) -> list[str]:
    return [image["image"] for use in document["uses"] for image in use["images"]]


def test_vertex_more_runs_than_a_page(vertex: Vertex, eggcrate: Callable[..., Any]) -> None:
    """All of them are seen; a digest finds its own, and the resource of a run its images."""
    on_the_cloud(IMAGE, OTHER, IMAGE)
    every = eggcrate("lineage", "--vertex", *WHERE, "--json")
    assert every.code == 0, every.err
    assert sorted(names(every.document)) == [IMAGE, IMAGE, OTHER]
    assert every.document["looked"] == {"here": 0, "vertex": 3}
    found = eggcrate("lineage", "sha256:bbbbbbb", "--vertex", *WHERE, "--json").document
    [use] = found["uses"]
    assert (use["kind"], use["where"], use["state"]) == ("run", "vertex", "pending")
    assert use["images"] == [
        {
            "image": OTHER,
            "environment": "xgboost",
            "digest": digest_in(OTHER),
            "tasks": sorted(TASKS),
        }
    ]
    back = eggcrate("lineage", use["reference"], "--vertex", *WHERE, "--json").document
    assert names(back) == [OTHER]
    text = eggcrate("lineage", "xgboost", "--vertex", *WHERE).out
    assert "sha256:bbbbbbbbbbbb" in text
    assert use["reference"] in text
    assert "aaaa" not in text


def test_vertex_schedules_and_age(vertex: Vertex, eggcrate: Callable[..., Any], file: Path) -> None:
    """What is older is not asked for; a schedule always counts, until it is over."""
    on_the_cloud(OTHER)
    next(iter(vertex.jobs.values())).create_time = datetime.now(UTC) - timedelta(days=100)
    made = eggcrate(
        "schedule", "create", str(file), "--cron", "0 6 * * 1", "--parameter", "rows=3",
        *WHERE, "--pipeline-root", "gs://artifacts/runs",
    )  # fmt: skip
    assert made.code == 0, made.err
    [use] = eggcrate("lineage", "--vertex", *WHERE, "--json").document["uses"]
    assert (use["kind"], use["images"][0]["image"]) == ("schedule", IMAGE)
    older = eggcrate("lineage", "--vertex", *WHERE, "--json", "--days", "200")
    assert sorted(names(older.document)) == [IMAGE, OTHER]


def test_what_may_not_be_seen_is_an_error(
    vertex: Vertex, kubeflow: KubeflowServer, eggcrate: Callable[..., Any]
) -> None:
    """Never nothing found: exit code 1 with the reason, and what the other source told."""
    vertex.denied.add("ListPipelineJobs")
    in_the_cluster(kubeflow, IMAGE)
    both = ("--vertex", *WHERE, "--kubeflow", kubeflow.url)
    ran = eggcrate("lineage", "sklearn", *both)
    assert ran.code == 1
    assert "roles/aiplatform.user" in ran.err
    assert "not all could be seen" in ran.out
    assert digest_in(IMAGE)[:19] in ran.out
    document = eggcrate("lineage", "nowhere", *both, "--json").document
    assert document["errors"][0]["what"] == "listing runs failed"
    assert document["looked"] == {"here": 0, "kubeflow": 1}


def test_kubeflow_runs_versions_and_recurring_runs(
    kubeflow: KubeflowServer, eggcrate: Callable[..., Any]
) -> None:
    """More than a page; a run that names an uploaded version has that version's images."""
    in_the_cluster(kubeflow, IMAGE, OTHER, IMAGE)
    first, second, third = kubeflow.runs.values()
    first["created_at"] = "2020-01-01T00:00:00Z"
    del second["pipeline_spec"]
    second["pipeline_version_reference"] = {"pipeline_id": "p", "pipeline_version_id": "v"}
    uploaded = {"pipeline_spec": dict(compiled(image=OTHER).spec)}
    kubeflow.versions["p/versions/v"] = uploaded
    kubeflow.recurring["r"] = {
        "recurring_run_id": "r",
        "display_name": "nightly",
        "status": "ENABLED",
        "created_at": "2020-01-01T00:00:00Z",
        "pipeline_spec": third["pipeline_spec"],
    }
    ran = eggcrate("lineage", "--kubeflow", kubeflow.url, "--json")
    assert ran.code == 0, ran.err
    found = {(use["kind"], use["images"][0]["image"]) for use in ran.document["uses"]}
    assert found == {("run", OTHER), ("run", IMAGE), ("schedule", IMAGE)}
    page = f"{kubeflow.url}/#/runs/details/run-3"
    assert names(eggcrate("lineage", page, "--kubeflow", kubeflow.url, "--json").document) == [
        IMAGE
    ]
    kubeflow.versions.clear()
    gone = eggcrate("lineage", "--kubeflow", kubeflow.url)
    assert gone.code == 1
    assert "reading version v of pipeline p failed" in gone.err


def test_runs_of_this_checkout(eggcrate: Callable[..., Any], tmp_path: Path) -> None:
    """From their records; a task that was skipped has used nothing."""
    started = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    tasks = (
        runs.task("prepare"),
        runs.task("train", image=IMAGE),
        runs.task("other", image=OTHER, state="skipped"),
    )
    folder = tmp_path / "repo" / ".eggcrate" / "runs" / "training" / "20261126-120301-7f3a"
    folder.mkdir(parents=True)
    record = runs.document(*tasks, started=started)
    (folder / "run.json").write_text(json.dumps(record))
    ran = eggcrate("lineage", "--json")
    assert sorted(names(ran.document)) == sorted([runs.IMAGE, IMAGE])
    assert eggcrate("lineage", "sha256:5a5a5a5", "--json").document["uses"][0]["images"][0][
        "tasks"
    ] == ["prepare"]
    none = eggcrate("lineage", f"xgboost@{digest_in(OTHER)}")
    assert none.code == 2
    unused = eggcrate("lineage", digest_in(OTHER))
    assert (unused.code, unused.out.strip().endswith("1 here; no use")) == (0, True)
    (folder / "run.json").write_text("{}")
    assert eggcrate("lineage").code == 1


def test_a_platform_needs_its_place(eggcrate: Callable[..., Any], tmp_path: Path) -> None:
    """Or a file that has it."""
    assert eggcrate("lineage", "--vertex").code == 2
    assert eggcrate("lineage", "--kubeflow").code == 2
    config = tmp_path / "some.toml"
    config.write_text('[kubeflow]\nhost = "http://127.0.0.1:9"\n')
    ran = eggcrate("lineage", "--kubeflow", "--config", str(config))
    assert ran.code == 1
    assert "does not answer at http://127.0.0.1:9" in ran.err


images = st.builds(
    lambda name, digest: f"r.invalid/p/{name}@sha256:{digest}",
    st.sampled_from(("one", "two", "deadbeef")),
    st.sampled_from(("a" * 64, "ab" * 32, "c" * 64)),
)
uses = st.lists(
    st.builds(
        lambda name, found: Use(
            where="here",
            name=name,
            reference=f"ref-{name}",
            pipeline="p",
            state="s",
            started="",
            images=dict.fromkeys(found, ("task",)),
        ),
        st.sampled_from(("run-1", "run-2")),
        st.sets(images),
    )
)


@given(uses, images)
def test_an_image_finds_exactly_the_runs_that_have_it(every: list[Use], image: str) -> None:
    """By digest whatever its name; by name whatever its digest; by both only both."""
    name, digest = environment_of(image), digest_in(image)
    for what, fits in (
        (digest, lambda one: digest_in(one) == digest),
        (name, lambda one: environment_of(one) == name),
        (f"{name}@{digest}", lambda one: one == image),
    ):
        wanted = [{one for one in use.images if fits(one)} for use in every]
        found = asked_for(every, what, ("one", "two", "deadbeef"))
        assert [set(use.images) for use in found] == [one for one in wanted if one]


@given(uses, st.sampled_from(("", "nothing", "one@stable", "sha256:xyz")))
def test_a_question_that_cannot_be_meant_is_refused(every: list[Use], what: str) -> None:
    """Nothing asked for is everything; nonsense is no empty answer."""
    if not what:
        assert asked_for(every, what, ()) == tuple(every)
    else:
        with pytest.raises(UsageError):
            asked_for(every, what, ("one",))
