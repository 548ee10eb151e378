"""The last task of a matrix that is a pipeline: results of all cells as one report.

Run in an image, out of the same parcel as cells: see :mod:`eggcrate.matrix.task`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import ConfigError
from eggcrate.matrix.cells import Cell, CellResult, Outcome
from eggcrate.matrix.results_file import read, written
from eggcrate.matrix.run import reproduce
from eggcrate.report import html
from eggcrate.report.document import totals
from eggcrate.report.junit import junit_of
from eggcrate.report.plain import plain, tail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOST = "its task ended without a result: for want of memory, or because its container was ended"
_MOST = 20_000
"""Characters of each output."""
_STYLE = (
    "body{font-family:sans-serif}th,td{text-align:left;padding:.2em 1em .2em 0}pre{overflow:auto}"
)


def main(
    parcel: str, words: list[str], inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> None:
    """Gather; called by the boot program.

    Args:
        parcel: nothing of it is needed.
        words: all cells by their task's number, as JSON.
        inputs: ``result_1`` and so on, of those that there are.
        outputs: where to write ``results``, ``junit`` and ``page``.
    """
    del parcel
    results = gathered(json.loads(words[0]), inputs)
    print("\n".join(f"{one.cell}: {one.outcome.value} {one.reason}".rstrip() for one in results))
    print(json.dumps(totals(results)))
    Path(outputs["results"]).write_text(written(results), encoding="utf-8")
    Path(outputs["junit"]).write_bytes(junit_of(results))
    Path(outputs["page"]).write_text(page(results), encoding="utf-8")


def gathered(cells: Mapping[str, Mapping[str, str]], inputs: Mapping[str, str]) -> list[CellResult]:
    """The results of all cells; of one whose task left none, that it did not.

    Args:
        cells: by number, in the order of their tasks.
        inputs: files with results, by name.
    """
    found = []
    for number, told in cells.items():
        cell = Cell(**told)
        try:
            path = Path(inputs[f"result_{number}"])
            [result] = read(path.read_bytes(), path.name)
        except (KeyError, OSError, ValueError, ConfigError):
            result = CellResult(
                cell=cell, outcome=Outcome.KILLED, reason=LOST, command=reproduce(cell)
            )
        found.append(result)
    return found


def page(results: Sequence[CellResult]) -> str:
    """Results as a page that needs nothing else, which backends show."""
    bad = [one for one in results if not one.outcome.good]
    rows = [
        (str(one.cell), one.outcome.value, f"{one.seconds:.1f}", plain(one.reason))
        for one in sorted(results, key=lambda one: (one.outcome.good, one.cell))
    ]
    counts = ", ".join(f"{count} {word}" for word, count in totals(results).items())
    body = html.joined(
        [
            html.tag("h1", "The matrix"),
            html.tag("p", counts),
            html.table(("cell", "outcome", "seconds", "reason"), rows, right="seconds"),
            *(
                html.section(
                    str(one.cell),
                    html.tag("p", html.code(one.command)),
                    html.tag("pre", tail(plain(one.output), _MOST)[0]),
                )
                for one in bad
            ),
        ]
    )
    head = html.joined(
        [html.tag("title", f"Matrix: {counts}"), html.tag("style", html.Markup(_STYLE))]
    )
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8">{head}<body>{body}</body></html>\n'
    )
