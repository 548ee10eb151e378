"""The remote part of ``eggcrate run``, and ``eggcrate follow``: what is printed, exit codes."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.cli import run_remote
from eggcrate.cli.context import Context
from eggcrate.errors import EggcrateError
from eggcrate.pipelines.compiled_file import read_compiled
from eggcrate.pipelines.submit.options import KubeflowOptions, VertexOptions
from eggcrate.progress import Silent
from support import pipelines
from support.repository import make_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.kubeflow_server import KubeflowServer
    from support.vertex_server import Vertex

VERTEX = VertexOptions(
    project="ml-production", location="europe-west4", pipeline_root="gs://artifacts/runs"
)


class Screen(Silent):
    """Keeps what is told; presses Ctrl-C when something begins to run, if it is to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.impatient = False

    def info(self, line: str) -> None:
        self.lines.append(line)
        if self.impatient and line.endswith(": running"):
            self.impatient = False
            raise KeyboardInterrupt

    warn = info


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def context(tmp_path: Path, screen: Screen) -> Context:
    made = make_repository(tmp_path / "checkout", tmp_path / "cache")
    return Context.open(made.root, os.environ, screen)


@pytest.fixture
def run(
    context: Context, file: Path, capsys: pytest.CaptureFixture
) -> Callable[..., tuple[int, str]]:
    """The verb as whoever writes it calls this."""

    def call(*flags: str, **options: Any) -> tuple[int, str]:
        verb = argparse.ArgumentParser()
        run_remote.add_remote(verb)
        verb.add_argument("--dry-run", action="store_true")
        verb.add_argument("--json", action="store_true")
        arguments = verb.parse_args([*flags, "--poll", "0"])
        code = run_remote.run_remote(
            arguments, context, read_compiled(file), {"rows": 3}, **options
        )
        return code, capsys.readouterr().out

    return call


def test_on_vertex(vertex: Vertex, run: Callable[..., Any], screen: Screen) -> None:
    """Success is 0, and the table of its tasks; progress is not in the result."""
    code, out = run("--vertex", vertex_options=VERTEX)
    assert code == 0, out
    assert out.splitlines()[2].split() == ["prepare-data", "succeeded", "42"]
    assert out.splitlines()[-1].startswith("run succeeded: https://console.cloud.google.com/")
    assert screen.lines[0].startswith("submitted: https://console.cloud.google.com/vertex-ai/")
    assert "train-model: running" in screen.lines


def test_a_failure_on_vertex(vertex: Vertex, run: Callable[..., Any]) -> None:
    """Is 1, and tells the task, its message and where its log is."""
    vertex.ends["train-model"] = "ValueError: no rows"
    code, out = run("--vertex", vertex_options=VERTEX)
    assert code == 1
    assert "train-model failed: ValueError: no rows\n  log:  https://console.cloud" in out
    code, out = run("--vertex", "--json", vertex_options=VERTEX)
    document = json.loads(out)
    assert (code, document["schema"], document["state"]) == (1, "eggcrate.run-remote/1", "failed")
    assert [task["state"] for task in document["tasks"]] == ["succeeded", "failed", "skipped"]


def test_ctrl_c_leaves_the_run_alone(
    vertex: Vertex, run: Callable[..., Any], screen: Screen, eggcrate: Callable[..., Any]
) -> None:
    """It says how to follow and how to cancel, and both work."""
    screen.impatient = vertex.endless = True
    with pytest.raises(KeyboardInterrupt):
        run("--vertex", vertex_options=VERTEX)
    assert "CancelPipelineJob" not in vertex.calls
    follow, cancel = [line.split()[-1] for line in screen.lines[-1].splitlines()[1:]]
    assert follow == cancel == next(iter(vertex.jobs))
    ended = eggcrate("follow", "--cancel", cancel, "--poll", "0", "--json")
    assert ended.code == 0, ended.err
    assert ended.document["state"] == "cancelled"


