"""Apply a model to new data."""

from typing import NamedTuple, Optional

import numpy as np
import pandas as pd
from kfp.dsl import Dataset, Input, Model, Output

from components.shared import models
from components.shared.errors import DataError
from components.shared.frames import read_source, write_frame
from eggcrate import component


class Predicted(NamedTuple):
    """What came out."""

    rows: int


@component
def predict(
    data: Input[Dataset],
    model: Input[Model],
    predictions: Output[Dataset],
    keep: Optional[list] = None,  # noqa: UP045 - KFP does not read `list | None`
) -> Predicted:
    """Predict the target of each row, in the order of the rows.

    Args:
        data: A table with the model's features: one a component wrote, CSV or Parquet.
        model: A model that ``train_model`` wrote.
        predictions: The table of predictions: a column ``prediction`` and, for a
            classification, a column ``probability_<class>`` for each class.
        keep: Columns of the data, such as a key, to put before them.

    Returns:
        How many rows were predicted.

    Raises:
        DataError: the table does not fit the model.
        ModelError: the model cannot be read here.
    """
    trained = models.load_model(model.path)
    frame = read_source(data.path, require=keep or ())
    columns = {name: frame[name] for name in keep or ()}
    for name, values in _results(trained, frame).items():
        if name in columns:
            raise DataError(f"the column {name} cannot be kept: a result has this name")
        columns[name] = pd.Series(values, index=frame.index)
    write_frame(predictions.path, pd.DataFrame(columns))
    return Predicted(rows=len(frame))


def _results(trained: models.Model, frame: pd.DataFrame) -> dict:
    classes = trained.signature.classes
    if classes is None:
        return {"prediction": trained.predict(frame)}
    probabilities = trained.probabilities(frame)
    labels = np.array(classes)[probabilities.argmax(axis=1)]
    return {
        "prediction": labels.tolist(),
        **{f"probability_{each}": probabilities[:, at] for at, each in enumerate(classes)},
    }
