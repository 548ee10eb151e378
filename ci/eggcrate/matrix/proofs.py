"""The programs that prove a cell, and the evidence that each leaves."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.errors import EggcrateError
from eggcrate.matrix.cells import Outcome, Proof
from eggcrate.matrix.evidence import split
from eggcrate.matrix.harness.mounted.run_cell import FINISHED

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
    """Run a program. Never raises for what happens in it, nor for what it leaves to be judged."""
    try:
        result = runtime.run(image, program.command)
        output, evidence = split(result.output)
        outcome, reason = program.judge(replace(result, output=output))
    except EggcrateError as error:
        return _broken(program, error.what, str(error))
    except Exception as error:  # whatever it is: one odd output must not end all other cells
        reason = f"Eggcrate could not judge it: {type(error).__name__}: {error}".splitlines()[0]
        return _broken(program, reason, traceback.format_exc())
    return Proof(
        name=program.name,
        outcome=outcome,
        reason=reason,
        seconds=result.seconds,
        exit_code=result.exit_code,
        signal=result.signal,
        memory_peak=result.memory_peak,
        memory_limit=program.command.limits.memory,
        output=_plain(output),
        evidence=evidence,
    )


def _plain(output: str) -> str:
    """Without the harness's own line, and with paths as the checkout has them."""
    return output.replace(f"\n{FINISHED}\n", "").replace(_INSIDE, "")


def _broken(program: Program, reason: str, output: str) -> Proof:
    return Proof(
        name=program.name,
        outcome=Outcome.BROKEN,
        reason=reason,
        output=output,
        memory_limit=program.command.limits.memory,
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
