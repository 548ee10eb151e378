"""The pipelines that train: with every flavour that they hold, on data that drifted or not."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from support.local_runs import run_pipeline

ROOT = Path(__file__).resolve().parent.parent
HOMES: dict[str, str] = runpy.run_path(str(ROOT / "components/shared/homes.py"))["HOMES"]
ACCURACY = 0.85
"""On 36 flowers that were not trained on, with each library's own defaults."""
pytestmark = [pytest.mark.network, pytest.mark.sandbox]


def run(*words: str) -> dict[str, dict[str, Any]]:
    """The tasks of a run in the sandbox, as its run.json tells them."""
    told = run_pipeline(ROOT, *words, "--runtime", "sandbox", "--no-cache")
    folder = ROOT / ".eggcrate" / "runs" / told["pipeline"] / told["run"]
    written = json.loads((folder / "run.json").read_text())
    return {task["id"]: task for task in written["tasks"]}


def ran(tasks: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The tasks that ran in an image, by their component."""
    return {
        task["component"].removeprefix("comp-").rstrip("-0123456789"): task
        for task in tasks.values()
        if task["environment"] and task["state"] == "succeeded"
    }


def accuracy(tasks: dict[str, dict[str, Any]]) -> float:
    [metrics] = ran(tasks)["evaluate-model"]["outputs"]["artifacts"]["metrics"]
    return float(metrics["metadata"]["accuracy"])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("flavour", sorted(HOMES))
def test_training_with_each_flavour(flavour: str) -> None:
    """The model is good, made and judged in its flavour's home, between steps in others."""
    tasks = run("training/iris", "--set", f"flavour={flavour}")
    assert {name: task["environment"] for name, task in ran(tasks).items()} == {
        "prepare-data": "sklearn-1-7",
        "train-model": HOMES[flavour],
        "evaluate-model": HOMES[flavour],
        "register-model": "vertex-sdk",
        "notify": "monitoring",
    }
    assert accuracy(tasks) >= ACCURACY
    assert ran(tasks)["train-model"]["outputs"]["parameters"]["flavour"] == flavour


@pytest.mark.timeout(300)
def test_retraining_when_data_has_drifted() -> None:
    """Data that moved away is trained on, by the whole training pipeline, and the end is told."""
    tasks = run("retraining/drifted")
    assert set(ran(tasks)) == {
        "monitor-drift",
        "prepare-data",
        "train-model",
        "evaluate-model",
        "register-model",
        "notify",
    }
    assert accuracy(tasks) >= ACCURACY
    assert ran(tasks)["monitor-drift"]["outputs"]["parameters"]["verdict"] == "drift"


@pytest.mark.timeout(300)
def test_no_retraining_when_data_is_as_it_was() -> None:
    """The branch is skipped, none of it runs, and the end is told all the same."""
    tasks = run("retraining/stable")
    assert set(ran(tasks)) == {"monitor-drift", "notify"}
    [drifted] = [task for task in tasks.values() if task["state"] == "skipped"]
    assert drifted["parent"] == "exit-handler-1"
    assert drifted["reason"] == "its condition does not hold"
    told = ran(tasks)["notify"]["outputs"]["parameters"]
    assert told == {"sent": [], "subject": "retraining: succeeded"}
