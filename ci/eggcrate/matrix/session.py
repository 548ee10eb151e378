"""One run of the matrix: what is asked → grid → images → cells → results."""

from __future__ import annotations

import difflib
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from eggcrate.build.bases import interpreter
from eggcrate.build.engine import build_all
from eggcrate.build.resolve import resolve_all
from eggcrate.errors import ConfigError
from eggcrate.matrix.cells import CellResult, Column, Outcome, homeless, lay_out
from eggcrate.matrix.harness_install import install_harness
from eggcrate.matrix.run import Bench, prove_all
from eggcrate.matrix.stage import staged
from eggcrate.packages.target import Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.engine import BuildResult
    from eggcrate.build.resolve import Resolved
    from eggcrate.build.workshop import Workshop
    from eggcrate.errors import EggcrateError
    from eggcrate.matrix.cells import Cell, Grid
    from eggcrate.repo.monorepo import Monorepo
    from eggcrate.repo.values import Component
    from eggcrate.runtimes.protocol import Runtime


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What to prove; an empty tuple means all."""

    components: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    flavours: tuple[str, ...] = ()

    def includes(self, folder: str) -> bool:
        """Whether a folder such as ``components/predict`` was asked for."""
        kind, _, name = folder.partition("/")
        asked = self.components if kind == "components" else self.environments
        return not asked or name in asked


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
    def seconds(self) -> float:
        """How long all of it took."""
        return self.image_seconds + self.cell_seconds

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


def decide(monorepo: Monorepo, selection: Selection, *, cache: Path | None = None) -> Matrix:
    """Match components with environments, by locks alone; nothing is run or built.

    Args:
        monorepo: what there is.
        selection: what is asked for.
        cache: the user's, to remember what locks give; without it they are read every time.
    """
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
    resolved, failed = resolve_all(
        environments, monorepo.bases, [Platform.of_this_machine()], cache=cache
    )
    columns = [
        Column(
            environment=item.environment.name,
            target=item.recipe.target,
            packages=item.packages,
        )
        for item in resolved
    ]
    grid = lay_out(list(components.values()), columns)
    errors = {
        name: error for name, error in monorepo.broken.items() if selection.includes(name)
    } | {f"environments/{name}": error for name, error in failed.items()}
    whole = not selection.environments and not any("environments/" in name for name in errors)
    alone = homeless(grid) if whole else ()
    settled = {name: item for name, item in components.items() if name not in alone}
    return Matrix(
        components=components,
        resolved=tuple(resolved),
        grid=grid,
        cells=tuple(
            cell
            for cell in grid.cells
            if not selection.flavours or cell.flavour in selection.flavours
        ),
        errors=errors | unfit_defaults(settled, grid, monorepo),
        homeless=alone,
    )


def unfit_defaults(
    components: Mapping[str, Component], grid: Grid, monorepo: Monorepo
) -> dict[str, EggcrateError]:
    """Components whose default environment does not exist or does not hold what they need."""
    unfit: dict[str, EggcrateError] = {}
    fitting = {(cell.component, cell.environment) for cell in grid.cells}
    for name, component in components.items():
        default = component.environment
        where = f"{component.path / 'pyproject.toml'}: environment {default!r}"
        known = default in monorepo.environments or f"environments/{default}" in monorepo.broken
        if default and not known:
            near = difflib.get_close_matches(default, monorepo.environments, n=1)
            hint = f"did you mean {near[0]}?" if near else "name one that `environments/` holds"
            unfit[f"components/{name}"] = ConfigError(f"{where} does not exist", hint=hint)
        elif (name, default) not in fitting:
            reasons = [
                f"{found.cell.row} {found.reason}"
                for found in grid.incompatible
                if (found.cell.component, found.cell.environment) == (name, default)
            ]
            if reasons:  # none when it was not selected or cannot be read
                unfit[f"components/{name}"] = ConfigError(
                    f"{where} does not hold what the component needs",
                    why="; ".join(reasons),
                    hint="name another environment (eggcrate matrix --list shows which fit)",
                )
    return unfit


def carry_out(
    matrix: Matrix,
    *,
    root: Path,
    workshop: Workshop,
    runtime: Runtime,
    limits: Limits,
    built: Callable[[Sequence[BuildResult]], None],
    started: Callable[[Cell], None],
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
        started: told of each cell when it is begun, from any thread.
        proven: told of each result as it comes: how many, of how many, which.
    """
    start = time.monotonic()
    needed = {cell.environment for cell in matrix.cells}
    wanted = [item for item in matrix.resolved if item.environment.name in needed]
    images = build_all(wanted, {}, workshop)
    built(images)
    unbuilt = {image.environment: image.error for image in images if image.error}
    bench = Bench(
        runtime=runtime,
        root=root,
        harness={
            item.environment.name: _harness(item, workshop)
            for item in wanted
            if item.environment.name not in unbuilt
        },
        images={image.environment: image.digest for image in images if image.good},
        unbuilt=unbuilt,
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

    with staged(root / "components", root / ".eggcrate") as components:
        results = prove_all(
            matrix.cells,
            matrix.components,
            replace(bench, root=components.parent),
            workers=limits.workers,
            started=started,
            done=done,
        )
    return Session(
        matrix=matrix,
        images=tuple(images),
        results=(*results, *_not_selected(matrix), *matrix.grid.incompatible),
        image_seconds=ready - start,
        cell_seconds=time.monotonic() - ready,
    )


def _harness(item: Resolved, workshop: Workshop) -> Path:
    compiled = item.environment.compile
    return install_harness(
        item.recipe.target,
        cache=workshop.cache,
        fetch=workshop.fetch,
        python=(lambda: interpreter(item.base, workshop)) if compiled else None,
    )


def _not_selected(matrix: Matrix) -> tuple[CellResult, ...]:
    chosen = set(matrix.cells)
    return tuple(
        CellResult(cell=cell, outcome=Outcome.NOT_SELECTED)
        for cell in matrix.grid.cells
        if cell not in chosen
    )
