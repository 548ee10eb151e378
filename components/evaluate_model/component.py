"""Judge a model on data it has not seen."""

import math

from kfp.dsl import Dataset, Input, Metrics, Model, Output

from components.shared import metrics as figures
from components.shared.archives import write_json
from components.shared.frames import check_target, read_frame
from components.shared.models import class_indices, load_model
from eggcrate import component

SCHEMA = "components.metrics/1"


@component
def evaluate_model(
    test_data: Input[Dataset], model: Input[Model], metrics: Output[Metrics]
) -> dict:
    """Compute a model's figures of quality.

    Args:
        test_data: A table with the model's features and its target.
        model: A model that ``train_model`` wrote.
        metrics: The figures, as its metadata and, with what they are of, as JSON.

    Returns:
        The figures by name: ``accuracy``, ``log_loss`` and, with two classes, ``roc_auc`` of a
        classification; ``rmse``, ``mae`` and ``r2`` of a regression. One that the data does not
        define (``roc_auc`` where all rows are of one class) is left out.

    Raises:
        DataError: the table does not fit the model.
        ModelError: the model cannot be read here.
    """
    trained = load_model(model.path)
    signature = trained.signature
    frame = read_frame(test_data.path, require=[signature.target])
    check_target(frame, signature.target, test_data.path)
    truth = frame[signature.target]
    if signature.classes is None:
        expected = truth.to_numpy(dtype="float64")
        predicted = trained.predict(frame)
        computed = {
            "rmse": figures.rmse(expected, predicted),
            "mae": figures.mae(expected, predicted),
            "r2": figures.r2(expected, predicted),
        }
    else:
        indices = class_indices(truth, signature.classes)
        probabilities = trained.probabilities(frame)
        computed = {
            "accuracy": figures.accuracy(indices, probabilities.argmax(axis=1)),
            "log_loss": figures.log_loss(indices, probabilities),
        }
        if len(signature.classes) == 2:  # noqa: PLR2004 - binary
            computed["roc_auc"] = figures.roc_auc(indices == 1, probabilities[:, 1])
    defined = {name: value for name, value in computed.items() if math.isfinite(value)}
    for name, value in defined.items():
        metrics.log_metric(name, value)
    write_json(
        metrics.path,
        {
            "schema": SCHEMA,
            "flavour": signature.flavour,
            "task": signature.task,
            "target": signature.target,
            "rows": len(frame),
            "metrics": defined,
        },
    )
    return defined
