"""One run of the matrix: images → keys → what is remembered → cells → results."""

from __future__ import annotations

import functools
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.matrix import images as pictures
from eggcrate.matrix.cells import CellResult, Outcome
from eggcrate.matrix.harness_install import harness_version
from eggcrate.matrix.run import reproduce
from eggcrate.matrix.session import Session
from eggcrate.matrix.snapshot import Snapshot
from eggcrate.matrix.workbench import Keys, Proving, disproves, image_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.engine import BuildResult
    from eggcrate.build.workshop import Workshop
    from eggcrate.matrix.cells import Cell
    from eggcrate.matrix.memory import Memories, Pass
    from eggcrate.matrix.session import Limits, Matrix
    from eggcrate.matrix.shared import Link
    from eggcrate.matrix.workbench import Watch
    from eggcrate.runtimes.protocol import Runtime


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a run goes about it."""

    recall: bool = True
    """Take what is remembered as proven."""
    affected: bool = False
    """Leave out what is remembered instead of telling it as reused."""
    prove: int = 0
    """How many remembered cells to run once more."""
    seed: int = 0
    """Chooses which."""
    coverage: bool = False
    """Have cells tell the lines that ran."""
    durations: Mapping[str, float] = field(default_factory=dict)
    """Seconds by the cell as text, to begin with the longest."""


def carry_out(
    matrix: Matrix,
    cells: Sequence[Cell],
    *,
    root: Path,
    workshop: Workshop,
    runtime: Callable[[], Runtime],
    limits: Limits,
    memory: Memories,
    link: Link,
    options: Options | None = None,
    watch: Watch,
) -> Session:
    """Prove cells, but for those that are remembered.

    Args:
        matrix: from :func:`eggcrate.matrix.session.decide`.
        cells: those of its cells to prove.
        root: the repository.
        workshop: for building.
        runtime: gives what runs cells, when any is to be run.
        limits: what cells may use.
        memory: of passes.
        link: to the registry, where images may be published already.
        options: how to go about it.
        watch: told what is under way.
    """
    options = options or Options()
    start = time.monotonic()
    resolved = [item for item in matrix.resolved if item.environment.name in _columns(cells)]
    released = [one for one in matrix.released if one.column.environment in _columns(cells)]
    images = pictures.find_images(resolved, workshop, link)
    images |= pictures.find_released(released, link)
    watch.built(tuple(images.values()))
    ready = time.monotonic()

    keys = Keys(matrix=matrix, limits=limits, harness=harness_versions(matrix))
    files = Snapshot(matrix, root)
    remembered = recall(cells, keys, images, files, memory) if options.recall else {}
    again = _sample(remembered, options)
    todo = [cell for cell in cells if cell not in remembered or cell in again]
    kept = {cell: one for cell, one in remembered.items() if cell not in again}
    reused = [] if options.affected else [one.result(c, reproduce(c)) for c, one in kept.items()]
    watch.planned(todo, reused)

    results = {result.cell: result for result in reused}
    if todo:
        wanted = _columns(todo)
        needed = [item for item in resolved if item.environment.name in wanted]
        older = [one for one in released if one.column.environment in wanted]
        images = pictures.bring(needed, images, workshop, link)
        images = pictures.bring_released(older, images, workshop, link)
        ran = Proving(
            keys=keys,
            files=files,
            images=images,
            memory=memory,
            again=again,
            durations=options.durations,
            watch=watch,
            root=root,
            coverage=options.coverage,
        ).prove(todo, [*needed, *older], workshop=workshop, runtime=runtime)
        results |= {result.cell: result for result in ran}
    memory.share()
    told = [results.get(cell) or _passed_over(cell) for cell in matrix.grid.cells]
    return Session(
        matrix=matrix,
        images=tuple(images.values()),
        results=(*told, *matrix.grid.incompatible),
        image_seconds=ready - start,
        cell_seconds=time.monotonic() - ready,
        disagreements=tuple(
            results[cell] for cell, one in again.items() if disproves(results[cell], one)
        ),
    )


def unproven(
    matrix: Matrix,
    cells: Sequence[Cell],
    *,
    root: Path,
    workshop: Workshop,
    limits: Limits,
    memory: Memories,
    link: Link,
) -> tuple[Cell, ...]:
    """Those of these cells that are not remembered as passed; nothing is built or run.

    The arguments are those of :func:`carry_out`.
    """
    resolved = [item for item in matrix.resolved if item.environment.name in _columns(cells)]
    images = pictures.find_images(resolved, workshop, link, build=False)
    images |= pictures.find_released(matrix.released, link)
    keys = Keys(matrix=matrix, limits=limits, harness=harness_versions(matrix))
    remembered = recall(cells, keys, images, Snapshot(matrix, root), memory)
    return tuple(cell for cell in cells if cell not in remembered)


def harness_versions(matrix: Matrix) -> dict[str, str]:
    """The harness's version for each column; for the same Python it is the same."""
    version = functools.cache(harness_version)
    here = {item.environment.name: version(item.recipe.target) for item in matrix.resolved}
    published = {one.column.environment: version(one.column.target) for one in matrix.released}
    return {**here, **published}


def _columns(cells: Iterable[Cell]) -> set[str]:
    return {cell.environment for cell in cells}


def recall(
    cells: Sequence[Cell],
    keys: Keys,
    images: Mapping[str, BuildResult],
    files: Snapshot,
    memory: Memories,
) -> dict[Cell, Pass]:
    """Those of these cells that are remembered as passed with all that they depend on."""
    wanted: dict[str, list[Cell]] = {}
    for cell in cells:
        image = images.get(cell.environment)
        if image and image.good and (key := keys.of(cell, files, image.digest)):
            wanted.setdefault(key, []).append(cell)
    found = memory.recall({key: image_name(same[0]) for key, same in wanted.items()})
    return {cell: found[key] for key, same in wanted.items() if key in found for cell in same}


def _sample(remembered: Mapping[Cell, Pass], options: Options) -> dict[Cell, Pass]:
    """Remembered cells to be run once more, chosen by the seed."""
    if not options.prove:
        return {}
    everyone = sorted(remembered)
    chosen = random.Random(options.seed).sample(  # noqa: S311 - repeatable, no secret
        everyone, min(options.prove, len(everyone))
    )
    return {cell: remembered[cell] for cell in chosen}


def _passed_over(cell: Cell) -> CellResult:
    return CellResult(cell=cell, outcome=Outcome.NOT_SELECTED)
