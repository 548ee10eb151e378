"""Folders of local runs, with everything in them that a page can show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\x1b[31m"
IMAGE = f"localhost/eggcrate/sklearn-1-5@sha256:{'5a' * 32}"


def task(name: str, /, **told: Any) -> dict[str, Any]:
    """A task that ended well, as the schema has it."""
    plain = {
        "id": name,
        "parent": "",
        "name": name.rpartition("/")[2],
        "component": f"comp-{name.rpartition('/')[2]}",
        "kind": "container",
        "state": "succeeded",
        "reason": "",
        "needs": [],
        "image": IMAGE,
        "environment": "sklearn-1-5",
        "seconds": 3.2,
        "attempts": 1,
        "reused_from": "",
        "inputs": {"parameters": {"seed": 0}, "artifacts": {}},
        "outputs": {"parameters": {}, "artifacts": {}},
        "log": "",
    }
    return plain | told


def artifact(kind: str, path: str, **metadata: Any) -> dict[str, Any]:
    return {
        "name": path.rpartition("/")[2],
        "type": f"system.{kind}",
        "path": path,
        "uri": path,
        "metadata": metadata,
    }


def document(*tasks: dict[str, Any], **told: Any) -> dict[str, Any]:
    return {
        "schema": "eggcrate.run/1",
        "pipeline": "training",
        "run": "20261126-120301-7f3a",
        "project": "iris",
        "stage": "",
        "runtime": "sandbox",
        "state": "succeeded",
        "started": "2026-11-26T12:03:01Z",
        "seconds": 12.3,
        "parameters": {"source": "data/iris.csv", "seed": 0},
        "outputs": {"parameters": {}, "artifacts": {}},
        "tasks": list(tasks),
    } | told


def write_run(folder: Path, told: dict[str, Any], files: dict[str, str] | None = None) -> Path:
    for name, text in {"run.json": json.dumps(told), **(files or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def metrics(accuracy: float) -> dict[str, Any]:
    return {
        "metrics": [artifact("Metrics", "artifacts/evaluate/metrics", accuracy=accuracy, rows=30)]
    }


def with_everything(runs: Path) -> Path:
    """A run with each kind of task, state and artifact, and two runs before it."""
    for number, accuracy in ((1, 0.91), (2, 0.95)):
        earlier = document(
            task("evaluate", outputs={"parameters": {}, "artifacts": metrics(accuracy)}),
            run=f"2026112{number}-100000-aaaa",
            started=f"2026-11-2{number}T10:00:00Z",
        )
        write_run(runs / f"run-{number}", earlier)
    curve = [
        {"confidenceThreshold": 1 - x / 10, "falsePositiveRate": (x / 10) ** 2, "recall": x / 10}
        for x in range(11)
    ]
    curve = [one | {"recall": min(1.0, one["recall"] * 1.4)} for one in curve]
    confusion = {
        "annotationSpecs": [
            {"displayName": name} for name in ("setosa", "versicolor", "virginica")
        ],
        "rows": [{"row": [10, 0, 0]}, {"row": [0, 8, 2]}, {"row": [0, 1, 9]}],
    }
    classes = {"confidenceMetrics": curve, "confusionMatrix": confusion}
    slices = [{"slice": "north", "sliceClassificationMetrics": {"confusionMatrix": confusion}}]
    evaluated = metrics(0.966666) | {
        "classes": [artifact("ClassificationMetrics", "artifacts/evaluate/classes", **classes)],
        "slices": [
            artifact(
                "SlicedClassificationMetrics", "artifacts/evaluate/slices", evaluationSlices=slices
            )
        ],
        "page": [artifact("HTML", "artifacts/evaluate/page")],
        "notes": [artifact("Markdown", "artifacts/evaluate/notes")],
    }
    model = {"model": [artifact("Model", "artifacts/train-model/model", framework="sklearn")]}
    data = {"data": [artifact("Dataset", "artifacts/prepare-data/data")]}
    tasks = [
        task("prepare-data", log="tasks/prepare-data/log.txt", seconds=2.4,
             outputs={"parameters": {"rows": 150}, "artifacts": data}),
        task("for-loop-1", kind="pipeline", needs=["prepare-data"], image="", seconds=3.0),
        *(
            one
            for at in range(2)
            for one in (
                task(f"for-loop-1[{at}]", kind="iteration", parent="for-loop-1", image="",
                     name="for-loop-1", seconds=2.9),
                task(f"for-loop-1[{at}]/split", parent=f"for-loop-1[{at}]", seconds=0.9),
                task(f"for-loop-1[{at}]/score-it", parent=f"for-loop-1[{at}]", state="reused",
                     needs=[f"for-loop-1[{at}]/split"], reused_from="20261125-100000-bbbb"),
            )
        ),
        task("train-model", needs=["prepare-data"], environment="xgboost-2", seconds=5.5,
             attempts=2, log="tasks/train-model/log.txt",
             inputs={"parameters": {"seed": 0}, "artifacts": data},
             outputs={"parameters": {}, "artifacts": model}),
        task("evaluate", needs=["train-model", "for-loop-1"], seconds=1.8,
             outputs={"parameters": {"accuracy": 0.966}, "artifacts": evaluated}),
        task("register-model-with-a-name-that-is-long", needs=["evaluate", "prepare-data"],
             state="failed", reason="it ended with exit code 1: the registry said no",
             log="tasks/register/log.txt", seconds=0.7),
        task("notify", needs=["register-model-with-a-name-that-is-long"], state="cancelled",
             reason="register-model failed", seconds=0.0),
        task("folds", kind="pipeline", needs=["prepare-data"], image="", seconds=4.2),
        *(
            task(f"folds[{at}]", kind="iteration", parent="folds", image="", name="folds",
                 state="killed" if at == 7 else "succeeded", seconds=0.4)
            for at in range(12)
        ),
    ]  # fmt: skip
    files = {
        "tasks/prepare-data/log.txt": "reading data/iris.csv\n150 rows\n",
        "tasks/train-model/log.txt": "\x1b[32mepoch 1\x1b[0m\nepoch 2\n" * 40,
        "tasks/register/log.txt": f"{HOSTILE}\nTraceback (most recent call last):\nERROR no\n",
        "artifacts/prepare-data/data": "a,b\n1,2\n",
        "artifacts/train-model/model": "model",
        "artifacts/evaluate/page": "<h1 style='color:teal'>Report</h1><p>All <b>well</b>.</p>"
        "<script>parent.document.title='owned'</script><img src='file:///etc/hostname'>",
        "artifacts/evaluate/notes": "# Notes\n\n- <b>not bold</b>\n",
    }
    return write_run(runs / "run-3", document(*tasks, state="failed"), files)
