"""Prove cells: run each component's tests inside each compatible image."""

from __future__ import annotations

import concurrent.futures
import os
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.errors import EggcrateError
from eggcrate.matrix.cells import Cell, CellResult, Outcome
from eggcrate.matrix.harness_install import INSIDE
from eggcrate.matrix.judge import judge
from eggcrate.repo.quantities import parse_size
from eggcrate.runtimes.protocol import Command, Limits, Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.repo.values import Component
    from eggcrate.runtimes.protocol import Runtime

PYTHON = "/opt/env/bin/python"
_INSIDE = "/eggcrate/repo/"
"""Where a cell sees the repository."""
_MEMORY_PER_WORKER = 0.9


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Everything that cells have in common."""

    runtime: Runtime
    root: Path
    """Holds ``components/``, which is mounted."""
    harness: Mapping[str, Path]
    """Environment to the harness folder for its Python."""
    images: Mapping[str, str]
    """Environment to the manifest digest of its image."""
    unbuilt: Mapping[str, EggcrateError]
    """Environments whose image could not be built, with the reason."""
    memory: int
    seconds: float
    arguments: tuple[str, ...] = ()
    """Passed on to pytest."""
    threads: int = 1
    """Processors for each cell that runs at once."""


def limits_of(component: Component, bench: Bench) -> Limits:
    """The component's own limits, else the settings'."""
    return Limits(
        memory=parse_size(component.memory) if component.memory else bench.memory,
        seconds=component.timeout or bench.seconds,
    )


def command_of(component: Component, cell: Cell, bench: Bench) -> Command:
    """The command that proves a cell."""
    return Command(
        argv=(
            PYTHON,
            f"{INSIDE}/run_cell.py",
            f"{_INSIDE}components/{component.name}/tests",
            *bench.arguments,
        ),
        limits=limits_of(component, bench),
        env={
            "EGGCRATE_FLAVOUR": cell.flavour,
            "EGGCRATE_ENVIRONMENT": cell.environment,
            "PYTHONPATH": "/eggcrate/repo",
            "PYTHONDONTWRITEBYTECODE": "1",
            # OpenMP's threads spin while they wait: with more of them than processors, cells
            # side by side took ten times as long.
            "OMP_NUM_THREADS": str(bench.threads),
        },
        mounts=(
            Mount(source=bench.root / "components", target=f"{_INSIDE}components"),
            Mount(source=bench.harness[cell.environment], target=INSIDE),
        ),
        network=component.network,
    )


def prove(component: Component, cell: Cell, bench: Bench) -> CellResult:
    """Run one cell. Never raises for what happens in it: that is in the result."""
    told = CellResult(cell=cell, outcome=Outcome.BROKEN, command=reproduce(cell))
    if error := bench.unbuilt.get(cell.environment):
        return replace(told, reason=f"its image could not be built: {error.what}")
    told = replace(told, image=bench.images[cell.environment])
    if not component.tests_path.is_dir():
        return replace(told, outcome=Outcome.FAILED, reason="it has no tests folder")
    command = command_of(component, cell, bench)
    try:
        result = bench.runtime.run(bench.runtime.prepare(told.image), command)
    except EggcrateError as error:
        return replace(told, reason=error.what, output=str(error))
    outcome, reason = judge(result, arguments=bench.arguments)
    return replace(
        told,
        outcome=outcome,
        reason=reason,
        seconds=result.seconds,
        memory_peak=result.memory_peak,
        output=result.output.replace(_INSIDE, ""),  # paths as the checkout has them
    )


def reproduce(cell: Cell) -> str:
    """The command line that runs this cell alone."""
    argv = ["eggcrate", "matrix", "--component", cell.component, "--environment", cell.environment]
    if cell.flavour:
        argv += ["--flavour", cell.flavour]
    return shlex.join(argv)


def prove_all(
    cells: Sequence[Cell],
    components: Mapping[str, Component],
    bench: Bench,
    *,
    workers: int,
    started: Callable[[Cell], None],
    done: Callable[[CellResult], None],
) -> tuple[CellResult, ...]:
    """Run cells at once, as many as processors and memory allow.

    Args:
        cells: what to prove.
        components: by name.
        bench: what the cells have in common.
        workers: how many processors to use.
        started: told of each cell when it is begun, from any thread.
        done: told of each result as it comes.

    When the caller is interrupted, everything that runs is ended.
    """
    need = max((limits_of(components[cell.component], bench).memory for cell in cells), default=1)
    slots = max(1, min(workers, int(available_memory() * _MEMORY_PER_WORKER / need)))
    bench = replace(bench, threads=max(1, workers // slots))
    results: dict[Cell, CellResult] = {}

    def one(cell: Cell) -> CellResult:
        started(cell)
        return prove(components[cell.component], cell, bench)

    with concurrent.futures.ThreadPoolExecutor(slots) as pool:
        futures = [pool.submit(one, cell) for cell in cells]
        try:
            for future in concurrent.futures.as_completed(futures):
                result = future.result()
                results[result.cell] = result
                done(result)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            bench.runtime.close()
            raise
    return tuple(results[cell] for cell in cells)


def available_memory() -> int:
    """Bytes of memory that this machine could give to cells now."""
    with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123 - no path to speak of
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
