"""What results and evidence suggest: ranges to move, packages and environments to do without.

A suggestion is something to try, with the command that proves it or not. It is made only where
everything that was proven speaks for it; where something is not known, nothing is suggested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.matrix.suggest_ranges import narrow, widen
from eggcrate.matrix.suggest_spare import alike, unused
from eggcrate.matrix.suggestion import Kind

if TYPE_CHECKING:
    from eggcrate.matrix.cells import CellResult
    from eggcrate.matrix.suggestion import Facts, Row, Suggestion

_ORDER = {Kind.NARROW: 0, Kind.UNUSED: 1, Kind.ALIKE: 1, Kind.WIDEN: 2}


def suggest(facts: Facts) -> tuple[Suggestion, ...]:
    """All suggestions, the most valuable first."""
    rows: dict[Row, dict[str, CellResult]] = {}
    for result in facts.results:
        if result.cell.environment in facts.places and result.cell.component in facts.components:
            row = (result.cell.component, result.cell.flavour)
            rows.setdefault(row, {})[result.cell.environment] = result
    found = [*narrow(facts, rows), *widen(facts, rows)]
    if facts.whole:
        found += [*unused(facts), *alike(facts, rows)]
    unique = {(one.subject, one.sentence): one for one in reversed(found)}
    return tuple(
        sorted(unique.values(), key=lambda one: (_ORDER[one.kind], -one.size, one.sentence))
    )
