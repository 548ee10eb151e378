"""How much a pipeline weighs where Kubeflow keeps it: all of a run in one object of Kubernetes.

Kubeflow makes an Argo workflow of a pipeline. In it each executor stands once; and of each task
that has run, its state holds the container four times more: as the driver was given it, as the
driver's patch of the pod, and as that is handed on twice. Argo compresses the state, and then
writes it in Base64: code that is deflated and in Base64 already gets no smaller by it.
See ``docs/decisions/0011-code-that-travels.md``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.errors import CompileError
from eggcrate.progress import human_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eggcrate.pipelines.compiled_file import CompiledPipeline

WORKFLOW = 1 << 20
"""Bytes that Argo Workflows takes of a workflow with its state: ``MAX_WORKFLOW_SIZE``."""
OBJECT = 1536 << 10
"""Bytes that etcd takes in a request: ``--max-request-bytes``."""
_COPIES = 4
_HINT = (
    "compile it with --share image, which keeps code out of it, or give the larger components "
    'share="config-map" (docs/how-to-share-code.md); what runs on Vertex AI alone is compiled '
    "--for vertex"
)


@dataclass(frozen=True, kw_only=True)
class Weight:
    """Bytes of a workflow, at least."""

    pipeline: int
    """As it is made."""
    run: int
    """What is added by the tasks of one run; of branches, of which one is taken, the heaviest."""

    @property
    def whole(self) -> int:
        """When it has run."""
        return self.pipeline + self.run


def weigh(pipeline: CompiledPipeline) -> Weight:
    """Tell how much a compiled pipeline weighs."""
    spec = pipeline.spec
    executors = spec["deploymentSpec"].get("executors", {})
    containers = {
        name: _size(executor["container"])
        for name, executor in executors.items()
        if "container" in executor
    }
    heaviest = _heaviest(spec["root"], spec["components"], containers)
    return Weight(pipeline=_size(spec), run=_COPIES * heaviest)


def check_weight(pipeline: CompiledPipeline) -> str:
    """Refuse what Kubeflow cannot keep, and tell of what it may not be able to finish.

    Returns:
        A warning, or nothing.

    Raises:
        CompileError: the pipeline alone is larger than one object of Kubernetes may be.
    """
    weight = weigh(pipeline)
    if weight.pipeline > OBJECT:
        raise CompileError(
            f"{pipeline.name} takes {human_size(weight.pipeline)}, and Kubeflow keeps a pipeline "
            f"in one object of Kubernetes, which may take {human_size(OBJECT)}",
            hint=_HINT,
        )
    if weight.whole <= WORKFLOW:
        return ""
    return (
        f"{pipeline.name}: a run of it on Kubeflow takes about {human_size(weight.whole)} "
        f"({human_size(weight.pipeline)} before it starts), and Argo Workflows stops one of more "
        f"than {human_size(WORKFLOW)} unless it is set up otherwise; {_HINT}"
    )


def _heaviest(
    component: Mapping[str, Any], components: Mapping[str, Any], containers: Mapping[str, int]
) -> int:
    """Bytes of the containers that run at once or one after another, each task's counted."""
    if "dag" not in component:
        return containers.get(component.get("executorLabel", ""), 0)
    always, branches = 0, [0]
    for task in component["dag"]["tasks"].values():
        size = _heaviest(components[task["componentRef"]["name"]], components, containers)
        if task.get("triggerPolicy", {}).get("condition"):
            branches.append(size)
        else:
            always += size
    return always + max(branches)


def _size(value: Mapping[str, Any]) -> int:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
