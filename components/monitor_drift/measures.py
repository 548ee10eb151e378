"""Measures of how far two samples of a column are apart.

Population stability index (PSI): Siddiqi, Credit Risk Scorecards, 2006; by its convention below 0.1
is stable and above 0.25 has moved. Jensen-Shannon distance: Endres and Schindelin, 2003. The
tests are Kolmogorov and Smirnov's for numbers and Pearson's chi-squared for texts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.spatial.distance import jensenshannon

_BINS = 10
_LEVELS = 30
"""Most texts that are told apart; rarer ones are one level."""
_FLOOR = 1e-4
"""Least share of a bin in PSI, which has no value for empty ones."""
OTHERS = "(others)"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How far a column has moved."""

    column: str
    kind: str
    """``number`` or ``text``."""
    psi: float
    distance: float
    """Jensen-Shannon, from 0 for equal to 1 for disjoint."""
    p_value: float
    """That such samples come from one distribution."""
    test: str
    """``ks`` or ``chi2``."""
    missing_reference: float
    missing_current: float
    labels: tuple[str, ...]
    reference: tuple[float, ...]
    """Shares of its values in each bin."""
    current: tuple[float, ...]

    @property
    def missing_change(self) -> float:
        """By how much the share of missing values has grown or shrunk."""
        return abs(self.missing_current - self.missing_reference)

    def to_row(self) -> dict[str, Any]:
        """Write it as JSON values."""
        return asdict(self) | {"missing_change": self.missing_change}


def measure(name: str, reference: pd.Series, current: pd.Series) -> Measured:
    """Compare two samples of one column; both are numbers, or neither is."""
    missing = (float(reference.isna().mean()), float(current.isna().mean()))
    before, now = reference.dropna(), current.dropna()
    if is_number(reference):
        kind, test = "number", "ks"
        first, second = (each.to_numpy(dtype="float64") for each in (before, now))
        labels, counts = _binned(first, second)
        p_value = float(stats.ks_2samp(first, second).pvalue) if len(first) and len(second) else 1.0
    else:
        kind, test = "text", "chi2"
        labels, counts = _levels(before.astype(str), now.astype(str))
        p_value = _chi2(counts)
    shares = [_shares(each) for each in counts]
    both = all(each.sum() for each in counts)
    return Measured(
        column=name,
        kind=kind,
        psi=_psi(*shares) if both else 0.0,
        distance=float(jensenshannon(*shares, base=2)) if both else 0.0,
        p_value=p_value,
        test=test,
        missing_reference=missing[0],
        missing_current=missing[1],
        labels=labels,
        reference=tuple(map(float, shares[0])),
        current=tuple(map(float, shares[1])),
    )


def is_number(column: pd.Series) -> bool:
    """Whether a column is measured as numbers: numbers and dates, but not booleans."""
    kinds = pd.api.types
    dates = kinds.is_datetime64_any_dtype(column.dtype)
    return dates or (kinds.is_numeric_dtype(column.dtype) and not kinds.is_bool_dtype(column.dtype))


def _binned(first: np.ndarray, second: np.ndarray) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Counts in the deciles of the first; what lies beyond goes into the outer ones."""
    if not len(first):
        return (), [np.zeros(0), np.zeros(0)]
    edges = np.unique(np.quantile(first, np.linspace(0, 1, _BINS + 1)[1:-1]))
    size = len(edges) + 1
    counts = [
        np.bincount(np.searchsorted(edges, each, side="left"), minlength=size).astype("float64")
        for each in (first, second)
    ]
    labels = [f"up to {edge:.4g}" for edge in edges] + [f"above {edges[-1]:.4g}"]
    return tuple(labels), counts


def _levels(first: pd.Series, second: pd.Series) -> tuple[tuple[str, ...], list[np.ndarray]]:
    tables = [each.value_counts() for each in (first, second)]
    sums = tables[0].add(tables[1], fill_value=0).sort_index()
    kept = sums.sort_values(ascending=False, kind="stable").index[:_LEVELS]
    counts = [table.reindex(kept, fill_value=0).to_numpy(dtype="float64") for table in tables]
    if len(sums) <= _LEVELS:
        return tuple(kept), counts
    rest = [table.sum() - known.sum() for table, known in zip(tables, counts, strict=True)]
    return (*kept, OTHERS), [np.append(*pair) for pair in zip(counts, rest, strict=True)]


def _shares(counts: np.ndarray) -> np.ndarray:
    total = counts.sum()
    return counts / total if total else counts


def _psi(first: np.ndarray, second: np.ndarray) -> float:
    before, now = (np.maximum(each, _FLOOR) for each in (first, second))
    return float(np.sum((now - before) * np.log(now / before)))


def _chi2(counts: list[np.ndarray]) -> float:
    table = np.array(counts)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():  # noqa: PLR2004 - nothing to compare
        return 1.0
    return float(stats.chi2_contingency(table).pvalue)
