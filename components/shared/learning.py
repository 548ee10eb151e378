"""From a table to what a library is asked to learn: rows, weights, and rows to stop by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from components.shared.errors import DataError, ModelError
from components.shared.flavours.training import Table, Training
from components.shared.models import class_indices
from components.shared.splits import choose

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CLASSES = 100


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to learn, whatever the library."""

    task: str = "classification"
    early_stopping: int = 0
    """Rounds that may get no better; 0: all rounds on all rows."""
    validation_share: float = 0.2
    class_weights: Mapping[str, float] | None = None
    balanced: bool = False
    seed: int = 0

    def check(self) -> None:
        """Refuse what has no meaning.

        Raises:
            ModelError: something has none.
        """
        if self.task not in {"classification", "regression"}:
            raise ModelError(f"there is no task {self.task!r}; use classification or regression")
        if self.early_stopping < 0:
            raise ModelError(f"early_stopping is {self.early_stopping}; 0 is the least")
        if not 0 < self.validation_share < 1:
            raise ModelError(
                f"validation_share is {self.validation_share}; it must lie between 0 and 1"
            )
        if self.task == "regression" and (self.balanced or self.class_weights):
            raise ModelError("a regression has no classes that could be weighted or balanced")
        if self.seed < 0:
            raise ModelError(f"seed is {self.seed}; 0 is the least")


def classes_of(target: pd.Series) -> tuple[Any, ...]:
    """The classes of a target, sorted.

    Raises:
        DataError: it is no target of a classification.
    """
    if pd.api.types.is_float_dtype(target.dtype):
        raise DataError(
            f"the target {target.name} holds fractions; train with the task regression, "
            "or make it texts or integers"
        )
    classes = tuple(sorted(set(target.tolist())))
    if len(classes) == 1:
        raise DataError(f"the target {target.name} is {classes[0]} in every row")
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"the target {target.name} has {len(classes)} classes, more than {MAX_CLASSES}; "
            "is it a regression?"
        )
    return classes


def prepare(
    target: pd.Series,
    matrix: np.ndarray,
    *,
    categorical: tuple[bool, ...],
    classes: tuple[Any, ...] | None,
    options: Options,
    parameters: Mapping[str, Any],
) -> Training:
    """Put a training together.

    Args:
        target: What to learn; no value is missing.
        matrix: What from, see :func:`components.shared.features.to_matrix`.
        categorical: Whether each feature holds codes of levels.
        classes: See :func:`classes_of`; ``None`` for a regression.
        options: How to learn.
        parameters: For the library.

    Raises:
        DataError: the table is too small to keep rows aside, or its target is no number.
        ModelError: a weight names no class, or is no number above 0.
    """
    truth = _numbers(target) if classes is None else class_indices(target, classes)
    weights = np.ones(len(target)) if classes is None else _weights(truth, classes, options)
    whole = Table(matrix=matrix, truth=truth, weights=weights)
    aside = np.zeros(len(target), dtype=bool)
    if options.early_stopping:
        aside = _aside(target, classes, options)
    return Training(
        rows=_part(whole, ~aside),
        categorical=categorical,
        classes=None if classes is None else len(classes),
        seed=options.seed,
        parameters=dict(parameters),
        validation=_part(whole, aside) if options.early_stopping else None,
        patience=options.early_stopping,
    )


def _aside(target: pd.Series, classes: tuple[Any, ...] | None, options: Options) -> np.ndarray:
    share, stratify = options.validation_share, classes is not None
    chosen = choose(target, share, stratify=stratify, seed=options.seed).to_numpy()
    kept = target[~chosen]
    if not chosen.any() or kept.empty or (classes and kept.nunique() < len(classes)):
        raise DataError(
            f"the data has {len(target)} rows, too few to keep {share:.0%} of them aside for "
            "early stopping"
        )
    return chosen


def _part(whole: Table, rows: np.ndarray) -> Table:
    return Table(matrix=whole.matrix[rows], truth=whole.truth[rows], weights=whole.weights[rows])


def _weights(truth: np.ndarray, classes: tuple[Any, ...], options: Options) -> np.ndarray:
    names = [str(each) for each in classes]
    given = options.class_weights or {}
    if unknown := sorted(set(given) - set(names)):
        raise ModelError(
            f"class_weights names {', '.join(unknown)}; the target has: {', '.join(names)}"
        )
    each = np.array([_weight(name, given.get(name, 1)) for name in names])
    if options.balanced:
        each *= len(truth) / (len(classes) * np.bincount(truth, minlength=len(classes)))
    return each[truth]


def _weight(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < np.inf:
        raise ModelError(f"the weight of class {name} is {value!r}; it must be a number above 0")
    return float(value)


def _numbers(target: pd.Series) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(target.dtype):
        raise DataError(f"the target {target.name} is {target.dtype}; a regression needs numbers")
    return target.to_numpy(dtype="float64")
