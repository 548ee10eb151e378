"""The programs that prove a cell, and the evidence that each leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.errors import EggcrateError
from eggcrate.matrix.cells import Outcome, Proof
from eggcrate.matrix.evidence import split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from eggcrate.runtimes.protocol import Command, Result, Runtime, UnpackedImage

_INSIDE = "/eggcrate/repo/"


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that proves a part of a cell."""

    name: str
    """``tests``, or ``example NAME``."""
    command: Command
    judge: Callable[[Result], tuple[Outcome, str]]
    """The outcome, and the reason in a sentence; may look at what the program has written."""


def carry_out(program: Program, image: UnpackedImage, runtime: Runtime) -> Proof:
    """Run a program. Never raises for what happens in it."""
    limit = program.command.limits.memory
    try:
        result = runtime.run(image, program.command)
        output, evidence = split(result.output)
        outcome, reason = program.judge(replace(result, output=output))
    except EggcrateError as error:
        return Proof(
            name=program.name,
            outcome=Outcome.BROKEN,
            reason=error.what,
            output=str(error),
            memory_limit=limit,
        )
    return Proof(
        name=program.name,
        outcome=outcome,
        reason=reason,
        seconds=result.seconds,
        exit_code=result.exit_code,
        signal=result.signal,
        memory_peak=result.memory_peak,
        memory_limit=limit,
        output=output.replace(_INSIDE, ""),  # paths as the checkout has them
        evidence=evidence,
    )


def first_bad(proofs: Iterable[Proof]) -> Proof | None:
    """The first that is not good."""
    return next((proof for proof in proofs if not proof.outcome.good), None)


def log(attempts: Sequence[Sequence[Proof]]) -> str:
    """What all of them wrote; with a heading for each where there are several."""
    every = [(number, proof) for number, proofs in enumerate(attempts, 1) for proof in proofs]
    if len(every) == 1:
        return every[0][1].output
    several = len(attempts) > 1
    return "".join(
        _heading(proof, f", attempt {number}" if several else "")
        + proof.output
        + ("" if proof.output.endswith("\n") or not proof.output else "\n")
        for number, proof in every
    )


def _heading(proof: Proof, attempt: str) -> str:
    told = f": {proof.reason}" if proof.reason else ""
    return f"=== {proof.name}{attempt}: {proof.outcome.value} in {proof.seconds:.1f} s{told}\n"
