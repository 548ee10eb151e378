"""Prediction, and the whole way there: prepare, train, predict in one environment."""

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kfp.dsl import Dataset, Model

from components.predict.component import predict
from components.prepare_data.component import prepare_data
from components.shared import samples
from components.shared.errors import DataError, ModelError
from components.shared.frames import read_frame, write_frame
from components.shared.streams import Stream, open_stream, write_stream
from components.train_model.component import train_model
from components.train_model.samples_trained import write_model


def dataset(folder: Path, name: str) -> Dataset:
    return Dataset(uri=str(folder / name))


@pytest.fixture
def model(tmp_path: Path, flavour: str) -> Model:
    write_frame(dataset(tmp_path, "data").path, samples.iris())
    return write_model(tmp_path, flavour)


def test_from_a_raw_file_to_predictions(tmp_path: Path, flavour: str) -> None:
    """Each step reads what the one before wrote; the predictions are right."""
    source, train, test, out = (
        dataset(tmp_path, name) for name in ("iris.csv", "train", "test", "out")
    )
    model = Model(uri=str(tmp_path / "model"))
    samples.iris().to_csv(source.path, index_label="flower")
    columns = list(samples.IRIS_COLUMNS)
    prepare_data(source, train, test, "species", columns=columns, stratify=True, seed=1)
    train_model(train, model, "species", flavour=flavour)
    expected = read_frame(test.path)
    assert predict(test, model, out, keep=["species"]).rows == len(expected)
    found = read_frame(out.path)
    classes = ["setosa", "versicolor", "virginica"]
    assert list(found.columns) == [
        "species",
        "prediction",
        *(f"probability_{name}" for name in classes),
    ]
    assert (found["species"] == found["prediction"]).mean() >= 0.9
    rows = found[[f"probability_{name}" for name in classes]].to_numpy()
    assert np.allclose(rows.sum(axis=1), 1, atol=1e-5)
    assert found["prediction"].tolist() == [classes[each] for each in rows.argmax(axis=1)]


def test_a_row_is_predicted_alike_whatever_is_around_it(tmp_path: Path, model: Model) -> None:
    """Neither the order of the columns nor other rows or unknown columns matter."""
    frame, whole, part = samples.iris(), dataset(tmp_path, "whole"), dataset(tmp_path, "part")
    predict(dataset(tmp_path, "data"), model, whole)
    some = frame.drop(columns="species").iloc[100:110, ::-1].assign(colour="blue")
    some.to_csv(tmp_path / "some.csv", index=False)
    predict(dataset(tmp_path, "some.csv"), model, part)
    expected = read_frame(whole.path).iloc[100:110].reset_index(drop=True)
    pd.testing.assert_frame_equal(read_frame(part.path), expected)


def test_a_regression_predicts_numbers(tmp_path: Path, flavour: str) -> None:
    """A text that training never saw, and a column of nothing, are missing values."""
    data, out = dataset(tmp_path, "data"), dataset(tmp_path, "out")
    model = write_model(tmp_path, flavour, of="petal_width")
    new = samples.iris()[:3].assign(species="sunflower", sepal_width=None)
    write_frame(data.path, new)
    predict(data, model, out, keep=["species"])
    found = read_frame(out.path)
    assert list(found.columns) == ["species", "prediction"]
    assert found["prediction"].between(-0.5, 3).all()


