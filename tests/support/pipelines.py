"""A compiled pipeline of three tasks, as `eggcrate compile` writes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.pipelines.compiled_file import CompiledPipeline

if TYPE_CHECKING:
    from pathlib import Path

TASKS = ("prepare-data", "train-model", "evaluate-model")
IMAGE = "registry.invalid/eggs/sklearn@sha256:" + "a" * 64
VOLUMES = {
    "platforms": {
        "kubernetes": {
            "deploymentSpec": {"executors": {"exec-train-model": {"pvcMount": [{"constant": "x"}]}}}
        }
    }
}


def compiled(*, image: str = IMAGE, platform: bool = False, code: str = "pass") -> CompiledPipeline:
    """Tasks that need each other in a row; parameters of three types, ``rows`` without a value."""
    tasks: dict[str, Any] = {}
    for number, name in enumerate(TASKS):
        tasks[name] = {
            "cachingOptions": {"enableCache": True},
            "componentRef": {"name": f"comp-{name}"},
            "taskInfo": {"name": name},
        }
        if number:
            tasks[name]["dependentTasks"] = [TASKS[number - 1]]
    container = {"image": image, "command": ["python", "-c", code], "args": []}
    spec = {
        "components": {f"comp-{name}": {"executorLabel": f"exec-{name}"} for name in TASKS},
        "deploymentSpec": {
            "executors": {f"exec-{name}": {"container": container} for name in TASKS}
        },
        "pipelineInfo": {"name": "train-and-register"},
        "root": {
            "dag": {"tasks": tasks},
            "inputDefinitions": {
                "parameters": {
                    "rows": {"parameterType": "NUMBER_INTEGER"},
                    "target": {"parameterType": "STRING", "defaultValue": "species"},
                    "strict": {"parameterType": "BOOLEAN", "isOptional": True},
                }
            },
        },
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.16.1",
    }
    return CompiledPipeline(spec=spec, platform=VOLUMES if platform else {})


def write(folder: Path, pipeline: CompiledPipeline) -> Path:
    """The compiled file."""
    path = folder / "train.yaml"
    path.write_text(pipeline.text, encoding="utf-8")
    return path
