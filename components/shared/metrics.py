"""Figures of quality, computed alike in every environment, with numpy alone."""

from __future__ import annotations

import numpy as np


def accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Share of equal values."""
    return float(np.mean(truth == predicted))


def roc_auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve of a binary classifier.

    The probability that a positive row scores above a negative one, ties counting half
    (Mann and Whitney's U). NaN when there is one class only.

    Args:
        positive: Booleans, one a row.
        score: The larger, the more likely positive.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse.reshape(-1)]
    u = ranks[positive].sum() - positives * (positives + 1) / 2
    return float(u / (positives * negatives))


def log_loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean negative logarithm of the probability given to the true class, in nats.

    Args:
        truth: Index of the true class, one a row.
        probabilities: Rows x classes.
    """
    given = probabilities[np.arange(len(truth)), truth]
    smallest = np.finfo("float64").eps
    return float(-np.mean(np.log(np.clip(given, smallest, 1.0))))


def rmse(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Root of the mean squared error, in the target's unit."""
    return float(np.sqrt(np.mean((truth - predicted) ** 2)))


def mae(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean absolute error, in the target's unit."""
    return float(np.mean(np.abs(truth - predicted)))


def r2(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the target's variance that is explained; NaN when it has none."""
    total = float(np.sum((truth - truth.mean()) ** 2))
    return 1 - float(np.sum((truth - predicted) ** 2)) / total if total else float("nan")
