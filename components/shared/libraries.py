"""The libraries that can train a model, each behind the same six verbs.

No library is imported before a verb of it is used: an environment has one or two of them.
Each flavour trains gradient-boosted trees, which take missing values and categories as they are.
"""

from __future__ import annotations

import io
import pickle
import re
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.shared.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

FLAVOURS = ("sklearn", "xgboost", "catboost")
_BINARY = 2
_DISTRIBUTIONS = {
    "sklearn": (("scikit-learn",), ("numpy",)),
    "xgboost": (("xgboost-cpu", "xgboost"),),
    "catboost": (("catboost",),),
}


def versions(flavour: str) -> dict[str, str]:
    """Versions of what a flavour's models depend on, in this environment.

    Raises:
        ModelError: the flavour is not known, or this environment lacks its library.
    """
    if flavour not in _DISTRIBUTIONS:
        raise ModelError(f"there is no flavour {flavour!r}; use one of: {', '.join(FLAVOURS)}")
    found = {}
    for names in _DISTRIBUTIONS[flavour]:
        version = next(filter(None, map(_version, names)), None)
        if version is None:
            raise ModelError(
                f"the flavour {flavour} needs {names[0]}, which this environment does not have; "
                "run the step in one that does"
            )
        found[names[-1]] = version
    return found


def check_readable(flavour: str, *, written: dict[str, str], present: dict[str, str]) -> None:
    """Refuse a model that these versions cannot be trusted to read.

    Raises:
        ModelError: scikit-learn is not the very version that wrote it, or numpy not the same
            major version; XGBoost or CatBoost is older than what wrote it.
    """
    for library, here in present.items():
        there = written.get(library, "0")
        if library == "scikit-learn":
            readable = here == there
        elif library == "numpy":
            readable = _release(here)[:1] == _release(there)[:1]
        else:
            readable = _release(here)[:2] >= _release(there)[:2]
        if not readable:
            raise ModelError(
                f"the model was written with {library} {there} and this environment has {here}, "
                f"which cannot be trusted to read it; use the environment it was trained in, "
                f"or train it again with the flavour {flavour} in this one"
            )


def fit(
    flavour: str,
    matrix: np.ndarray,
    truth: np.ndarray,
    *,
    categorical: Sequence[bool],
    classes: int | None,
    seed: int,
    parameters: dict[str, Any],
) -> Any:
    """Train an estimator; ``truth`` holds class indices when ``classes`` says how many.

    Raises:
        ModelError: the library refuses the parameters or the data.
    """
    train = {"sklearn": _fit_sklearn, "xgboost": _fit_xgboost, "catboost": _fit_catboost}[flavour]
    try:
        estimator = train(
            matrix,
            truth,
            categorical=list(categorical),
            classes=classes,
            seed=seed,
            parameters=parameters,
        )
    except Exception as cause:
        expected = isinstance(cause, (TypeError, ValueError, RuntimeError))
        if not expected and type(cause).__name__ != "CatBoostError":  # an Exception by itself
            raise
        given = parameters or "its defaults"
        raise ModelError(f"{flavour} could not train with {given}: {cause}") from cause
    outputs(flavour, estimator, matrix[:1], categorical=categorical, classes=classes)
    return estimator


def outputs(
    flavour: str,
    estimator: Any,
    matrix: np.ndarray,
    *,
    categorical: Sequence[bool],
    classes: int | None,
) -> np.ndarray:
    """Expected values for a regression, rows x classes of probabilities for a classification.

    Raises:
        ModelError: the model gives something else, having been trained for another objective.
    """
    if flavour == "xgboost":
        values = estimator.predict(_dmatrix(matrix, list(categorical)))
        if classes == _BINARY and np.ndim(values) == 1:
            values = np.column_stack([1 - values, values])
    else:
        table = _pool(matrix, list(categorical)) if flavour == "catboost" else matrix
        values = estimator.predict(table) if classes is None else estimator.predict_proba(table)
    found = np.asarray(values, dtype="float64")
    expected = (len(matrix),) if classes is None else (len(matrix), classes)
    if found.shape != expected:
        raise ModelError(
            f"the {flavour} model gives {found.shape} values where {expected} are due: "
            "its parameters name an objective of another task"
        )
    return found