def test_ctrl_c_may_cancel_as_well(vertex: Vertex, run: Callable[..., Any], screen: Screen) -> None:
    """When it is told to."""
    screen.impatient = vertex.endless = True
    with pytest.raises(KeyboardInterrupt):
        run("--vertex", "--cancel-on-interrupt", vertex_options=VERTEX)
    assert vertex.calls[-1] == "CancelPipelineJob"
    assert screen.lines[-1].startswith("asked to be cancelled: https://")


def test_followed_by_another(
    vertex: Vertex, run: Callable[..., Any], eggcrate: Callable[..., Any]
) -> None:
    """What one submits and leaves, another follows to its end: a failure is 1 there too."""
    vertex.ends["train-model"] = "ValueError: no rows"
    code, out = run("--vertex", "--detach", "--json", vertex_options=VERTEX)
    assert (code, json.loads(out)["state"]) == (0, "pending")
    ran = eggcrate("follow", json.loads(out)["reference"], "--poll", "0")
    assert ran.code == 1
    assert "train-model failed: ValueError: no rows" in ran.out
    assert "prepare-data: running" in ran.err


def test_on_kubeflow(kubeflow: KubeflowServer, run: Callable[..., Any], screen: Screen) -> None:
    """The same words; what kfp's client prints is in no one's way."""
    code, out = run("--kubeflow", kubeflow.url, "--json")
    document = json.loads(out)
    assert (code, document["state"]) == (0, "succeeded"), document
    assert [task["name"] for task in document["tasks"]] == list(pipelines.TASKS)
    assert screen.lines[0] == f"submitted: {kubeflow.url}/#/runs/details/run-1"


def test_kubeflow_is_followed_by_its_page(
    kubeflow: KubeflowServer, run: Callable[..., Any], eggcrate: Callable[..., Any]
) -> None:
    """The address that a browser shows is enough."""
    kubeflow.ends["train-model"] = "ValueError: no rows"
    there = KubeflowOptions(host=f"{kubeflow.url}/")
    _, out = run("--kubeflow", "--detach", "--json", kubeflow_options=there)
    ran = eggcrate("follow", json.loads(out)["page"], "--poll", "0")
    assert ran.code == 1
    assert "train-model failed: ValueError: no rows" in ran.out
    assert "kubectl logs run-1-train-model-impl -c main" in ran.out


@pytest.mark.parametrize("target", [["--vertex"], ["--kubeflow", "https://kubeflow.invalid"]])
def test_a_dry_run_needs_nobody(run: Callable[..., Any], target: list[str]) -> None:
    """What would be submitted, as a list and as a value; nothing is imported or asked for."""
    flags = [*target, "--dry-run", "--caching", "off", "--run-name", "Ours"]
    code, out = run(*flags, "--json", vertex_options=VERTEX)
    document = json.loads(out)
    assert (code, document["dry_run"], document["run"]) == (0, True, "Ours")
    assert document["parameters"] == {"rows": 3}
    assert document["options"]["caching"] is False
    assert document["images"] == [pipelines.IMAGE]
    code, out = run(*flags, vertex_options=VERTEX)
    assert code == 0
    assert pipelines.IMAGE in out


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--vertex"], "Vertex AI needs a project"),
        (["--vertex", "--project", "Ä"], "--project 'Ä' must be a project's id"),
        (["--vertex", "--label", "Team=ml"], "must be a label"),
        (["--vertex", "--label", "team"], "must be NAME=VALUE"),
        (["--kubeflow"], "Kubeflow needs an address"),
        (["--kubeflow", "kubeflow.invalid"], "must be an address"),
    ],
)
def test_mistakes_of_usage(run: Callable[..., Any], flags: list[str], told: str) -> None:
    """Told before anything is asked, exit code 2."""
    with pytest.raises(EggcrateError, match=told) as caught:
        run(*flags)
    assert caught.value.exit_code == 2


def test_what_is_no_run(eggcrate: Callable[..., Any]) -> None:
    """Both ways to name one are told."""
    ran = eggcrate("follow", "run-1")
    assert ran.code == 2
    assert "'run-1' is not a run" in ran.err
