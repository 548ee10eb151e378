"""Results of cells as JSON, whole: what a task of a pipeline sends home."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from eggcrate.errors import ConfigError
from eggcrate.matrix.cells import Cell, CellResult, Outcome, Proof
from eggcrate.matrix.evidence import Evidence
from eggcrate.parsing import json_of

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = "eggcrate.matrix-results/1"


def written(results: Iterable[CellResult]) -> str:
    """Results as a document."""
    cells = [_plain(result) for result in results]
    return json.dumps({"schema": SCHEMA, "cells": cells}, separators=(",", ":"))


def read(content: bytes, name: str) -> tuple[CellResult, ...]:
    """The results in a document.

    Args:
        content: of the file.
        name: what it is called, for the message.

    Raises:
        ConfigError: it is no such document.
    """
    try:
        document = json_of(content)
        return tuple(_result(one) for one in _cells(document))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"{name} does not hold results of cells",
            why=str(error),
            hint=f"{SCHEMA} was expected, as a compiled matrix writes it",
        ) from error


def _cells(document: dict[str, Any]) -> list[dict[str, Any]]:
    if document["schema"] != SCHEMA:
        raise ValueError(f"its schema is {document['schema']!r}")
    found: list[dict[str, Any]] = document["cells"]
    return found


def _plain(result: CellResult) -> dict[str, Any]:
    told = asdict(result)
    told["outcome"] = result.outcome.value
    for name in ("proofs", "earlier"):
        told[name] = [_proof_plain(proof) for proof in getattr(result, name)]
    return told


def _proof_plain(proof: Proof) -> dict[str, Any]:
    told = asdict(proof)
    del told["evidence"]  # of coverage and imports, which are measured here alone
    return told | {"outcome": proof.outcome.value}


def _result(told: dict[str, Any]) -> CellResult:
    given = {one.name: told[one.name] for one in fields(CellResult)}
    return CellResult(
        **given
        | {
            "cell": Cell(**told["cell"]),
            "outcome": Outcome(told["outcome"]),
            "proofs": tuple(map(_proof, told["proofs"])),
            "earlier": tuple(map(_proof, told["earlier"])),
        }
    )


def _proof(told: dict[str, Any]) -> Proof:
    known = {one.name: told[one.name] for one in fields(Proof) if one.name != "evidence"}
    return Proof(**known | {"outcome": Outcome(told["outcome"]), "evidence": Evidence()})
