"""XGBoost, from 1.7; models are UBJSON, which later versions read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from components.shared.flavours.training import BINARY, Fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.shared.flavours.training import Table, Training

DISTRIBUTIONS = (("xgboost-cpu", "xgboost"),)


def fit(training: Training) -> Fitted:
    """Train; with early stopping only the trees up to the best are kept."""
    import xgboost  # noqa: PLC0415 - this environment may be another flavour's

    objective: dict[str, Any] = {"objective": "reg:squarederror"}
    if training.classes == BINARY:
        objective = {"objective": "binary:logistic"}
    elif training.classes is not None:
        objective = {"objective": "multi:softprob", "num_class": training.classes}
    given = dict(training.parameters)
    rounds = given.pop("num_boost_round", 100)
    settings = {"seed": training.seed, "tree_method": "hist", "eta": 0.1, **objective, **given}
    stopping: dict[str, Any] = {}
    if training.validation is not None:
        stopping = {
            "evals": [(_data(training.validation, training.categorical), "validation")],
            "early_stopping_rounds": training.patience,
            "verbose_eval": False,
        }
    data = _data(training.rows, training.categorical)
    booster = xgboost.train(settings, data, num_boost_round=rounds, **stopping)
    if training.validation is not None:
        booster = booster[: booster.best_iteration + 1]
    return Fitted(estimator=booster, rounds=booster.num_boosted_rounds())


def outputs(
    estimator: Any, matrix: np.ndarray, *, categorical: Sequence[bool], classes: int | None
) -> np.ndarray:
    """Predict."""
    values = estimator.predict(_dmatrix(matrix, categorical))
    if classes == BINARY and np.ndim(values) == 1:
        return np.column_stack([1 - values, values])
    return values


def dump(estimator: Any) -> bytes:
    """Write UBJSON."""
    return bytes(estimator.save_raw("ubj"))


def load(content: bytes, *, classes: int | None) -> Any:
    """Read UBJSON."""
    import xgboost  # noqa: PLC0415 - this environment may be another flavour's

    del classes
    return xgboost.Booster(model_file=bytearray(content))


def importances(estimator: Any) -> list[float]:
    """Total gain of the splits on each feature."""
    found = estimator.get_score(importance_type="total_gain")
    return [float(found.get(f"f{position}", 0)) for position in range(estimator.num_features())]


def _data(table: Table, categorical: Sequence[bool]) -> Any:
    return _dmatrix(table.matrix, categorical, label=table.truth, weight=table.weights)


def _dmatrix(matrix: np.ndarray, categorical: Sequence[bool], **more: np.ndarray) -> Any:
    import xgboost  # noqa: PLC0415 - this environment may be another flavour's

    kinds = ["c" if each else "q" for each in categorical]
    return xgboost.DMatrix(matrix, feature_types=kinds, enable_categorical=True, **more)
