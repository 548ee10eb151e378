"""Which runs use which images, as a table and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.pipelines.lineage import Kind, digest_in, environment_of
from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.pipelines.lineage import Use

_WHERE = {"here": "here", "vertex": "Vertex AI", "kubeflow": "Kubeflow"}
_SHORT = 19
_TASKS = 3


def lineage_text(uses: Sequence[Use]) -> str:
    """A row for each image of each run, the latest first; then what finds the runs."""
    ordered = sorted(uses, key=lambda one: one.started, reverse=True)
    rows = [
        (
            one.name if one.kind is Kind.RUN else f"schedule {one.name}",
            _WHERE[one.where],
            one.pipeline,
            one.state,
            one.started[:16].replace("T", " "),
            environment_of(image),
            digest_in(image)[:_SHORT] or image.rpartition(":")[2],
            _few(tasks),
        )
        for one in ordered
        for image, tasks in one.images.items()
    ]
    head = ("run", "where", "pipeline", "state", "started", "environment", "digest", "tasks")
    found = "\n".join(
        f"  {one.name}: {one.reference}" for one in ordered if one.name != one.reference
    )
    return f"{table(head, rows)}\n\n{found}"


def lineage_document(uses: Sequence[Use]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "kind": one.kind.value,
            "where": one.where,
            "name": one.name,
            "reference": one.reference,
            "pipeline": one.pipeline,
            "state": one.state,
            "started": one.started,
            "images": [
                {
                    "image": image,
                    "environment": environment_of(image),
                    "digest": digest_in(image),
                    "tasks": list(tasks),
                }
                for image, tasks in one.images.items()
            ],
        }
        for one in uses
    ]


def _few(tasks: Sequence[str]) -> str:
    more = f" and {len(tasks) - _TASKS} more" if len(tasks) > _TASKS else ""
    return ", ".join(tasks[:_TASKS]) + more
