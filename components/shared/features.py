"""From a table to the matrix that every library takes, the same way in training and prediction.

Numbers and booleans become ``float64``; texts become codes into the levels seen in training,
and a text that was not seen there is a missing value. Nothing is scaled: the models are trees.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from components.shared.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LEVELS = 255
"""Most levels a text column may have; scikit-learn's histogram trees have 255 bins."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One input column of a model."""

    name: str
    levels: tuple[str, ...] = ()
    """The texts seen in training, sorted; empty for a column of numbers."""

    @property
    def categorical(self) -> bool:
        """Whether the column holds texts."""
        return bool(self.levels)

    @classmethod
    def parse(cls, row: dict[str, Any]) -> Feature:
        """Read what :meth:`to_row` wrote."""
        return cls(name=row["name"], levels=tuple(row["levels"]))

    def to_row(self) -> dict[str, Any]:
        """Write it as JSON values."""
        return asdict(self)


def learn_features(frame: pd.DataFrame, *, target: str) -> tuple[Feature, ...]:
    """Say which inputs a model trained on this table has: every column but the target.

    Raises:
        DataError: there is none, or one that no tree can use.
    """
    features = tuple(_learn(frame[name]) for name in frame.columns if name != target)
    if not features:
        raise DataError(f"the data has no column beside the target {target}")
    return features


def to_matrix(frame: pd.DataFrame, features: Sequence[Feature]) -> np.ndarray:
    """Make the matrix (rows x features, ``float64``, NaN where missing) a model takes.

    Raises:
        DataError: a feature is missing, or holds texts where the model has numbers, or the reverse.
    """
    if missing := [feature.name for feature in features if feature.name not in frame.columns]:
        raise DataError(f"the data lacks columns the model was trained on: {', '.join(missing)}")
    return np.column_stack([_encode(frame[feature.name], feature) for feature in features])


def _learn(column: pd.Series) -> Feature:
    name = str(column.name)
    if _is_number(column):
        return Feature(name=name)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        raise DataError(f"column {name} holds dates; turn them into numbers, or drop it")
    levels = tuple(sorted(map(str, column.dropna().unique())))
    if not levels:
        raise DataError(f"column {name} has no values; drop it")
    if len(levels) > MAX_LEVELS:
        raise DataError(
            f"column {name} has {len(levels)} different texts, more than the {MAX_LEVELS} a model "
            "takes; drop it or group its values"
        )
    return Feature(name=name, levels=levels)


def _encode(column: pd.Series, feature: Feature) -> np.ndarray:
    if feature.categorical == _is_number(column):
        if column.isna().all():
            return np.full(len(column), np.nan)
        expected = "texts" if feature.categorical else "numbers"
        raise DataError(f"column {feature.name} is {column.dtype}; the model has {expected} there")
    if not feature.categorical:
        return column.to_numpy(dtype="float64", na_value=np.nan)
    codes = {level: float(code) for code, level in enumerate(feature.levels)}
    return np.array([codes.get(value, np.nan) for value in column], dtype="float64")


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype)  # booleans too
