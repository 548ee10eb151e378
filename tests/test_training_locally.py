"""The training pipeline of this repository: here in both runtimes, and under KFP's own runner."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker as sdk
import pytest
import yaml

from eggcrate.pipelines.local.content import tree_digest
from eggcrate.registry.layout import Layout
from eggcrate.runtimes import docker

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ("prepare-data/train_data", "prepare-data/test_data", "train-model/model")
pytestmark = [pytest.mark.network, pytest.mark.sandbox, pytest.mark.docker]


def eggcrate(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "eggcrate", "--repo", str(ROOT), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "ci")},
    )


def run(*words: str, code: int = 0) -> dict[str, Any]:
    done = eggcrate("run", *words, "--json")
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def tasks(told: dict[str, Any]) -> dict[str, Any]:
    return {task["id"]: task for task in told["tasks"]}


def figures(metadata: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in metadata.items() if isinstance(value, float)}


def metrics(told: dict[str, Any]) -> dict[str, float]:
    [found] = tasks(told)["evaluate-model"]["outputs"]["artifacts"]["metrics"]
    return figures(found["metadata"])


def digests(folder: Path) -> list[str]:
    return [tree_digest(folder / name) for name in ARTIFACTS]


def folder_of(told: dict[str, Any]) -> Path:
    return ROOT / ".eggcrate" / "runs" / "training" / str(told["run"])


@pytest.mark.timeout(600)
def test_the_same_here_there_and_under_kfp(docker_daemon: str, tmp_path: Path) -> None:
    """Metrics and artifacts are the same in the sandbox, in Docker and under ``kfp.local``.

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

    root = witnessed(tmp_path, dict(first["parameters"]))
    [evaluated] = root.glob("*/evaluate-model/executor_output.json")
    [told] = json.loads(evaluated.read_text())["artifacts"]["metrics"]["artifacts"]
    assert figures(told["metadata"]) == metrics(first)
    [training] = {path.parent.parent for path in root.glob("*/evaluate-model/metrics")}
    assert digests(training) == digests(folder_of(first) / "artifacts")


def witnessed(folder: Path, parameters: dict[str, Any]) -> Path:
    """Run the same compiled pipeline under KFP's own runner; where it wrote."""
    done = eggcrate("compile", "training", "--local")
    assert done.returncode == 0, done.stderr
    text = (ROOT / "build" / "pipelines" / "training.yaml").read_text()
    store = Layout(ROOT / ".eggcrate" / "store")
    executors = yaml.safe_load(text)["deploymentSpec"]["executors"].values()
    names = {one["container"]["image"] for one in executors if "container" in one}
    loaded = []
    for name in sorted(names):  # the runner knows images by tags alone; it can pull no digest
        short, _, digest = name.partition("@")
        docker.load(store, digest, f"{short}:witness")
        loaded.append(f"{short}:witness")
        text = text.replace(name, f"{short}:witness")
    (folder / "training.yaml").write_text(text)
    root = folder / "root"
    root.mkdir()
    # What it mounts is its own root and nothing else: the source has to be in it.
    shutil.copyfile(ROOT / parameters["source"], root / "iris.csv")
    told = {
        "pipeline": str(folder / "training.yaml"),
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
