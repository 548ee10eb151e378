"""Prove cells: run each component's tests, and its examples, inside each compatible image."""

from __future__ import annotations

import concurrent.futures
import functools
import shlex
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eggcrate.errors import EggcrateError, SignatureError
from eggcrate.matrix.budget import Budget, for_cells, side_by_side
from eggcrate.matrix.cells import Cell, CellResult, Outcome
from eggcrate.matrix.harness.mounted.run_cell import HARNESS, REPO
from eggcrate.matrix.judge import judge
from eggcrate.matrix.keys import told
from eggcrate.matrix.proofs import Program, carry_out, first_bad, log
from eggcrate.repo.quantities import parse_size
from eggcrate.runtimes.protocol import Command, Limits, Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.matrix.cells import Proof
    from eggcrate.repo.values import Component
    from eggcrate.runtimes.protocol import Runtime

PYTHON = "/opt/env/bin/python"
_SCRATCH = 2 << 30
_AGAIN = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.KILLED})
"""What may end otherwise when it is tried again: a broken image does not."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Everything that cells have in common."""

    runtime: Runtime
    roots: Mapping[str, Path]
    """Component to the folder that holds its files, as the repository does; it is mounted."""
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
    coverage: Mapping[str, Mount] = field(default_factory=dict)
    """Environment to what makes its cells tell the lines that ran, when that is asked for."""
    threads: int = 1
    """Processors for each cell that runs at once."""
    further: Callable[[Component, Cell, Bench], Sequence[Program]] = field(
        default=lambda *_: (), compare=False
    )
    """What else proves a cell, besides its tests."""


