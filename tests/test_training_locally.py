"""The training pipeline of this repository: here in both runtimes, and under KFP's own runner."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker as sdk
import pytest
import yaml

from eggcrate.pipelines.local.content import tree_digest
from eggcrate.registry.layout import Layout
from eggcrate.runtimes import docker
from support.checkout import bare_copy
from support.local_runs import eggcrate, run_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "components/prepare_data/examples/iris/iris.csv"
STRAIGHT = """
from components.evaluate_model.component import evaluate_model
from components.prepare_data.component import prepare_data
from components.train_model.component import train_model
from kfp import dsl


@dsl.pipeline
def straight(source: str, target: str, flavour: str, stratify: bool):
    table = dsl.importer(artifact_uri=source, artifact_class=dsl.Dataset, reimport=False)
    prepared = prepare_data(
        source=table.output, target=target, stratify=stratify, environment="sklearn-1-7"
    )
    trained = train_model(
        train_data=prepared.outputs["train_data"],
        target=target,
        flavour=flavour,
        environment="xgboost-3",
    )
    evaluate_model(
        test_data=prepared.outputs["test_data"],
        model=trained.outputs["model"],
        environment="xgboost-3",
    )
"""
"""``training`` for one library: KFP's local runner takes the wrong branch of an Elif."""
BRANCH = "condition-branches-1/condition-2"
ARTIFACTS = tuple(
    f"fitting/{name}"
    for name in ("prepare-data/train_data", "prepare-data/test_data", f"{BRANCH}/train-model/model")
)
pytestmark = [pytest.mark.network, pytest.mark.sandbox, pytest.mark.docker]


@pytest.fixture
def receivers() -> Iterator[Any]:
    """The component's own fakes: a webhook on loopback."""
    fakes = runpy.run_path(str(ROOT / "components/notify/tests/fake_receivers.py"))
    with fakes["receiving"]() as found:
        yield found


def run(*words: str, code: int = 0, root: Path = ROOT) -> dict[str, Any]:
    return run_pipeline(root, *words, code=code)


def tasks(told: dict[str, Any]) -> dict[str, Any]:
    """Tasks by name: of those that a condition chooses among, the one that it chose."""
    skipped = {task["id"] for task in told["tasks"] if task["state"] == "skipped"}
    return {
        re.sub(r"-\d+$", "", task["name"]): task
        for task in told["tasks"]
        if task["parent"] not in skipped and task["kind"] in {"container", "importer"}
    }


def figures(metadata: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in metadata.items() if isinstance(value, float)}


def metrics(told: dict[str, Any]) -> dict[str, float]:
    [found] = tasks(told)["evaluate-model"]["outputs"]["artifacts"]["metrics"]
    return figures(found["metadata"])


