"""Apply a model to new data."""

from collections.abc import Iterator
from typing import NamedTuple, Optional

import numpy as np
import pandas as pd
from kfp.dsl import Dataset, Input, Model, Output

from components.shared import models
from components.shared.errors import DataError
from components.shared.frames import describe
from components.shared.streams import open_stream, write_stream
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
    chunk_rows: int = 50_000,
) -> Predicted:
    """Predict the target of each row, in the order of the rows.

    The data is read, predicted and written in pieces: how large it is does not matter to memory.

    Args:
        data: A table with the model's features: one a component wrote, CSV (plain or gzipped),
            or Parquet where the environment has pyarrow.
        model: A model that ``train_model`` wrote.
        predictions: The table of predictions: a column ``prediction`` and, for a
            classification, a column ``probability_<class>`` for each class.
        keep: Columns of the data, such as a key, to put before them.
        chunk_rows: How many rows are held at once.

    Returns:
        How many rows were predicted.

    Raises:
        DataError: the table does not fit the model, or has no rows. No table is written then.
        ModelError: the model cannot be read here.
    """
    if chunk_rows < 1:
        raise DataError(f"chunk_rows is {chunk_rows}; 1 is the least")
    signature = models.read_signature(model.path)
    kept = list(dict.fromkeys(keep or ()))
    features = [feature.name for feature in signature.features]
    stream = open_stream(data.path, rows=chunk_rows, require=kept)
    types = {name: stream.types[name] for name in kept}
    results = _types(signature)
    for name in kept:
        if name in results:
            raise DataError(f"the column {name} cannot be kept: a result has this name")
    trained = models.load_model(model.path)
    wanted = [name for name in stream.types if name in {*kept, *features}]

    def pieces() -> Iterator[pd.DataFrame]:
        empty = True
        for piece in stream.pieces():
            if piece.empty:
                continue
            empty = False
            found = {name: piece[name] for name in kept}
            for name, values in _results(trained, piece[wanted]).items():
                found[name] = pd.Series(values, index=piece.index)
            yield pd.DataFrame(found)
        if empty:
            raise DataError(f"data {data.path} has no rows")

    rows = write_stream(predictions.path, pieces(), types | results)
    predictions.metadata["rows"] = rows
    return Predicted(rows=rows)


def _types(signature: models.Signature) -> dict:
    if signature.classes is None:
        return {"prediction": "number"}
    told = describe(pd.DataFrame({"prediction": list(signature.classes)}))
    return told | {f"probability_{each}": "number" for each in signature.classes}


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
