"""Figures that describe the columns of a table."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from components.shared.frames import describe

_MOST = 10


def statistics_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Describe each column, as JSON values."""
    types = describe(frame)
    return [_column(frame[name], name, kind) for name, kind in types.items()]


def plain(value: Any) -> Any:
    """A value of a column as JSON has it."""
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _column(column: pd.Series, name: str, kind: str) -> dict[str, Any]:
    values = column.dropna()
    told: dict[str, Any] = {
        "name": name,
        "type": kind,
        "missing": float(column.isna().mean()) if len(column) else 0.0,
        "distinct": int(values.nunique()),
    }
    if not len(values):
        return told
    if kind in ("integer", "number", "datetime"):
        told |= {"minimum": plain(values.min()), "maximum": plain(values.max())}
    if kind in ("integer", "number"):
        numbers = values.astype("float64")
        told |= {"mean": plain(numbers.mean()), "deviation": plain(numbers.std(ddof=0))}
        told["quartiles"] = [plain(each) for each in numbers.quantile([0.25, 0.5, 0.75])]
    if kind in ("string", "boolean"):
        counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        told["most"] = {str(value): int(count) for value, count in counts[:_MOST].items()}
    return told
