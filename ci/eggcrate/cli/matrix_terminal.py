"""Cells proven on this machine, and what a terminal shows meanwhile."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

from eggcrate.build.values import Verdict
from eggcrate.matrix.proving import carry_out
from eggcrate.report.build import summary as build_summary
from eggcrate.report.live import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.build.engine import BuildResult
    from eggcrate.build.workshop import Workshop
    from eggcrate.cli.context import Context
    from eggcrate.cli.matrix_parts import Parts
    from eggcrate.matrix.cells import Cell, CellResult
    from eggcrate.matrix.session import Matrix, Session
    from eggcrate.progress import Progress


def prove(
    matrix: Matrix, cells: Sequence[Cell], context: Context, parts: Parts, shop: Workshop
) -> Session:
    """Prove cells on this machine, and show how that goes on."""
    with contextlib.closing(Terminal(context.progress, matrix.grid.incompatible)) as watch:
        return carry_out(
            matrix,
            cells,
            root=context.root,
            workshop=shop,
            runtime=functools.partial(parts.runtime, tell=watch.runtime),
            limits=parts.limits,
            memory=parts.memory,
            link=parts.link,
            options=parts.options,
            watch=watch,
        )


class Terminal:
    """Tells what is under way and what has ended.

    Args:
        progress: where to.
        incompatible: pairings that are no cells.
    """

    def __init__(self, progress: Progress, incompatible: Sequence[CellResult]) -> None:
        self._progress = progress
        self._incompatible = incompatible
        self._todo = 0
        self._watch: Watch | None = None

    def built(self, images: Sequence[BuildResult]) -> None:
        """Images are there: a table when any is new, else there is nothing to tell."""
        if any(image.verdict is not Verdict.UP_TO_DATE for image in images):
            self._progress.info(f"\n{build_summary(images)}\n")
        else:
            count = len(images)
            self._progress.info(f"{count} image{' is' if count == 1 else 's are'} up to date")

    def planned(self, todo: Sequence[Cell], reused: Sequence[CellResult]) -> None:
        """These cells are to be run, those are remembered."""
        self._todo = len(todo)
        cells = [*todo, *(result.cell for result in reused)]
        self._watch = Watch(self._progress, cells, self._incompatible)
        for result in reused:
            self._watch.proven(result)

    def runtime(self, name: str) -> None:
        """This is where cells run."""
        count = self._todo
        cells = f"{count} cell{'' if count == 1 else 's'}"
        self._progress.info(f"{cells} to prove in the {name} runtime")

    def started(self, cell: Cell) -> None:
        """A cell is begun."""
        if self._watch:
            self._watch.started(cell)

    def proven(self, result: CellResult) -> None:
        """A cell has ended."""
        if self._watch:
            self._watch.proven(result)

    def close(self) -> None:
        """Nothing more comes."""
        if self._watch:
            self._watch.close()
