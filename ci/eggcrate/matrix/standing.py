"""What is proven of a working tree as it is now, without building or running anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.matrix import images as pictures
from eggcrate.matrix.cells import Cell, CellResult, Outcome
from eggcrate.matrix.proving import harness_versions, recall
from eggcrate.matrix.run import reproduce
from eggcrate.matrix.snapshot import Snapshot
from eggcrate.matrix.workbench import Keys
from eggcrate.parsing import json_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eggcrate.build.workshop import Workshop
    from eggcrate.matrix.memory import Memories
    from eggcrate.matrix.session import Limits, Matrix
    from eggcrate.matrix.shared import Link


@dataclass(frozen=True, kw_only=True)
class LastRun:
    """What the last run of the matrix left in ``matrix.json``."""

    cells: Mapping[Cell, CellResult]
    images: Mapping[str, tuple[str, str]]
    """Column to key and digest of its image."""


NO_RUN = LastRun(cells={}, images={})


def read_last_run(path: Path) -> LastRun:
    """Read a ``matrix.json``; nothing when there is none that is whole."""
    try:
        document = json_of(path.read_bytes())
        results = [_result(item) for item in document["cells"]]
        return LastRun(
            cells={result.cell: result for result in results},
            images={
                str(item["name"]): (str(item.get("key", "")), str(item["digest"]))
                for item in document["images"]
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return NO_RUN


def _result(item: Mapping[str, Any]) -> CellResult:
    return CellResult(
        cell=Cell(
            component=str(item["component"]),
            flavour=str(item["flavour"]),
            environment=str(item["environment"]),
        ),
        outcome=Outcome(item["outcome"]),
        reason=str(item["reason"]),
        image=str(item["image"]),
        seconds=float(item["seconds"]),
        command=str(item["command"]),
        key=str(item["key"]),
    )


def standing(
    matrix: Matrix,
    last: LastRun,
    *,
    root: Path,
    workshop: Workshop,
    limits: Limits,
    memory: Memories,
    link: Link,
) -> tuple[CellResult, ...]:
    """Where each cell stands as it is now: proven by the last run or one before, or not yet.

    A result counts when nothing that it depends on has changed since, by its key. Of a cell that
    is not proven the outcome is ``not-selected``.

    Args:
        matrix: what there is to prove.
        last: what the last run left.
        root: the repository.
        workshop: tells which images are in the store.
        limits: what cells may use.
        memory: of passes.
        link: to the registry.
    """
    images = pictures.find_images(matrix.resolved, workshop, link, build=False)
    images |= pictures.find_released(matrix.released, link)
    digests = {**_told(matrix, last), **pictures.digests(images)}
    keys = Keys(matrix=matrix, limits=limits, harness=harness_versions(matrix))
    files = Snapshot(matrix, root)
    remembered = recall(matrix.cells, keys, images, files, memory)
    found = []
    for cell in matrix.cells:
        told = last.cells.get(cell)
        digest = digests.get(cell.environment, "")
        if (
            told is not None
            and told.outcome is not Outcome.NOT_SELECTED
            and digest
            and told.key == keys.of(cell, files, digest)
        ):
            found.append(told)
        elif cell in remembered:
            found.append(remembered[cell].result(cell, reproduce(cell)))
        else:
            found.append(
                CellResult(cell=cell, outcome=Outcome.NOT_SELECTED, command=reproduce(cell))
            )
    return tuple(found)


def _told(matrix: Matrix, last: LastRun) -> dict[str, str]:
    """Digests of images that another machine made, as its ``matrix.json`` tells by their keys."""
    keys = {item.environment.name: item.recipe.key for item in matrix.resolved}
    return {
        name: digest
        for name, (key, digest) in last.images.items()
        if key and digest and keys.get(name) == key
    }