@pytest.mark.parametrize("kind", ["table", "csv", "csv.gz"])
def test_the_size_of_the_pieces_does_not_matter(
    tmp_path: Path, model: Model, kind: str, flavour: str
) -> None:
    """Not even where a piece alone would be read as another type.

    Texts that look like numbers, whole numbers before fractions, a column that begins empty.
    """
    frame = samples.iris().assign(
        key=[f"{row:03}" if row < 100 else f"A{row}" for row in range(150)],
        count=[row if row % 9 == 0 and row > 40 else None for row in range(150)],
    )
    frame["sepal_length"] = frame["sepal_length"].where(frame.index > 20, 5)
    data, whole, parts = (dataset(tmp_path, name) for name in (f"data.{kind}", "whole", "parts"))
    if kind == "table":
        write_frame(data.path, frame)
    else:
        frame.to_csv(data.path, index=False)
    assert predict(data, model, whole, keep=["key", "count"], chunk_rows=1000).rows == 150
    assert predict(data, model, parts, keep=["key", "count"], chunk_rows=7).rows == 150
    if flavour in {"tensorflow", "torch"}:  # a sum is rounded by how many rows are added at once
        pd.testing.assert_frame_equal(read_frame(whole.path), read_frame(parts.path), rtol=1e-4)
    else:
        assert Path(whole.path).read_bytes() == Path(parts.path).read_bytes()
    assert read_frame(whole.path)["key"].tolist() == frame["key"].tolist()


def test_no_more_than_two_pieces_are_held(tmp_path: Path) -> None:
    """However many there are: the one that is written, and the next that is being read."""
    path = tmp_path / "data.csv"
    samples.iris().to_csv(path, index=False)
    held: list[weakref.ref] = []
    most = 0

    def watched(stream: Stream) -> Iterator[pd.DataFrame]:
        nonlocal most
        for piece in stream.pieces():
            held.append(weakref.ref(piece))
            most = max(most, sum(each() is not None for each in held))
            yield piece

    stream = open_stream(str(path), rows=5)
    assert write_stream(str(tmp_path / "out"), watched(stream), stream.types) == 150
    assert len(held) == 30
    assert most <= 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"sepal_length,sepal_width,petal_length,petal_width\n", "has no rows"),
        (b"", "is no CSV that can be read"),
        (b"a,b\n1,2,3,4\n1,2\n5,6,7,8,9\n", "is no CSV that can be read"),
        (b"\x1f\x8bno gzip at all", "is no CSV that can be read"),
        (b"PK\x03\x04no zip at all", "cannot be read"),
        (b"PAR1no parquet at all", "is Parquet|is no Parquet"),
        (None, "there is no such file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, model: Model, content, says: str) -> None:
    data, out = dataset(tmp_path, "new"), dataset(tmp_path, "out")
    if content is not None:
        Path(data.path).write_bytes(content)
    with pytest.raises(DataError, match=says):
        predict(data, model, out)
    assert not Path(out.path).exists()


def test_a_fault_far_down_leaves_nothing(tmp_path: Path, model: Model) -> None:
    """A text among numbers, in a piece that comes after others were written."""
    frame = samples.iris().astype({"petal_width": "object"})
    frame.loc[140, "petal_width"] = "wide"
    data, out = dataset(tmp_path, "new.csv"), dataset(tmp_path, "out")
    frame.to_csv(data.path, index=False)
    with pytest.raises(DataError, match=r"petal_width .* the model has numbers there"):
        predict(data, model, out, chunk_rows=10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "model", "new.csv"]
    with pytest.raises(DataError, match="chunk_rows is 0"):
        predict(data, model, out, chunk_rows=0)


@pytest.mark.parametrize(
    ("columns", "keep", "says"),
    [
        (["sepal_length"], None, "trained on: sepal_width, petal_length, petal_width"),
        ([*samples.IRIS_COLUMNS], ["id"], "no column id"),
        ([*samples.IRIS_COLUMNS, "prediction"], ["prediction"], "a result has this name"),
    ],
)
def test_data_that_does_not_fit_is_refused(
    tmp_path: Path, model: Model, columns: list, keep: list, says: str
) -> None:
    data, out = dataset(tmp_path, "new.csv"), dataset(tmp_path, "out")
    samples.iris().assign(prediction=1)[columns].to_csv(data.path, index=False)
    with pytest.raises(DataError, match=says):
        predict(data, model, out, keep=keep)
    assert not Path(out.path).exists()


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    data = dataset(tmp_path, "data")
    write_frame(data.path, samples.iris())
    with pytest.raises(ModelError, match=r"model .*data cannot be read"):
        predict(data, Model(uri=data.uri), dataset(tmp_path, "out"))