def outputs(told: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = tasks(told)[name]["outputs"]["parameters"]
    return found


def digests(folder: Path) -> list[str]:
    return [tree_digest(folder / name) for name in ARTIFACTS]


def folder_of(told: dict[str, Any]) -> Path:
    return ROOT / ".eggcrate" / "runs" / "training" / str(told["run"])


@pytest.mark.timeout(600)
def test_the_same_in_both_runtimes(docker_daemon: str) -> None:
    """Metrics and artifacts of the training pipeline are the same in the sandbox and in Docker.

    A second run reuses every task; a task that fails is run again, those before it are not.
    """
    first = run("training/iris", "--runtime", "sandbox", "--no-cache")
    second = run("training/iris", "--runtime", "docker", "--no-cache")
    assert metrics(first)["accuracy"] > 0.8
    assert metrics(first) == metrics(second)
    assert "train-model" in (folder_of(first) / "index.html").read_text()
    assert all(task["started"] for task in tasks(first).values())
    assert digests(folder_of(first) / "artifacts") == digests(folder_of(second) / "artifacts")

    run("training/iris", "--runtime", "sandbox")
    again = run("training/iris", "--runtime", "sandbox")
    states = {name: task["state"] for name, task in tasks(again).items()}
    assert {states[one] for one in ("prepare-data", "train-model", "evaluate-model")} == {"reused"}
    assert metrics(again) == metrics(first)
    failed = run("training/iris", "--runtime", "sandbox", "--set", "flavour=none", code=1)
    states = {name: task["state"] for name, task in tasks(failed).items()}
    assert states["prepare-data"] == "reused"
    assert (states["train-model"], states["evaluate-model"]) == ("failed", "skipped")
    assert states["register-model"] == "skipped"
    assert outputs(failed, "notify") == {"sent": [], "subject": "training: failed"}


@pytest.mark.timeout(300)
def test_a_failure_is_told_to_a_webhook(receivers: Any, tmp_path: Path) -> None:
    """The address is in the task's environment, as a platform gives it a secret: it is told there.

    Nothing is told of a run that went well, since `notify_when` is ``failure``.
    """
    assert eggcrate(ROOT, "compile", "training", "--local").returncode == 0
    pipeline = yaml.safe_load((ROOT / "build" / "pipelines" / "training.yaml").read_text())
    notify = pipeline["deploymentSpec"]["executors"]["exec-notify"]["container"]
    notify["env"] = [{"name": "NOTIFY_WEBHOOK", "value": receivers.webhook}]
    (tmp_path / "training.yaml").write_text(yaml.safe_dump(pipeline))
    words = (str(tmp_path / "training.yaml"), "--runtime", "sandbox", "--open-network")
    values = ("source=" + SOURCE, "target=species", "webhook=env:NOTIFY_WEBHOOK")
    given = [word for value in values for word in ("--set", value)]
    failed = run(*words, *given, "--set", "flavour=none", code=1)
    assert outputs(failed, "notify") == {"sent": ["webhook"], "subject": "training: failed"}
    [post] = receivers.posts
    assert post["text"].startswith("training: failed\nrun: training\n")
    assert receivers.webhook not in json.dumps(failed)

    succeeded = run(*words, *given)
    assert outputs(succeeded, "notify") == {"sent": [], "subject": "training: succeeded"}
    assert len(receivers.posts) == 1


@pytest.mark.timeout(600)
def test_the_same_under_kfp(docker_daemon: str, tmp_path: Path) -> None:
    """KFP's own local runner gives the compiled file's metrics and artifacts, to the byte."""
    root = tmp_path / "eggcrate"
    subprocess.run(["git", "clone", "-q", bare_copy(ROOT, tmp_path), root], check=True)
    (root / "pipelines" / "straight").mkdir()
    (root / "pipelines" / "straight" / "pipeline.py").write_text(STRAIGHT)
    parameters = {"source": SOURCE, "target": "species", "flavour": "xgboost", "stratify": True}
    given = parameters | {"stratify": "true"}
    words = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    ours = run("straight", *words, "--runtime", "sandbox", root=root)
    written = root / ".eggcrate" / "runs" / "straight" / str(ours["run"]) / "artifacts"
    artifacts = ("prepare-data/train_data", "prepare-data/test_data", "train-model/model")

    theirs = witnessed(root, tmp_path, parameters)
    [evaluated] = theirs.glob("*/evaluate-model/executor_output.json")
    [told] = json.loads(evaluated.read_text())["artifacts"]["metrics"]["artifacts"]
    assert figures(told["metadata"]) == metrics(ours)
    assert metrics(ours)["accuracy"] > 0.8
    [training] = {path.parent.parent for path in theirs.glob("*/evaluate-model/metrics")}
    for name in artifacts:
        assert tree_digest(training / name) == tree_digest(written / name), name


def witnessed(repository: Path, folder: Path, parameters: dict[str, Any]) -> Path:
    """Run the same compiled pipeline under KFP's own runner; where it wrote."""
    done = eggcrate(repository, "compile", "straight", "--local")
    assert done.returncode == 0, done.stderr
    text = (repository / "build" / "pipelines" / "straight.yaml").read_text()
    store = Layout(repository / ".eggcrate" / "store")
    executors = yaml.safe_load(text)["deploymentSpec"]["executors"].values()
    names = {one["container"]["image"] for one in executors if "container" in one}
    loaded = []
    for name in sorted(names):  # the runner knows images by tags alone; it can pull no digest
        short, _, digest = name.partition("@")
        docker.load(store, digest, f"{short}:witness")
        loaded.append(f"{short}:witness")
        text = text.replace(name, f"{short}:witness")
    (folder / "straight.yaml").write_text(text)
    root = folder / "root"
    root.mkdir()
    # What it mounts is its own root and nothing else: the source has to be in it.
    shutil.copyfile(ROOT / parameters["source"], root / "iris.csv")
    told = {
        "pipeline": str(folder / "straight.yaml"),
        "root": str(root),
        "parameters": {**parameters, "source": str(root / "iris.csv")},
    }
    client = sdk.from_env()
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(ROOT / "tests" / "support" / "witness.py")],
            input=json.dumps(told),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    finally:
        for name in loaded:
            client.images.remove(name, force=True)
        client.close()
    return root
