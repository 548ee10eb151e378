"""Beyond what a column counts as drifted: for all, and for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.shared.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.monitor_drift.measures import Measured

DEFAULTS: dict[str, float | None] = {
    "psi": 0.2,
    "distance": None,
    "missing": 0.05,
    "p_value": None,
}


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Of one column; ``None`` where a measure does not count."""

    psi: float | None
    distance: float | None
    missing: float | None
    p_value: float | None

    def beyond(self, found: Measured) -> list[str]:
        """Say which measures are beyond, in words."""
        said = [
            f"{word} {value:.3g} above {most:g}"
            for word, value, most in (
                ("PSI", found.psi, self.psi),
                ("distance", found.distance, self.distance),
                ("missing share changed by", found.missing_change, self.missing),
            )
            if most is not None and value > most
        ]
        if self.p_value is not None and found.p_value < self.p_value:
            said.append(f"p-value {found.p_value:.3g} below {self.p_value:g}")
        return said


def thresholds_of(given: dict[str, Any], columns: Sequence[str]) -> dict[str, Thresholds]:
    """Give each column its thresholds.

    Raises:
        DataError: one is no number, or is of no measure and no column.
    """
    common = dict(DEFAULTS)
    special: dict[str, dict[str, float | None]] = {}
    for name, value in given.items():
        if isinstance(value, dict):
            if name not in columns:
                known = ", ".join(columns[:20])
                raise DataError(f"a threshold is given for column {name}; there are: {known}")
            special[name] = {each: _checked(each, one) for each, one in value.items()}
        else:
            common[name] = _checked(name, value)
    return {name: Thresholds(**(common | special.get(name, {}))) for name in columns}


def _checked(name: str, value: Any) -> float | None:
    if name not in DEFAULTS:
        known = ", ".join(DEFAULTS)
        raise DataError(f"there is no measure {name!r} to set a threshold for; use: {known}")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise DataError(f"the threshold {name} is {value!r}; it must be a number, 0 or more")
    return float(value)
