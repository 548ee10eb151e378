"""The second proof of a cell: the component run as compiled, with its examples.

The command is the one Kubeflow would run, in the image that it would run it in, with inputs and
outputs where its launcher would put them. An example may take an artifact from another
component's example; that one is run first, in the same image, once for all cells there.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shutil
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import ConfigError, EggcrateError, TaskOutputError
from eggcrate.files import remove_tree
from eggcrate.matrix.cells import Outcome
from eggcrate.matrix.example_file import (
    read_examples,
    upstream_components,
    upstream_of,
    with_flavour,
)
from eggcrate.matrix.example_server import served
from eggcrate.matrix.example_task import EndedBadly, beside, noting, read, taken, telling
from eggcrate.matrix.expectations import disagreements
from eggcrate.matrix.keys import sources_digest
from eggcrate.matrix.proofs import Program, carry_out
from eggcrate.matrix.run import limits_of
from eggcrate.pipelines.bundle import boot_program
from eggcrate.pipelines.compile import compile_components
from eggcrate.pipelines.executor import executor_version
from eggcrate.pipelines.run import InputArtifact, make_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from eggcrate.matrix.cells import Cell
    from eggcrate.matrix.example_file import Example, Upstream
    from eggcrate.matrix.run import Bench
    from eggcrate.pipelines.compile import Compiled
    from eggcrate.pipelines.outputs import Outputs
    from eggcrate.pipelines.run import Task
    from eggcrate.repo.values import Component
    from eggcrate.runtimes.protocol import Limits, Result

VERSION = 2
"""Raised whenever an example would be run or judged in another way, by a change that none of
:data:`JUDGES` shows."""
JUDGES = (
    *(f"matrix.{name}" for name in ("example_file", "example_server", "example_task")),
    *(f"matrix.{name}" for name in ("examples", "expectations")),
    *(f"matrix.{name}" for name in ("judge", "proofs", "run")),
    *(f"pipelines.{name}" for name in ("absent", "authoring", "boot", "bundle", "code")),
    *(f"pipelines.{name}" for name in ("compile", "executor", "inside", "kfp_component")),
    *(f"pipelines.{name}" for name in ("launch", "open_task", "outputs", "reading", "run")),
    "pipelines.worker",
)
"""Modules that decide what an example runs, and what its ending means."""
_TESTS = ".tests"
_TOLD = 20_000
"""Characters of another program's output that are passed on."""


@functools.cache
def examples_version() -> str:
    """Identity of all that runs examples beside the component's own files; part of a cell's key.

    Raises:
        CompileError: kfp is not installed.
    """
    parts = f"{VERSION}\0{boot_program()}\0{executor_version()}\0{sources_digest(_judges())}"
    return hashlib.sha256(parts.encode()).hexdigest()


def _judges() -> list[Path]:
    room = Path(__file__).parent.parent
    return [room.joinpath(*name.split(".")).with_suffix(".py") for name in JUDGES]