def dump(flavour: str, estimator: Any) -> bytes:
    """Write an estimator in its library's own format."""
    if flavour == "xgboost":
        return bytes(estimator.save_raw("ubj"))
    if flavour == "catboost":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.cbm"
            estimator.save_model(str(path), format="cbm")
            return path.read_bytes()
    return pickle.dumps(estimator, protocol=5)


def load(flavour: str, content: bytes, *, classes: int | None) -> Any:
    """Read what :func:`dump` wrote."""
    if flavour == "xgboost":
        import xgboost  # noqa: PLC0415 - this environment may be another flavour's

        return xgboost.Booster(model_file=bytearray(content))
    if flavour == "catboost":
        import catboost  # noqa: PLC0415 - this environment may be another flavour's

        kind = catboost.CatBoostRegressor if classes is None else catboost.CatBoostClassifier
        return kind().load_model(blob=content)
    return pickle.load(io.BytesIO(content))


def _fit_sklearn(
    matrix: np.ndarray,
    truth: np.ndarray,
    *,
    categorical: list[bool],
    classes: int | None,
    seed: int,
    parameters: dict[str, Any],
) -> Any:
    from sklearn import ensemble  # noqa: PLC0415 - this environment may be another flavour's

    kind = (
        ensemble.HistGradientBoostingRegressor
        if classes is None
        else ensemble.HistGradientBoostingClassifier
    )
    settings = {"random_state": seed, "categorical_features": np.array(categorical), **parameters}
    return kind(**settings).fit(matrix, truth)


def _fit_xgboost(
    matrix: np.ndarray,
    truth: np.ndarray,
    *,
    categorical: list[bool],
    classes: int | None,
    seed: int,
    parameters: dict[str, Any],
) -> Any:
    import xgboost  # noqa: PLC0415 - this environment may be another flavour's

    objective: dict[str, Any] = {"objective": "reg:squarederror"}
    if classes == _BINARY:
        objective = {"objective": "binary:logistic"}
    elif classes is not None:
        objective = {"objective": "multi:softprob", "num_class": classes}
    given = dict(parameters)
    rounds = given.pop("num_boost_round", 100)
    settings = {"seed": seed, "tree_method": "hist", "eta": 0.1, **objective, **given}
    data = _dmatrix(matrix, categorical, truth)
    return xgboost.train(settings, data, num_boost_round=rounds)


def _fit_catboost(
    matrix: np.ndarray,
    truth: np.ndarray,
    *,
    categorical: list[bool],
    classes: int | None,
    seed: int,
    parameters: dict[str, Any],
) -> Any:
    import catboost  # noqa: PLC0415 - this environment may be another flavour's

    kind, loss = catboost.CatBoostClassifier, "Logloss" if classes == _BINARY else "MultiClass"
    if classes is None:
        kind, loss = catboost.CatBoostRegressor, "RMSE"
    settings = {"iterations": 200, "loss_function": loss, "random_seed": seed, **parameters}
    # No folder of training logs: components run where only their outputs may be written.
    settings |= {"verbose": False, "allow_writing_files": False}
    return kind(**settings).fit(_pool(matrix, categorical, truth))


def _dmatrix(matrix: np.ndarray, categorical: list[bool], truth: np.ndarray | None = None) -> Any:
    import xgboost  # noqa: PLC0415 - this environment may be another flavour's

    kinds = ["c" if each else "q" for each in categorical]
    return xgboost.DMatrix(matrix, truth, feature_types=kinds, enable_categorical=True)


def _pool(matrix: np.ndarray, categorical: list[bool], truth: np.ndarray | None = None) -> Any:
    import catboost  # noqa: PLC0415 - this environment may be another flavour's

    columns = [index for index, each in enumerate(categorical) if each]
    if not columns:
        return catboost.Pool(matrix, truth)
    table = matrix.astype(object)
    for index in columns:  # categories must be integers or texts there, never NaN
        table[:, index] = np.nan_to_num(matrix[:, index], nan=-1).astype(int)
    return catboost.Pool(table, truth, cat_features=columns)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
