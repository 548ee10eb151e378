"""How good a model is on a table: the figures that evaluating, explaining and tuning share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from components.shared import metrics
from components.shared.models import class_indices

if TYPE_CHECKING:
    from typing import Any

    import pandas as pd

    from components.shared.models import Signature

_BINARY = 2


def truth_of(target: pd.Series, classes: tuple[Any, ...] | None) -> np.ndarray:
    """Class indices, or the numbers of a regression.

    Raises:
        DataError: a value is none of the classes.
    """
    return target.to_numpy(dtype="float64") if classes is None else class_indices(target, classes)


def figures(truth: np.ndarray, outputs: np.ndarray, classes: int | None) -> dict[str, float]:
    """Every figure that the data defines, by name.

    Args:
        truth: See :func:`truth_of`.
        outputs: A model's: expected values, or rows x classes of probabilities.
        classes: How many there are; ``None`` for a regression.
    """
    if classes is None:
        computed = {
            "rmse": metrics.rmse(truth, outputs),
            "mae": metrics.mae(truth, outputs),
            "r2": metrics.r2(truth, outputs),
        }
    else:
        computed = {
            "accuracy": metrics.accuracy(truth, outputs.argmax(axis=1)),
            "log_loss": metrics.log_loss(truth, outputs),
        }
        if classes == _BINARY:
            computed["roc_auc"] = metrics.roc_auc(truth == 1, outputs[:, 1])
    return {name: value for name, value in computed.items() if math.isfinite(value)}


def loss(truth: np.ndarray, outputs: np.ndarray, classes: int | None) -> float:
    """What training makes small: ``log_loss``, or ``rmse`` of a regression."""
    if classes is None:
        return metrics.rmse(truth, outputs)
    return metrics.log_loss(truth, outputs)


def confusion(truth: np.ndarray, outputs: np.ndarray, signature: Signature) -> np.ndarray:
    """Classes x classes: rows that are of one and predicted as another."""
    count = signature.class_count or 0
    table = np.zeros((count, count), dtype=int)
    np.add.at(table, (truth, outputs.argmax(axis=1)), 1)
    return table


def roc(positive: np.ndarray, score: np.ndarray) -> list[tuple[float, float]]:
    """Points of the ROC curve: false against true positives, as shares; at most about 200."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order]) / max(1, positive.sum())
    false = np.cumsum(~positive[order]) / max(1, (~positive).sum())
    ends = np.flatnonzero(np.diff(score[order], append=-np.inf))
    ends = ends[:: max(1, len(ends) // 200)]
    middle = zip(false[ends].tolist(), hits[ends].tolist(), strict=True)
    return [(0.0, 0.0), *middle, (1.0, 1.0)]
