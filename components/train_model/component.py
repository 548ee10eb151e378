"""Train a model on a table with any supported library."""

from typing import NamedTuple, Optional

from kfp.dsl import Dataset, Input, Model, Output

from components.shared import learning, libraries, models
from components.shared.features import learn_features, to_matrix
from components.shared.frames import check_target, read_frame
from eggcrate import component


class Trained(NamedTuple):
    """What the model was made from."""

    flavour: str
    rows: int
    features: int
    rounds: int


@component
def train_model(  # noqa: PLR0917 - KFP passes them by name
    train_data: Input[Dataset],
    model: Output[Model],
    target: str,
    flavour: str = "sklearn",
    task: str = "classification",
    parameters: Optional[dict] = None,  # noqa: UP045 - KFP does not read `dict | None`
    early_stopping: int = 0,
    validation_share: float = 0.2,
    class_weights: Optional[dict] = None,  # noqa: UP045 - as above
    balanced: bool = False,
    seed: int = 0,
) -> Trained:
    """Train gradient-boosted trees, or a small network; missing values and texts may be in it.

    Args:
        train_data: A table that a component wrote; every column but the target is a feature.
        model: The model in its library's portable format, with its signature; its metadata
            names library, versions and rounds.
        target: The column to learn.
        flavour: The library: ``sklearn``, ``xgboost``, ``lightgbm``, ``catboost``,
            ``tensorflow`` or ``torch``.
        task: ``classification`` or ``regression``.
        parameters: Passed to the library under its own names, over this component's defaults.
            A network takes ``hidden_units``, ``epochs``, ``batch_size``, ``learning_rate``.
        early_stopping: Stop after so many rounds (trees, epochs) that are no better on rows
            kept aside, and keep the best; 0 trains all rounds on all rows.
        validation_share: Share of the rows that ``early_stopping`` keeps aside.
        class_weights: Class, as a text, to how much its rows count; 1 for one not named.
        balanced: Let each class count alike, however many rows it has.
        seed: Makes the training repeatable.

    Returns:
        The flavour, how many rows and features it was given, and the rounds it kept.

    Raises:
        DataError: the table cannot be learned from.
        ModelError: the flavour, the task or the parameters are not ones that can be trained with.
            No model is written then.
    """
    versions = libraries.versions(flavour)
    options = learning.Options(
        task=task,
        early_stopping=early_stopping,
        validation_share=validation_share,
        class_weights=class_weights,
        balanced=balanced,
        seed=seed,
    )
    options.check()
    frame = read_frame(train_data.path, require=[target])
    check_target(frame, target, train_data.path)
    features = learn_features(frame, target=target)
    classes = learning.classes_of(frame[target]) if task == "classification" else None
    training = learning.prepare(
        frame[target],
        to_matrix(frame, features),
        categorical=tuple(feature.categorical for feature in features),
        classes=classes,
        options=options,
        parameters=parameters or {},
    )
    fitted = libraries.fit(flavour, training)
    signature = models.Signature(
        flavour=flavour,
        target=target,
        features=features,
        classes=classes,
        versions=versions,
        seed=seed,
    )
    models.save_model(model.path, models.Model(signature=signature, estimator=fitted.estimator))
    model.framework = flavour
    model.metadata["versions"] = versions
    model.metadata["rounds"] = fitted.rounds
    return Trained(flavour=flavour, rows=len(frame), features=len(features), rounds=fitted.rounds)
