"""The cells of a run as the page's program reads them, with as much of their logs as fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.matrix.cells import CellResult, Outcome
from eggcrate.report.document import decisive, log_name, log_text, memory_limit
from eggcrate.report.grid import MARKS, lay
from eggcrate.report.plain import plain, tail
from eggcrate.report.trend import trend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eggcrate.matrix.cells import Cell, Proof
    from eggcrate.report.trend import Before

_ROOM = 6_000_000
"""Characters of all logs in the page."""
_BAD, _GOOD = 60_000, 6_000
"""Characters of one log, of cells that are not good and of others."""
_OUTCOMES = tuple(Outcome)
_NOT_SELECTED_MARK = "○"


class Strings:
    """Texts, each once, by the place where it stands."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        """Where a text stands."""
        return self._places.setdefault(text, len(self._places))

    @property
    def all(self) -> list[str]:
        """The texts in their places."""
        return list(self._places)


class _Logs:
    """Hands out room for logs until there is none."""

    def __init__(self, room: int) -> None:
        self._room = room

    def end(self, output: str, *, good: bool) -> dict[str, Any]:
        """The end of an output, and how many characters before it are left out."""
        limit = min(self._room, _GOOD if good else _BAD)
        # Only what can be shown is made plain: a log may be a million characters long.
        text, cut = tail(plain(output[-2 * limit :] if limit else ""), limit)
        cut += max(0, len(output) - 2 * limit)
        self._room -= len(text)
        return {"log": text, "cut": cut}


def cells_data(
    results: Sequence[CellResult],
    previous: Mapping[Cell, Before],
    strings: Strings,
    *,
    room: int = _ROOM,
) -> dict[str, Any]:
    """Rows, columns, cells, what more there is to tell of some, and the trend.

    Args:
        results: of all cells.
        previous: what became of them before.
        strings: where reasons are put.
        room: characters of all logs together; cells that are not good come first.
    """
    results = sorted(results, key=lambda result: result.cell)
    layout = lay(result.cell for result in results)
    rows = {name: place for place, name in enumerate(layout.rows)}
    columns = {name: place for place, name in enumerate(layout.columns)}
    standing: dict[Cell, list[int]] = {}
    for (row, _), cell in layout.places.items():
        standing.setdefault(cell, []).append(rows[row])
    shown = [result for result in results if result.cell in standing]
    logs = _Logs(room)
    order = sorted(range(len(shown)), key=lambda place: shown[place].outcome.good)
    more = {place: _more(shown[place], previous.get(shown[place].cell), logs) for place in order}
    found = trend(shown, previous)
    places = {result.cell: place for place, result in enumerate(shown)}
    return {
        "outcomes": [_outcome(outcome) for outcome in _OUTCOMES],
        "rows": layout.rows,
        "columns": layout.columns,
        "cells": [
            [
                sorted(standing[result.cell])
                if len(standing[result.cell]) > 1
                else standing[result.cell][0],
                columns[result.cell.environment],
                _OUTCOMES.index(result.outcome),
                round(result.seconds, 2),
                strings.place(plain(result.reason)),
            ]
            for result in shown
        ],
        "more": {place: told for place, told in more.items() if told},
        "compared": sum(
            result.cell in previous
            and result.outcome not in {Outcome.NOT_SELECTED, Outcome.INCOMPATIBLE}
            for result in shown
        ),
        "trend": {
            name: [places[result.cell] for result in getattr(found, name)]
            for name in ("worse", "mended", "slower", "faster")
        },
    }


def _outcome(outcome: Outcome) -> list[Any]:
    mark = _NOT_SELECTED_MARK if outcome is Outcome.NOT_SELECTED else MARKS[outcome]
    return [outcome.value, mark, int(outcome.good)]


def _more(result: CellResult, before: Before | None, logs: _Logs) -> dict[str, Any]:
    proof = decisive(result)
    told: dict[str, Any] = {
        "command": result.command,
        "image": result.image,
        "date": result.date,
        "runtime": result.runtime,
        "attempts": result.attempts if result.attempts > 1 else None,
        "before": [_OUTCOMES.index(before.outcome), round(before.seconds, 2)] if before else None,
        "peak": result.memory_peak,
        "limit": memory_limit(result),
        "file": log_name(result) if log_text(result) else "",
    }
    every = (*result.earlier, *result.proofs)
    if len(every) > 1 or any(proof.output for proof in every):
        told["proofs"] = [_proof(one, logs, is_open=len(every) == 1) for one in every]
        told["earlier"] = len(result.earlier)
    else:
        told |= logs.end(result.output, good=result.outcome.good)
        told["exit"] = proof.exit_code if proof else None
        told["signal"] = proof.signal if proof else None
    return _known(told)


def _proof(proof: Proof, logs: _Logs, *, is_open: bool) -> dict[str, Any]:
    return _known(
        {
            "name": proof.name,
            "outcome": _OUTCOMES.index(proof.outcome),
            "seconds": round(proof.seconds, 2),
            "reason": plain(proof.reason),
            "exit": proof.exit_code,
            "signal": proof.signal,
            "peak": proof.memory_peak,
            "limit": proof.memory_limit,
            "open": int(is_open),
            **logs.end(proof.output, good=proof.outcome.good),
        }
    )


def _known(told: dict[str, Any]) -> dict[str, Any]:
    """Without what is not known; an exit code of 0 is known, and so is an outcome."""
    keep = ("exit", "outcome", "seconds")
    return {
        name: value for name, value in told.items() if value or (name in keep and value is not None)
    }
