"""The matrix as ``eggcrate.matrix/1``: for programs, and for the next run to compare with."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from eggcrate.matrix.cells import CellResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eggcrate.matrix.cells import Cell, Proof
    from eggcrate.matrix.session import Matrix, Session
    from eggcrate.report.contents import ImageContent
    from eggcrate.report.trend import Before

SCHEMA = "eggcrate.matrix/1"
FOLDER = "build/matrix"
"""Where the documents and logs of a run are, below the repository."""


def document(
    matrix: Matrix,
    results: Sequence[CellResult],
    previous: Mapping[Cell, Before] | None = None,
) -> dict[str, Any]:
    """The cells, errors and totals, without the schema's name.

    Args:
        matrix: what was decided.
        results: of its cells.
        previous: what became of them before, see :func:`eggcrate.report.trend.read_previous`.
    """
    return {
        "errors": errors(matrix),
        "cells": [
            _cell(result, (previous or {}).get(result.cell))
            for result in sorted(results, key=lambda item: item.cell)
        ],
        "totals": totals(results),
    }


def session_document(
    session: Session,
    previous: Mapping[Cell, Before],
    images: Sequence[ImageContent],
    suggestions: Sequence[Mapping[str, Any]] = (),
    *,
    finished: str = "",
) -> dict[str, Any]:
    """All that is known of a run, as ``matrix.json`` holds it."""
    keys = {one.environment: one.key for one in session.images}
    return {
        "schema": SCHEMA,
        "finished": finished,
        "good": session.good,
        "image_seconds": round(session.image_seconds, 3),
        "cell_seconds": round(session.cell_seconds, 3),
        **document(session.matrix, session.results, previous),
        "errors": session_errors(session),
        "images": [
            {
                "name": image.name,
                "key": keys.get(image.name, ""),
                "digest": image.digest,
                "size": image.size,
                "layers": [{"digest": one.digest, "size": one.size} for one in image.layers],
            }
            for image in images
        ],
        "suggestions": list(suggestions),
    }


def errors(matrix: Matrix) -> list[dict[str, str]]:
    """What stood in the way of proving all that was asked for."""
    return [
        {"subject": subject, "what": error.what, "why": error.why, "hint": error.hint}
        for subject, error in matrix.errors.items()
    ] + [
        {
            "subject": f"components/{name}",
            "what": "no environment satisfies it",
            "why": "",
            "hint": "eggcrate matrix --list shows what each environment lacks",
        }
        for name in matrix.homeless
    ]


def session_errors(session: Session) -> list[dict[str, str]]:
    """The same, and what a run found wrong with its own memory."""
    return errors(session.matrix) + [
        {
            "subject": str(result.cell),
            "what": "it was remembered as passed, and did not pass when it was run once more",
            "why": result.reason,
            "hint": "its tests depend on something that is no part of its key, or on chance",
        }
        for result in session.disagreements
    ]


def totals(results: Iterable[CellResult]) -> dict[str, int]:
    """How many cells had each outcome."""
    counts = Counter(result.outcome for result in results)
    return {outcome.value: counts[outcome] for outcome in Outcome if counts[outcome]}


def log_name(result: CellResult) -> str:
    """The file in ``build/matrix/`` that holds a cell's whole output."""
    return f"logs/{result.cell.environment}/{result.cell.row}.log"


def log_text(result: CellResult) -> str:
    """All output of a cell, earlier attempts first: of several proofs each under its name."""
    told = [proof for proof in (*result.earlier, *result.proofs) if proof.output]
    if len(told) <= 1:
        return result.output or "".join(proof.output for proof in told)
    return "\n".join(f"===== {one.name}: {one.outcome.value} =====\n{one.output}" for one in told)


def decisive(result: CellResult) -> Proof | None:
    """The proof that a cell's outcome rests on: the first that is not good, else the last."""
    bad = (proof for proof in result.proofs if not proof.outcome.good)
    return next(bad, result.proofs[-1] if result.proofs else None)


def memory_limit(result: CellResult) -> int | None:
    """Bytes that the cell could use, as far as its proofs tell."""
    return max((proof.memory_limit or 0 for proof in result.proofs), default=0) or None


def _cell(result: CellResult, before: Before | None) -> dict[str, Any]:
    proof = decisive(result)
    return {
        "component": result.cell.component,
        "environment": result.cell.environment,
        "flavour": result.cell.flavour,
        "image": result.image,
        "outcome": result.outcome.value,
        "seconds": round(result.seconds, 3),
        "exit_code": proof.exit_code if proof else None,
        "signal": proof.signal if proof else None,
        "memory_peak": result.memory_peak,
        "memory_limit": memory_limit(result),
        "reason": result.reason,
        "log": log_name(result) if log_text(result) else "",
        "command": result.command,
        "attempts": result.attempts,
        "date": result.date,
        "runtime": result.runtime,
        "key": result.key,
        "proofs": [_proof(one) for one in result.proofs],
        "earlier": [_proof(one) for one in result.earlier],
        "previous_outcome": before.outcome.value if before else "",
        "previous_seconds": round(before.seconds, 3) if before else None,
    }


def _proof(proof: Proof) -> dict[str, Any]:
    return {
        "name": proof.name,
        "outcome": proof.outcome.value,
        "reason": proof.reason,
        "seconds": round(proof.seconds, 3),
        "exit_code": proof.exit_code,
        "signal": proof.signal,
        "memory_peak": proof.memory_peak,
        "memory_limit": proof.memory_limit,
    }
