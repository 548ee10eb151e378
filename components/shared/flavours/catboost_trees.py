"""CatBoost 1.2; models are its own ``cbm``, which later versions read, and which it dates."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.shared.flavours.training import BINARY, Fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.shared.flavours.training import Table, Training

DISTRIBUTIONS = (("catboost",),)


def fit(training: Training) -> Fitted:
    """Train; with early stopping only the trees up to the best are kept."""
    import catboost  # noqa: PLC0415 - this environment may be another flavour's

    binary = training.classes == BINARY
    kind, loss = catboost.CatBoostClassifier, "Logloss" if binary else "MultiClass"
    if training.classes is None:
        kind, loss = catboost.CatBoostRegressor, "RMSE"
    settings = {
        "iterations": 200,
        "loss_function": loss,
        "random_seed": training.seed,
        **training.parameters,
        # No folder of training logs: components run where only their outputs may be written.
        "verbose": False,
        "allow_writing_files": False,
    }
    stopping: dict[str, Any] = {}
    if training.validation is not None:
        stopping = {
            "eval_set": _data(training.validation, training.categorical),
            "early_stopping_rounds": training.patience,
            "use_best_model": True,
        }
    estimator = kind(**settings).fit(_data(training.rows, training.categorical), **stopping)
    return Fitted(estimator=estimator, rounds=int(estimator.tree_count_))


def outputs(
    estimator: Any, matrix: np.ndarray, *, categorical: Sequence[bool], classes: int | None
) -> np.ndarray:
    """Predict."""
    pool = _pool(matrix, categorical)
    return estimator.predict(pool) if classes is None else estimator.predict_proba(pool)


def dump(estimator: Any) -> bytes:
    """Write ``cbm``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        estimator.save_model(str(path), format="cbm")
        return path.read_bytes()


def load(content: bytes, *, classes: int | None) -> Any:
    """Read ``cbm``."""
    import catboost  # noqa: PLC0415 - this environment may be another flavour's

    kind = catboost.CatBoostRegressor if classes is None else catboost.CatBoostClassifier
    return kind().load_model(blob=content)


def importances(estimator: Any) -> list[float]:
    """How much the prediction changes with each feature, in percent."""
    return [float(each) for each in estimator.get_feature_importance()]


def _data(table: Table, categorical: Sequence[bool]) -> Any:
    return _pool(table.matrix, categorical, label=table.truth, weight=table.weights)


def _pool(matrix: np.ndarray, categorical: Sequence[bool], **more: np.ndarray) -> Any:
    import catboost  # noqa: PLC0415 - this environment may be another flavour's

    columns = [index for index, each in enumerate(categorical) if each]
    if not columns:
        return catboost.Pool(matrix, **more)
    table = matrix.astype(object)
    for index in columns:  # categories must be integers or texts there, never NaN
        table[:, index] = np.nan_to_num(matrix[:, index], nan=-1).astype(int)
    return catboost.Pool(table, cat_features=columns, **more)
