"""scikit-learn's histogram gradient boosting.

Its own format is pickle, which is the exact version's alone. The rows to stop by are appended
to those to learn from: before 1.7 it takes no table of its own for them, only a share.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np

from components.shared.flavours.training import Fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.shared.flavours.training import Training

DISTRIBUTIONS = (("scikit-learn",), ("numpy",))


def fit(training: Training) -> Fitted:
    """Train."""
    from sklearn import ensemble  # noqa: PLC0415 - this environment may be another flavour's

    kind = (
        ensemble.HistGradientBoostingRegressor
        if training.classes is None
        else ensemble.HistGradientBoostingClassifier
    )
    tables = [training.rows]
    settings: dict[str, Any] = {"early_stopping": False}
    if training.validation is not None:
        tables.append(training.validation)
        share = len(training.validation.truth) / sum(len(each.truth) for each in tables)
        settings = {
            "early_stopping": True,
            "n_iter_no_change": training.patience,
            "validation_fraction": share,
        }
    settings |= {
        "random_state": training.seed,
        "categorical_features": np.array(training.categorical),
        **training.parameters,
    }
    estimator = kind(**settings).fit(
        np.concatenate([each.matrix for each in tables]),
        np.concatenate([each.truth for each in tables]),
        sample_weight=np.concatenate([each.weights for each in tables]),
    )
    return Fitted(estimator=estimator, rounds=int(estimator.n_iter_))


def outputs(
    estimator: Any, matrix: np.ndarray, *, categorical: Sequence[bool], classes: int | None
) -> np.ndarray:
    """Predict."""
    del categorical  # it knows
    return estimator.predict(matrix) if classes is None else estimator.predict_proba(matrix)


def dump(estimator: Any) -> bytes:
    """Pickle it."""
    return pickle.dumps(estimator, protocol=5)


def load(content: bytes, *, classes: int | None) -> Any:
    """Unpickle it; the version has been checked."""
    del classes
    return pickle.load(io.BytesIO(content))


def importances(estimator: Any) -> None:
    """It keeps none."""
    del estimator
