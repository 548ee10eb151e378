"""Prove cells: run each component's tests inside each compatible image."""

from __future__ import annotations

import concurrent.futures
import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.errors import EggcrateError
from eggcrate.matrix.cells import Cell, CellResult, Outcome
from eggcrate.matrix.judge import judge
from eggcrate.repo.quantities import parse_size
from eggcrate.runtimes.protocol import Command, Limits, Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.repo.values import Component
    from eggcrate.runtimes.protocol import Runtime

PYTHON = "/opt/env/bin/python"
_MEMORY_PER_WORKER = 0.9


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Everything that cells have in common."""

    runtime: Runtime
    root: Path
    """The repository; its ``components/`` are mounted."""
    harness: Mapping[str, Path]
    """Environment to the harness folder for its Python."""
    images: Mapping[str, str]
    """Environment to the manifest digest of its image."""
    unbuilt: Mapping[str, str]
    """Environments whose image could not be built, with the reason."""
    memory: int
    seconds: float
    arguments: tuple[str, ...] = ()
    """Passed on to pytest."""


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
            "/eggcrate/harness/run_cell.py",
            f"/eggcrate/repo/components/{component.name}/tests",
            *bench.arguments,
        ),
        limits=limits_of(component, bench),
        env={
            "EGGCRATE_FLAVOUR": cell.flavour,
            "EGGCRATE_ENVIRONMENT": cell.environment,
            "PYTHONPATH": "/eggcrate/repo",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        mounts=(
            Mount(source=bench.root / "components", target="/eggcrate/repo/components"),
            Mount(source=bench.harness[cell.environment], target="/eggcrate/harness"),
        ),
        network=component.network,
    )


def prove(component: Component, cell: Cell, bench: Bench) -> CellResult:
    """Run one cell. Never raises for what happens in it: that is in the result."""
    if cell.environment in bench.unbuilt:
        return CellResult(
            cell=cell,
            outcome=Outcome.BROKEN,
            reason=f"the image could not be built: {bench.unbuilt[cell.environment]}",
        )
    digest = bench.images[cell.environment]
    command = command_of(component, cell, bench)
    try:
        result = bench.runtime.run(bench.runtime.prepare(digest), command)
    except EggcrateError as error:
        return CellResult(
            cell=cell, outcome=Outcome.BROKEN, reason=error.what, image=digest, output=str(error)
        )
    outcome, reason = judge(result)
    return CellResult(
        cell=cell,
        outcome=outcome,
        reason=reason,
        image=digest,
        seconds=result.seconds,
        memory_peak=result.memory_peak,
        output=result.output,
        command=reproduce(cell),
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
    done: Callable[[CellResult], None],
) -> tuple[CellResult, ...]:
    """Run cells at once, as many as processors and memory allow.

    Args:
        cells: what to prove.
        components: by name.
        bench: what the cells have in common.
        workers: how many processors to use.
        done: told of each result as it comes.
    """
    need = max((limits_of(components[cell.component], bench).memory for cell in cells), default=1)
    workers = max(1, min(workers, int(available_memory() * _MEMORY_PER_WORKER / need)))
    results: dict[Cell, CellResult] = {}
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(prove, components[cell.component], cell, bench) for cell in cells}
        try:
            for future in concurrent.futures.as_completed(futures):
                result = future.result()
                results[result.cell] = result
                done(result)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(results[cell] for cell in cells)


def available_memory() -> int:
    """Bytes of memory that this machine could give to cells now."""
    with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123 - no path to speak of
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
