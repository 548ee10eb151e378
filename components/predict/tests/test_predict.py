"""Prediction, and the whole way there: prepare, train, evaluate, predict in one environment."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kfp.dsl import Dataset, Metrics, Model

from components.evaluate_model.component import evaluate_model
from components.predict.component import predict
from components.prepare_data.component import prepare_data
from components.shared import samples
from components.shared.errors import DataError, ModelError
from components.shared.frames import read_frame, write_frame
from components.train_model.component import train_model


def dataset(folder: Path, name: str) -> Dataset:
    return Dataset(uri=str(folder / name))


@pytest.fixture
def model(tmp_path: Path, flavour: str) -> Model:
    data, model = dataset(tmp_path, "data"), Model(uri=str(tmp_path / "model"))
    write_frame(data.path, samples.iris())
    train_model(data, model, "species", flavour=flavour)
    return model


def test_from_a_raw_file_to_predictions(tmp_path: Path, flavour: str) -> None:
    """Each step reads what the one before wrote; the predictions bear the evaluation out."""
    source, train, test, out = (
        dataset(tmp_path, name) for name in ("iris.csv", "train", "test", "out")
    )
    model, metrics = Model(uri=str(tmp_path / "model")), Metrics(uri=str(tmp_path / "metrics"))
    samples.iris().to_csv(source.path, index_label="flower")
    columns = list(samples.IRIS_COLUMNS)
    prepare_data(source, train, test, "species", columns=columns, stratify=True, seed=1)
    train_model(train, model, "species", flavour=flavour)
    figures = evaluate_model(test, model, metrics)
    expected = read_frame(test.path)
    assert predict(test, model, out, keep=["species"]).rows == len(expected)
    found = read_frame(out.path)
    classes = ["setosa", "versicolor", "virginica"]
    assert list(found.columns) == [
        "species",
        "prediction",
        *(f"probability_{name}" for name in classes),
    ]
    assert (found["species"] == found["prediction"]).mean() == figures["accuracy"] >= 0.9
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
    model = Model(uri=str(tmp_path / "model"))
    write_frame(data.path, samples.iris())
    train_model(data, model, "petal_width", flavour=flavour, task="regression")
    new = samples.iris()[:3].assign(species="sunflower", sepal_width=None)
    write_frame(data.path, new)
    predict(data, model, out, keep=["species"])
    found = read_frame(out.path)
    assert list(found.columns) == ["species", "prediction"]
    assert found["prediction"].between(-0.5, 3).all()


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
