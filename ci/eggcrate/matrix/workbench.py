"""The part of a run that runs cells, and what it makes of their results."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from eggcrate.build.bases import interpreter
from eggcrate.errors import EggcrateError
from eggcrate.matrix import images as pictures
from eggcrate.matrix.cells import CellResult, Outcome
from eggcrate.matrix.coverage import coverage_mount
from eggcrate.matrix.harness_install import install_harness
from eggcrate.matrix.keys import cell_key
from eggcrate.matrix.memory import Pass
from eggcrate.matrix.released import Released
from eggcrate.matrix.run import Bench, limits_of, prove_all, reproduce
from eggcrate.matrix.snapshot import Snapshot, has_examples
from eggcrate.matrix.stage import staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from eggcrate.build.engine import BuildResult
    from eggcrate.build.resolve import Resolved
    from eggcrate.build.workshop import Workshop
    from eggcrate.matrix.cells import Cell
    from eggcrate.matrix.memory import Memories
    from eggcrate.matrix.proofs import Program
    from eggcrate.matrix.session import Limits, Matrix
    from eggcrate.packages.target import Target
    from eggcrate.repo.values import Component
    from eggcrate.runtimes.protocol import Runtime

    Further = Callable[[Component, Cell, Bench], Sequence[Program]]


class Watch(Protocol):
    """Told what is under way. The methods about cells may be called from any thread."""

    def built(self, images: Sequence[BuildResult]) -> None:
        """The images are known, and those that were nowhere are built."""

    def planned(self, todo: Sequence[Cell], reused: Sequence[CellResult]) -> None:
        """These cells are to be run, those are remembered."""

    def started(self, cell: Cell) -> None:
        """A cell is begun."""

    def proven(self, result: CellResult) -> None:
        """A cell has ended."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Makes the keys of cells, whose parts are the same for many."""

    matrix: Matrix
    limits: Limits
    harness: Mapping[str, str]
    """Environment to the harness's version."""

    def of(self, cell: Cell, files: Snapshot, image: str) -> str:
        """A cell's key; empty when what it depends on cannot be told."""
        component = self.matrix.components[cell.component]
        try:
            closure = files.whole(component.name)
            before = [self.matrix.everyone[name] for name in files.before(component.name)]
        except EggcrateError:
            return ""
        return cell_key(
            component,
            cell,
            closure=closure,
            image=image,
            harness=self.harness[cell.environment],
            limits=limits_of(component, memory=self.limits.memory, seconds=self.limits.seconds),
            arguments=self.limits.arguments,
            before=[
                limits_of(one, memory=self.limits.memory, seconds=self.limits.seconds)
                for one in before
            ],
        )


def disproves(result: CellResult, before: Pass) -> bool:
    """Whether a result says that what was remembered of the very same cell is not so.

    One that could not be run tells nothing of it, nor does one of files edited meanwhile.
    """
    told_nothing = {Outcome.PASSED, Outcome.BROKEN}
    return result.key == before.key and result.outcome not in told_nothing


def image_name(cell: Cell) -> str:
    """The name that a cell's image has in a registry."""
    return cell.environment.partition("@")[0]


