"""The weight of a pipeline where Kubeflow keeps it: what runs counts, by the limits of others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.errors import CompileError
from eggcrate.pipelines.compiled_file import CompiledPipeline
from eggcrate.pipelines.weight import OBJECT, WORKFLOW, check_weight, weigh


def task(component: str, *, condition: str = "") -> dict[str, Any]:
    trigger = {"triggerPolicy": {"condition": condition}} if condition else {}
    return {"componentRef": {"name": component}, **trigger}


def pipeline(
    sizes: dict[str, int], tasks: dict[str, Any], **groups: dict[str, Any]
) -> CompiledPipeline:
    """A pipeline whose containers' commands have these sizes; ``groups`` are tasks by component."""
    executors = {
        f"exec-{name}": {"container": {"command": ["x" * size]}} for name, size in sizes.items()
    }
    executors["exec-importer"] = {"importer": {"artifactUri": {}}}
    components: dict[str, Any] = {
        name: {"executorLabel": f"exec-{name}"} for name in [*sizes, "importer"]
    }
    components |= {name: {"dag": {"tasks": held}} for name, held in groups.items()}
    return CompiledPipeline(
        spec={
            "pipelineInfo": {"name": "heavy"},
            "deploymentSpec": {"executors": executors},
            "components": components,
            "root": {"dag": {"tasks": tasks}},
        }
    )


@given(sizes=st.lists(st.integers(0, 999), min_size=1, max_size=5))
def test_each_task_adds_its_container_four_times(sizes: list[int]) -> None:
    """One executor for two tasks is in the pipeline once, and twice in its run."""
    named = {f"c{at}": size for at, size in enumerate(sizes)}
    tasks = {f"{name}-{at}": task(name) for name in named for at in range(2)}
    made = pipeline(named, {**tasks, "importer": task("importer")})
    found = weigh(made)
    each = len('{"command":[""]}')
    assert found.run == 4 * 2 * sum(size + each for size in sizes)
    assert found.pipeline == len(json.dumps(made.spec, separators=(",", ":")))
    assert found.whole == found.pipeline + found.run


def test_of_branches_the_heaviest_counts() -> None:
    """However deep they are; what is beside them counts always."""
    branches = {"one": task("small", condition="a"), "two": task("inner", condition="!a")}
    made = pipeline(
        {"small": 100, "large": 1000},
        {"first": task("small"), "choice": task("outer")},
        outer=branches,
        inner={"deep": task("large")},
    )
    alone = pipeline({"small": 100, "large": 1000}, {"a": task("small"), "b": task("large")})
    assert weigh(made).run == weigh(alone).run


def test_a_run_that_grows_too_large_is_warned_of() -> None:
    """Just within Argo's limit nothing is said; the warning names both sizes and the way out."""
    within = pipeline({"a": WORKFLOW // 5 - 200}, {"a": task("a")})
    assert weigh(within).whole <= WORKFLOW
    assert check_weight(within) == ""
    beyond = pipeline({"a": WORKFLOW // 5 + 1}, {"a": task("a")})
    told = check_weight(beyond)
    assert told.startswith("heavy: a run of it on Kubeflow takes about 1.0 MB (210.")
    assert "--share image" in told


def test_a_pipeline_that_cannot_be_kept_is_refused() -> None:
    """What runs of it does not matter then."""
    made = pipeline({"a": OBJECT // 2, "b": OBJECT // 2}, {"a": task("a", condition="never")})
    with pytest.raises(CompileError, match=r"heavy takes 1\.6 MB, and Kubeflow") as caught:
        check_weight(made)
    assert "--for vertex" in caught.value.hint