def limits_of(component: Component, *, memory: int, seconds: float) -> Limits:
    """The component's own limits, else the settings'.

    Files in the scratch folder are memory: it is full, with an error that says so, before they
    alone would be more memory than there may be.
    """
    most = parse_size(component.memory) if component.memory else memory
    return Limits(
        memory=most, seconds=component.timeout or seconds, scratch=min(_SCRATCH, most // 2)
    )


def command_of(
    component: Component, cell: Cell, bench: Bench, argv: tuple[str, ...] = ()
) -> Command:
    """The command that runs a cell's tests, or another one in the same place."""
    tests = (
        PYTHON,
        f"{HARNESS}/run_cell.py",
        f"{REPO}/components/{component.name}/tests",
        *bench.arguments,
    )
    return Command(
        argv=argv or tests,
        limits=limits_of(component, memory=bench.memory, seconds=bench.seconds),
        env={
            **component.env,
            **told(cell),
            "PYTHONPATH": REPO,
            "PYTHONDONTWRITEBYTECODE": "1",
            # OpenMP's threads spin while they wait: with more of them than processors, cells
            # side by side took ten times as long.
            "OMP_NUM_THREADS": component.env.get("OMP_NUM_THREADS", str(bench.threads)),
        },
        mounts=(
            Mount(source=bench.roots[component.name], target=REPO),
            Mount(source=bench.harness[cell.environment], target=HARNESS),
            *(one for name, one in bench.coverage.items() if name == cell.environment),
        ),
        network=component.network,
    )


def tests_of(component: Component, cell: Cell, bench: Bench) -> Program:
    """The program that runs a cell's tests."""
    return Program(
        name="tests",
        command=command_of(component, cell, bench),
        judge=functools.partial(judge, arguments=bench.arguments),
    )


def prove(component: Component, cell: Cell, bench: Bench) -> CellResult:
    """Prove one cell. Never raises for what happens in it: that is in the result."""
    found = CellResult(
        cell=cell,
        outcome=Outcome.BROKEN,
        command=reproduce(cell),
        date=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        runtime=bench.runtime.name,
    )
    error = bench.unbuilt.get(cell.environment)
    if isinstance(error, SignatureError):
        return replace(found, reason=f"its image is not used: {error.what} ({error.why})")
    if error:
        return replace(found, reason=f"its image could not be built: {error.what}")
    found = replace(found, image=bench.images[cell.environment])
    if not component.tests_path.is_dir():
        return replace(found, outcome=Outcome.FAILED, reason="it has no tests folder")
    try:
        image = bench.runtime.prepare(found.image)
    except EggcrateError as error:
        return replace(found, reason=error.what, output=str(error))
    attempts: list[tuple[Proof, ...]] = []
    for _ in range(1 + component.retries):
        tests = carry_out(tests_of(component, cell, bench), image, bench.runtime)
        further = (
            carry_out(program, image, bench.runtime)
            for program in bench.further(component, cell, bench)
        )
        attempts.append((tests, *further))
        bad = first_bad(attempts[-1])
        if bad is None or bad.outcome not in _AGAIN:
            break
    return concluded(found, attempts, allowed=1 + component.retries)


def concluded(
    found: CellResult, attempts: Sequence[tuple[Proof, ...]], *, allowed: int
) -> CellResult:
    """The result that attempts at a cell come to.

    Args:
        found: what is known of the cell already.
        attempts: the proofs of each, in order; at least one.
        allowed: how many there may have been.
    """
    every = [proof for proofs in attempts for proof in proofs]
    number = len(attempts)
    bad = first_bad(attempts[-1])
    if bad is None and number == 1:
        outcome, reason = Outcome.PASSED, ""
    elif bad is None:
        before = first_bad(attempts[-2])
        why = before.reason if before else ""
        outcome = Outcome.FLAKY
        reason = f"it passed in attempt {number} of {allowed}; before: {why}"
    else:
        outcome, reason = bad.outcome, bad.reason
        if bad.name != "tests":
            reason = f"{bad.name}: {reason}"
        if number > 1:
            reason += f" (in the last of {number} attempts)"
    return replace(
        found,
        outcome=outcome,
        reason=reason,
        seconds=sum(proof.seconds for proof in every),
        memory_peak=max((proof.memory_peak or 0 for proof in every), default=0) or None,
        output=log(attempts),
        proofs=attempts[-1],
        earlier=tuple(proof for proofs in attempts[:-1] for proof in proofs),
        attempts=number,
    )


def reproduce(cell: Cell) -> str:
    """The command line that runs this cell alone."""
    name, _, version = cell.environment.partition("@")
    argv = ["eggcrate", "matrix", "--component", cell.component, "--environment", name]
    if cell.flavour:
        argv += ["--flavour", cell.flavour]
    if version:
        argv.append("--released")
    return shlex.join(argv)


def prove_all(
    cells: Sequence[Cell],
    components: Mapping[str, Component],
    bench: Bench,
    *,
    workers: int,
    started: Callable[[Cell], None],
    done: Callable[[CellResult], None],
    durations: Mapping[str, float] | None = None,
) -> tuple[CellResult, ...]:
    """Run cells at once, as many as processors and memory allow.

    Args:
        cells: what to prove.
        components: by name.
        bench: what the cells have in common.
        workers: how many processors to use.
        started: told of each cell when it is begun, from any thread.
        done: told of each result as it comes.
        durations: seconds by the cell as text, as far as known: the longest are begun first.

    When the caller is interrupted, everything that runs is ended.
    """
    memory = for_cells()
    needs = {
        cell: limits_of(
            components[cell.component], memory=bench.memory, seconds=bench.seconds
        ).memory
        for cell in cells
    }
    slots = side_by_side(needs.values(), memory, workers)
    bench = replace(bench, threads=max(1, workers // slots))
    budget = Budget(memory)
    results: dict[Cell, CellResult] = {}

    def one(cell: Cell) -> CellResult | None:
        with budget.room(needs[cell]) as there:
            if not there:
                return None
            started(cell)
            return prove(components[cell.component], cell, bench)

    known = durations or {}
    order = sorted(cells, key=lambda cell: -known.get(str(cell), 0.0))
    with concurrent.futures.ThreadPoolExecutor(slots) as pool:
        futures = [pool.submit(one, cell) for cell in order]
        try:
            for future in concurrent.futures.as_completed(futures):
                if result := future.result():
                    results[result.cell] = result
                    done(result)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            budget.close()
            bench.runtime.close()
            raise
    return tuple(results[cell] for cell in cells)