@dataclass(frozen=True, kw_only=True)
class Proving:
    """The part of a run that runs cells."""

    keys: Keys
    files: Snapshot
    images: Mapping[str, BuildResult]
    memory: Memories
    again: Mapping[Cell, Pass]
    durations: Mapping[str, float]
    """Seconds by the cell as text, to begin with the longest."""
    watch: Watch
    root: Path
    coverage: bool = False
    """Have cells tell the lines that ran."""

    def prove(
        self,
        cells: Sequence[Cell],
        columns: Sequence[Resolved | Released],
        *,
        workshop: Workshop,
        runtime: Callable[[], Runtime],
    ) -> tuple[CellResult, ...]:
        """Prove cells; each result is told to the watch, and passes are remembered.

        Args:
            cells: what to prove.
            columns: their environments, and published images.
            workshop: for making the harness.
            runtime: gives what runs them.
        """
        matrix, limits, root = self.keys.matrix, self.keys.limits, self.root
        unreadable = [cell for cell in cells if cell.component in matrix.unreadable]
        settled = [self._unreadable(cell) for cell in unreadable]
        rest = [cell for cell in cells if cell not in set(unreadable)]
        found = pictures.digests(self.images)
        names = {cell.component: None for cell in rest if cell.environment in found}
        staging = {name: matrix.closures[name].files for name in names}
        for name in names:  # what is run is compared with this, so it must be older
            with contextlib.suppress(EggcrateError):
                self.files.whole(name)
        with (
            staged(staging, root, root / ".eggcrate") as stage,
            self._examples(names) as further,
        ):
            bench = Bench(
                runtime=runtime(),
                roots={name: stage / name for name in names},
                harness={
                    name_of(item): harness_of(item, workshop)
                    for item in columns
                    if name_of(item) in found
                },
                images=found,
                unbuilt=pictures.errors(self.images),
                memory=limits.memory,
                seconds=limits.seconds,
                arguments=limits.arguments,
                coverage={
                    name_of(item): coverage_mount(
                        target_of(item), cache=workshop.cache, fetch=workshop.fetch
                    )
                    for item in columns
                    if self.coverage and name_of(item) in found
                },
                further=further,
            )
            final: dict[Cell, CellResult] = {}

            def done(result: CellResult) -> None:
                final[result.cell] = self._settle(self._keyed(result, stage))
                self.watch.proven(final[result.cell])

            prove_all(
                rest,
                matrix.components,
                bench,
                workers=limits.workers,
                started=self.watch.started,
                done=done,
                durations=self.durations,
            )
        return (*settled, *(final[cell] for cell in rest))

    def _examples(self, names: Iterable[str]) -> AbstractContextManager[Further]:
        """What proves cells besides their tests, where any component has examples."""
        matrix = self.keys.matrix
        wanted = [name for name in names if has_examples(matrix.closures[name])]
        if not wanted:
            return contextlib.nullcontext(lambda *_: ())
        return _compiled(wanted, matrix, self.root)

    def _keyed(self, result: CellResult, stage: Path) -> CellResult:
        """The result with its key; without one when files were edited while it was proven.

        What was run is what the stage holds and, compiled from the checkout, what its examples
        run.
        """
        name, matrix = result.cell.component, self.keys.matrix
        try:
            same = matrix.closures[name].digest(stage / name) == self.files.own(name)
            if same and has_examples(matrix.closures[name]):
                same = Snapshot(matrix, self.root).whole(name) == self.files.whole(name)
        except EggcrateError:
            same = False
        key = self.keys.of(result.cell, self.files, result.image) if same and result.image else ""
        return replace(result, key=key)

    def _settle(self, result: CellResult) -> CellResult:
        """Remember a pass; of what did not pass, remember no earlier pass either."""
        name = image_name(result.cell)
        before = self.again.get(result.cell)
        if one := Pass.of(result):
            self.memory.remember([(name, one)])
        elif result.key and result.outcome is not Outcome.BROKEN:  # which tells nothing of it
            self.memory.forget({result.key: name})
        if before and disproves(result, before):
            outcome = Outcome.FAILED if result.outcome.good else result.outcome
            told = f"it was remembered as passed on {before.date[:10]}, and now: {result.reason}"
            result = replace(result, outcome=outcome, reason=told)
        return result

    def _unreadable(self, cell: Cell) -> CellResult:
        error: EggcrateError = self.keys.matrix.unreadable[cell.component]
        result = CellResult(
            cell=cell,
            outcome=Outcome.FAILED,
            reason=error.what,
            output=str(error),
            command=reproduce(cell),
        )
        self.watch.proven(result)
        return result


@contextlib.contextmanager
def _compiled(wanted: Sequence[str], matrix: Matrix, root: Path) -> Iterator[Further]:
    from eggcrate.matrix.examples import examples_of  # noqa: PLC0415 - slow, often not needed

    scratch = root / ".eggcrate"
    with examples_of(wanted, matrix.everyone, root=root, scratch=scratch) as examples:
        yield examples.programs


def name_of(item: Resolved | Released) -> str:
    """The name of a column."""
    return item.column.environment if isinstance(item, Released) else item.environment.name


def target_of(item: Resolved | Released) -> Target:
    """What a column's image is made for."""
    return item.column.target if isinstance(item, Released) else item.recipe.target


def harness_of(item: Resolved | Released, workshop: Workshop) -> Path:
    """The harness for a column's image, made when it is not there.

    It is compiled by the Python of the environment's base, where there is one: that of a
    published image may be another.
    """
    python = None
    if not isinstance(item, Released) and item.environment.compile:
        python = functools.partial(interpreter, item.base, workshop)
    return install_harness(
        target_of(item), cache=workshop.cache, fetch=workshop.fetch, python=python
    )
