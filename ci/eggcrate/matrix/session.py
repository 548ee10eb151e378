"""One run of the matrix: what is asked → grid → images → cells → results."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.build.engine import build_all
from eggcrate.build.resolve import resolve_all
from eggcrate.matrix.cells import Column, homeless, lay_out
from eggcrate.matrix.harness_install import install_harness
from eggcrate.matrix.run import Bench, prove_all
from eggcrate.packages.target import Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.engine import BuildResult
    from eggcrate.build.resolve import Resolved
    from eggcrate.build.workshop import Workshop
    from eggcrate.errors import EggcrateError
    from eggcrate.matrix.cells import Cell, CellResult, Grid
    from eggcrate.repo.monorepo import Monorepo
    from eggcrate.repo.values import Component
    from eggcrate.runtimes.protocol import Runtime

PLATFORM = Platform.parse("linux/amd64")
"""Cells run here, so they run images of this platform."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What to prove; an empty tuple means all."""

    components: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    flavours: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether nothing was left out."""
        return not (self.components or self.environments or self.flavours)


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """What there is to prove, decided before anything is built."""

    components: Mapping[str, Component]
    resolved: tuple[Resolved, ...]
    grid: Grid
    cells: tuple[Cell, ...]
    """Those of the grid that were selected."""
    errors: Mapping[str, EggcrateError]
    """Environments and components that cannot be read or resolved."""
    homeless: tuple[str, ...] = ()
    """Components that no environment satisfies."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """What became of a matrix."""

    matrix: Matrix
    images: tuple[BuildResult, ...]
    results: tuple[CellResult, ...]
    image_seconds: float
    cell_seconds: float

    @property
    def good(self) -> bool:
        """Whether everything that was asked for is proven."""
        return (
            all(result.outcome.good for result in self.results)
            and not self.matrix.errors
            and not self.matrix.homeless
        )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What cells may use unless their component says otherwise."""

    memory: int
    """Bytes."""
    seconds: float
    workers: int
    arguments: tuple[str, ...] = field(default=())
    """Passed on to pytest."""


def decide(monorepo: Monorepo, selection: Selection) -> Matrix:
    """Match components with environments, by locks alone; nothing is run or built."""
    components = {
        name: component
        for name, component in monorepo.components.items()
        if name in selection.components or not selection.components
    }
    environments = {
        name: environment
        for name, environment in monorepo.environments.items()
        if name in selection.environments or not selection.environments
    }
    resolved, failed = resolve_all(environments, monorepo.bases, [PLATFORM])
    columns = [
        Column(
            environment=item.environment.name,
            target=item.recipe.target,
            packages=item.packages,
        )
        for item in resolved
    ]
    grid = lay_out(list(components.values()), columns)
    return Matrix(
        components=components,
        resolved=tuple(resolved),
        grid=grid,
        cells=tuple(
            cell
            for cell in grid.cells
            if not selection.flavours or cell.flavour in selection.flavours
        ),
        errors={**monorepo.broken, **{f"environments/{name}": e for name, e in failed.items()}},
        homeless=homeless(grid) if selection.everything and not failed else (),
    )


def carry_out(
    matrix: Matrix,
    *,
    root: Path,
    workshop: Workshop,
    runtime: Runtime,
    limits: Limits,
    built: Callable[[Sequence[BuildResult]], None],
    proven: Callable[[int, int, CellResult], None],
) -> Session:
    """Build the images that cells need, then prove the cells.

    Args:
        matrix: from :func:`decide`.
        root: the repository.
        workshop: for building.
        runtime: for running.
        limits: what cells may use.
        built: told when the images are there.
        proven: told of each result as it comes: how many, of how many, which.
    """
    start = time.monotonic()
    needed = {cell.environment for cell in matrix.cells}
    wanted = [item for item in matrix.resolved if item.environment.name in needed]
    images = build_all(wanted, {}, workshop)
    built(images)
    bench = Bench(
        runtime=runtime,
        root=root,
        harness={
            item.environment.name: install_harness(
                item.recipe.target, cache=workshop.cache, fetch=workshop.fetch
            )
            for item in wanted
        },
        images={image.environment: image.digest for image in images if image.good},
        unbuilt={image.environment: str(image.error) for image in images if image.error},
        memory=limits.memory,
        seconds=limits.seconds,
        arguments=limits.arguments,
    )
    ready = time.monotonic()
    count = 0

    def done(result: CellResult) -> None:
        nonlocal count
        count += 1
        proven(count, len(matrix.cells), result)

    results = prove_all(matrix.cells, matrix.components, bench, workers=limits.workers, done=done)
    return Session(
        matrix=matrix,
        images=tuple(images),
        results=(*results, *matrix.grid.incompatible),
        image_seconds=ready - start,
        cell_seconds=time.monotonic() - ready,
    )