@contextlib.contextmanager
def examples_of(
    wanted: Iterable[str], components: Mapping[str, Component], *, root: Path, scratch: Path
) -> Iterator[Examples]:
    """Everything that the cells of a run need for their examples, for the length of the block.

    Components are compiled in the background meanwhile, so enter it before images are built.

    Args:
        wanted: names of the components whose cells are to be proven.
        components: all there are, by name: some examples begin with another component's.
        root: the repository; read when the block is entered, and not again.
        scratch: a folder on the same machine that may hold what tasks are given and give.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=scratch, prefix="examples."))
    try:
        with ThreadPoolExecutor(1) as pool:
            yield Examples(tuple(wanted), components, root=root, folder=folder, pool=pool)
    finally:
        remove_tree(folder)


class Examples:
    """The examples of the components of a run; made by :func:`examples_of`."""

    def __init__(
        self,
        wanted: Sequence[str],
        components: Mapping[str, Component],
        *,
        root: Path,
        folder: Path,
        pool: ThreadPoolExecutor,
        compiler: Callable[
            [Sequence[Component], Path], Mapping[str, Compiled | EggcrateError]
        ] = compile_components,
    ) -> None:
        self._components = components
        self._folder = folder
        self._lock = threading.Lock()
        self._made: dict[tuple[str, ...], Future[Outputs]] = {}
        self._read: dict[str, tuple[Example, ...] | EggcrateError] = {}
        for name in wanted:
            try:
                upstream = upstream_components(components[name], components, root)
            except ConfigError as error:  # a circle
                self._read[name] = error
                continue
            for each in (name, *upstream):
                self._take(each, root)
        needed = [components[name] for name, found in self._read.items() if _any(found)]
        self._compiled = pool.submit(compiler, needed, root)

    def programs(self, component: Component, cell: Cell, bench: Bench) -> tuple[Program, ...]:
        """What proves a cell besides its tests: a program for each example that is for it.

        What cannot be run (an example that is not valid, a component that cannot be compiled, an
        input that another component did not give) is a program that fails and tells why.
        """
        found = self._read.get(component.name, ())
        if isinstance(found, EggcrateError):
            return (telling("examples", found, _limits(component, bench)),)
        fit = [one for one in found if not one.flavours or cell.flavour in one.flavours]
        if found and not fit:
            name = f"examples: none is for flavour {cell.flavour or 'none'}"
            return (noting(name, _limits(component, bench)),)
        return tuple(self._program(example, cell, bench) for example in fit)

    def _take(self, name: str, root: Path) -> None:
        """Read a component's examples and copy their files: plain modes, and safe from edits."""
        if name in self._read:
            return
        try:
            found = read_examples(self._components[name], root)
            self._read[name] = tuple(self._copied(example) for example in found)
        except EggcrateError as error:
            self._read[name] = error

    def _copied(self, example: Example) -> Example:
        target = self._folder / "files" / example.component / example.name
        try:
            shutil.copytree(example.path, target, copy_function=shutil.copyfile)
            if example.serve:  # into the copy's own folder, so that it has no other reader
                tests = example.path.parent.parent / "tests"
                shutil.copytree(tests, target / _TESTS, copy_function=shutil.copyfile)
        except OSError as error:
            raise ConfigError(f"the files of example {example} cannot be read: {error}") from error
        for path in (target, *target.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return replace(example, path=target)

    def _program(self, example: Example, cell: Cell, bench: Bench) -> Program:
        component = self._components[example.component]
        name = f"example {example.name}"
        try:
            task = self._task(example, cell, bench)
        except EggcrateError as error:
            return telling(name, error, _limits(component, bench))
        except Exception as error:  # whatever it is: one odd value must not end all other cells
            what = f"{example} cannot be run: {type(error).__name__}: {error}"
            return telling(name, ConfigError(what), _limits(component, bench))
        wanted = with_flavour(dict(example.expect), self._flavour(example, cell))

        def judged(result: Result) -> tuple[Outcome, str]:
            try:
                found = disagreements(read(result, task), wanted, example.path)
                return (Outcome.FAILED, "; ".join(found)) if found else (Outcome.PASSED, "")
            except EndedBadly as error:
                return error.outcome, error.reason
            finally:  # another attempt begins with an empty folder
                _empty(task.folder)

        return Program(name=name, command=task.command, judge=judged)

    def _task(self, example: Example, cell: Cell, bench: Bench) -> Task:
        """Put an example's task together; what it takes from others is made first.

        Raises:
            EggcrateError: it cannot be.
        """
        component = self._components[example.component]
        compiled = self._compiled.result()[component.name]
        if isinstance(compiled, EggcrateError):
            raise compiled
        parameters, artifacts = self._inputs(example, compiled, cell, bench)
        task = make_task(
            compiled,
            parameters=parameters,
            artifacts=artifacts,
            folder=Path(tempfile.mkdtemp(dir=self._folder, prefix="outputs.")),
            limits=_limits(component, bench),
            env={"OMP_NUM_THREADS": str(bench.threads), **component.env},
            network=component.network,
        )
        if not example.serve:
            return task
        command = served(task.command, example.path / _TESTS, example.serve)
        return replace(task, command=command)

    def _inputs(
        self, example: Example, compiled: Compiled, cell: Cell, bench: Bench
    ) -> tuple[dict[str, object], dict[str, InputArtifact]]:
        known = compiled.definition.get("inputDefinitions", {}).get("artifacts", {})
        flavour = self._flavour(example, cell)
        parameters: dict[str, object] = {}
        artifacts: dict[str, InputArtifact] = {}
        for name, value in with_flavour(dict(example.inputs), flavour).items():
            if name not in known:
                parameters[name] = value
            elif (origin := upstream_of(value)) is not None:
                outputs = self._given(origin, example, cell, bench)
                artifacts[name] = taken(outputs, origin, example)
            else:
                artifacts[name] = beside(example, name, value)
        return parameters, artifacts

    def _given(self, origin: Upstream, example: Example, cell: Cell, bench: Bench) -> Outputs:
        """What another example gives in this cell's image: made once, by whoever needs it first.

        Raises:
            EggcrateError: there is no such example, or it failed.
        """
        found = self._read.get(origin.component, ())
        if isinstance(found, EggcrateError):
            raise found
        other = next((item for item in found if item.name == origin.case), None)
        if other is None:
            raise ConfigError(
                f"{example}: there is no example {origin.component}/{origin.case}",
                hint=f"there are: {', '.join(map(str, found)) or 'none'}",
            )
        key = (str(other), self._flavour(other, cell), bench.images[cell.environment])
        with self._lock:
            mine = key not in self._made
            future = self._made.setdefault(key, Future())
        if mine:
            try:
                future.set_result(self._make(other, cell, bench))
            except BaseException as error:
                with self._lock:  # another attempt may do better
                    del self._made[key]
                future.set_exception(error)
        return future.result()

    def _make(self, example: Example, cell: Cell, bench: Bench) -> Outputs:
        """Run an example for what it gives."""
        task = self._task(example, cell, bench)
        given: list[Outputs] = []

        def judged(result: Result) -> tuple[Outcome, str]:
            try:
                given.append(read(result, task))
            except EndedBadly as error:
                return error.outcome, error.reason
            return Outcome.PASSED, ""

        program = Program(name=f"example {example}", command=task.command, judge=judged)
        image = bench.runtime.prepare(bench.images[cell.environment])
        proof = carry_out(program, image, bench.runtime)
        if not given:
            raise TaskOutputError(
                f"the example {example}, which it begins with, failed: {proof.reason}",
                why=proof.output[-_TOLD:],
            )
        return given[0]

    def _flavour(self, example: Example, cell: Cell) -> str:
        known = self._components[example.component].flavours
        return cell.flavour if cell.flavour in known else ""


def _empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.chmod(0o700)  # whatever mode a task gave it
    remove_tree(folder)
    folder.mkdir(exist_ok=True)


def _any(found: tuple[Example, ...] | EggcrateError) -> bool:
    return isinstance(found, tuple) and bool(found)


def _limits(component: Component, bench: Bench) -> Limits:
    return limits_of(component, memory=bench.memory, seconds=bench.seconds)
