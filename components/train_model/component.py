"""Train a model on a table with any supported library."""

from typing import NamedTuple, Optional

import numpy as np
import pandas as pd
from kfp.dsl import Dataset, Input, Model, Output

from components.shared import libraries, models
from components.shared.errors import DataError, ModelError
from components.shared.features import learn_features, to_matrix
from components.shared.frames import check_target, read_frame
from eggcrate import component

MAX_CLASSES = 100


class Trained(NamedTuple):
    """What the model was made from."""

    flavour: str
    rows: int
    features: int


@component
def train_model(  # noqa: PLR0917 - KFP passes them by name
    train_data: Input[Dataset],
    model: Output[Model],
    target: str,
    flavour: str = "sklearn",
    task: str = "classification",
    parameters: Optional[dict] = None,  # noqa: UP045 - KFP does not read `dict | None`
    seed: int = 0,
) -> Trained:
    """Train gradient-boosted trees; missing values and texts are taken as they are.

    Args:
        train_data: A table that a component wrote; every column but the target is a feature.
        model: The model; its metadata names its library.
        target: The column to learn.
        flavour: The library: ``sklearn``, ``xgboost`` or ``catboost``.
        task: ``classification`` or ``regression``.
        parameters: Passed to the library under its own names, over this component's defaults.
        seed: Makes the training repeatable.

    Returns:
        The flavour and how many rows and features it saw.

    Raises:
        DataError: the table cannot be learned from.
        ModelError: the flavour, the task or the parameters are not ones that can be trained with.
            No model is written then.
    """
    if task not in ("classification", "regression"):
        raise ModelError(f"there is no task {task!r}; use classification or regression")
    versions = libraries.versions(flavour)
    frame = read_frame(train_data.path, require=[target])
    check_target(frame, target, train_data.path)
    features = learn_features(frame, target=target)
    classes = _classes(frame[target]) if task == "classification" else None
    estimator = libraries.fit(
        flavour,
        to_matrix(frame, features),
        _numbers(frame[target])
        if classes is None
        else models.class_indices(frame[target], classes),
        categorical=[feature.categorical for feature in features],
        classes=None if classes is None else len(classes),
        seed=seed,
        parameters=dict(parameters or {}),
    )
    signature = models.Signature(
        flavour=flavour,
        target=target,
        features=features,
        classes=classes,
        versions=versions,
        seed=seed,
    )
    models.save_model(model.path, models.Model(signature=signature, estimator=estimator))
    model.framework = flavour
    model.metadata["versions"] = versions
    return Trained(flavour=flavour, rows=len(frame), features=len(features))


def _classes(target: pd.Series) -> tuple:
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


def _numbers(target: pd.Series) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(target.dtype):
        raise DataError(f"the target {target.name} is {target.dtype}; a regression needs numbers")
    return target.to_numpy(dtype="float64")
