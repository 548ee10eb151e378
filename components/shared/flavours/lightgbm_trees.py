"""LightGBM, from 3.3; models are its own text, which later versions read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from components.shared.flavours.training import BINARY, Fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.shared.flavours.training import Table, Training

DISTRIBUTIONS = (("lightgbm",),)
_SAME = {"deterministic": True, "force_row_wise": True}
"""Bit for bit, however many threads there are."""


def fit(training: Training) -> Fitted:
    """Train; with early stopping only the trees up to the best are kept."""
    import lightgbm  # noqa: PLC0415 - this environment may be another flavour's

    objective: dict[str, Any] = {"objective": "regression"}
    if training.classes == BINARY:
        objective = {"objective": "binary"}
    elif training.classes is not None:
        objective = {"objective": "multiclass", "num_class": training.classes}
    given = dict(training.parameters)
    rounds = given.pop("num_boost_round", 100)
    settings = {"seed": training.seed, "verbosity": -1, **_SAME, **objective, **given}
    data = _data(training.rows, training.categories)
    stopping: dict[str, Any] = {}
    if training.validation is not None:
        judged = _data(training.validation, training.categories, reference=data)
        stopping = {
            "valid_sets": [judged],
            "callbacks": [lightgbm.early_stopping(training.patience, verbose=False)],
        }
    booster = lightgbm.train(settings, data, num_boost_round=rounds, **stopping)
    kept = booster.best_iteration if training.validation is not None else -1
    booster = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=kept))
    return Fitted(estimator=booster, rounds=booster.current_iteration())


def outputs(
    estimator: Any, matrix: np.ndarray, *, categorical: Sequence[bool], classes: int | None
) -> np.ndarray:
    """Predict."""
    del categorical  # it knows
    values = estimator.predict(matrix)
    if classes == BINARY and np.ndim(values) == 1:
        return np.column_stack([1 - values, values])
    return values


def dump(estimator: Any) -> bytes:
    """Write its text."""
    return estimator.model_to_string().encode()


def load(content: bytes, *, classes: int | None) -> Any:
    """Read its text."""
    import lightgbm  # noqa: PLC0415 - this environment may be another flavour's

    del classes
    return lightgbm.Booster(model_str=content.decode())


def importances(estimator: Any) -> list[float]:
    """Total gain of the splits on each feature."""
    return [float(each) for each in estimator.feature_importance(importance_type="gain")]


def _data(table: Table, categories: list[int], **more: Any) -> Any:
    import lightgbm  # noqa: PLC0415 - this environment may be another flavour's

    return lightgbm.Dataset(
        table.matrix,
        table.truth,
        weight=table.weights,
        categorical_feature=categories,
        params={"verbosity": -1, **_SAME},
        **more,
    )
