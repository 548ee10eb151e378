"""Results of cells as JSON, whole: what a task of a pipeline sends home."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from eggcrate.errors import ConfigError
from eggcrate.matrix.cells import CellResult, Proof
from eggcrate.parsing import json_of
from eggcrate.wire import decoded, encoded

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
    told: dict[str, Any] = encoded(result)
    for proof in (*told["proofs"], *told["earlier"]):
        del proof["evidence"]  # of coverage and imports, which are measured here alone
    return told


def _result(told: dict[str, Any]) -> CellResult:
    proofs = [*told["proofs"], *told["earlier"]]
    for kind, tables in ((CellResult, [told]), (Proof, proofs)):
        wanted = {one.name for one in fields(kind)} - {"evidence"}
        if lacking := [name for table in tables for name in sorted(wanted - table.keys())]:
            raise KeyError(lacking[0])
    return decoded(CellResult, told)
