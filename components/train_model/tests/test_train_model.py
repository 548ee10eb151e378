"""Training with one flavour: good models of real data, repeatable, and clear refusals."""

from importlib import util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kfp.dsl import Dataset, Metrics, Model

from components.evaluate_model.component import evaluate_model
from components.prepare_data.component import prepare_data
from components.shared import libraries, samples
from components.shared.errors import DataError, ModelError
from components.shared.frames import read_frame, write_frame
from components.shared.models import load_model, read_signature
from components.train_model.component import train_model


def split(
    folder: Path, frame: pd.DataFrame, target: str, *, stratify: bool
) -> tuple[Dataset, Dataset]:
    source, train, test = (Dataset(uri=str(folder / name)) for name in ("source", "train", "test"))
    write_frame(source.path, frame)
    prepare_data(source, train, test, target, stratify=stratify)
    return train, test


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return Dataset(uri=str(tmp_path / "data"))


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(uri=str(tmp_path / "model"))


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    return Metrics(uri=str(tmp_path / "metrics"))


def test_two_classes_of_real_data_are_told_apart(
    tmp_path: Path, model: Model, metrics: Metrics, flavour: str
) -> None:
    frame, target, least = samples.binary()
    train, test = split(tmp_path, frame, target, stratify=True)
    trained = train_model(train, model, target, flavour=flavour)
    assert trained == (flavour, len(read_frame(train.path)), frame.shape[1] - 1)
    assert evaluate_model(test, model, metrics)["roc_auc"] >= least


def test_three_classes_named_by_texts(
    tmp_path: Path, model: Model, metrics: Metrics, flavour: str
) -> None:
    train, test = split(tmp_path, samples.iris(), "species", stratify=True)
    train_model(train, model, "species", flavour=flavour)
    assert read_signature(model.path).classes == ("setosa", "versicolor", "virginica")
    figures = evaluate_model(test, model, metrics)
    assert figures["accuracy"] >= 0.9
    assert "roc_auc" not in figures


def test_a_regression_on_numbers_texts_and_gaps(
    tmp_path: Path, model: Model, metrics: Metrics, flavour: str
) -> None:
    """A text feature is used as categories, missing values are taken as they are."""
    frame = samples.iris().drop(columns=["petal_length"])
    frame.loc[::9, "sepal_length"] = np.nan
    frame.loc[::11, "species"] = None
    train, test = split(tmp_path, frame, "petal_width", stratify=False)
    train_model(train, model, "petal_width", flavour=flavour, task="regression")
    [species] = [each for each in read_signature(model.path).features if each.categorical]
    assert species.levels == ("setosa", "versicolor", "virginica")
    figures = evaluate_model(test, model, metrics)
    assert figures["r2"] >= 0.75
    write_frame(train.path, read_frame(train.path).drop(columns=["species"]))
    train_model(train, model, "petal_width", flavour=flavour, task="regression")
    without = evaluate_model(test, model, metrics)
    assert figures["rmse"] < without["rmse"] * 0.8


def test_the_same_seed_gives_the_same_model(tmp_path: Path, flavour: str) -> None:
    """Bit for bit in the predictions; in the file as well but for CatBoost, which dates it."""
    frame, target, _ = samples.binary()
    train, test = split(tmp_path, frame, target, stratify=True)
    models = [Model(uri=str(tmp_path / name)) for name in ("first", "second")]
    for model in models:
        train_model(train, model, target, flavour=flavour, seed=3)
    first, second = (load_model(each.path).probabilities(read_frame(test.path)) for each in models)
    assert np.array_equal(first, second)
    if flavour != "catboost":
        assert Path(models[0].path).read_bytes() == Path(models[1].path).read_bytes()


def test_the_signature_names_what_wrote_the_model(
    tmp_path: Path, model: Model, flavour: str
) -> None:
    train, _ = split(tmp_path, samples.iris(), "species", stratify=True)
    train_model(train, model, "species", flavour=flavour, seed=5)
    signature = read_signature(model.path)
    assert model.framework == flavour
    assert (signature.flavour, signature.seed) == (flavour, 5)
    assert signature.versions == libraries.versions(flavour)


def test_parameters_reach_the_library(tmp_path: Path, flavour: str) -> None:
    """A model of fewer trees is a smaller file; a parameter of no library is refused."""
    train, _ = split(tmp_path, samples.iris(), "species", stratify=True)
    name = {"sklearn": "max_iter", "xgboost": "num_boost_round", "catboost": "iterations"}[flavour]
    small, large, no = (Model(uri=str(tmp_path / each)) for each in ("small", "large", "no"))
    train_model(train, small, "species", flavour=flavour, parameters={name: 2})
    train_model(train, large, "species", flavour=flavour)
    assert Path(small.path).stat().st_size < Path(large.path).stat().st_size
    bad = {"sklearn": "max_iter", "xgboost": "max_depth", "catboost": "depth"}[flavour]
    with pytest.raises(ModelError, match=f"{flavour} could not train"):
        train_model(train, no, "species", flavour=flavour, parameters={bad: -9})
    assert not Path(no.path).exists()


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        ({"x": [1, 2], "z": ["a", "b"]}, "no column y; it has: x, z"),
        ({"x": pd.Series(dtype="float64"), "y": pd.Series(dtype="int64")}, "has no rows"),
        ({"x": [1, 2], "y": ["a", None]}, "y is missing in 1 of 2 rows"),
        ({"x": [1, 2], "y": ["a", "a"]}, "y is a in every row"),
        ({"x": [1, 2], "y": [0.5, 1.5]}, "holds fractions"),
        ({"y": ["a", "b"]}, "no column beside the target"),
        ({"x": pd.to_datetime(["2024-01-01"] * 2), "y": ["a", "b"]}, "x holds dates"),
        ({"x": [f"{n:03}" for n in range(300)], "y": [0, 1] * 150}, "300 different texts"),
        ({"x": range(101), "y": range(101)}, "is it a regression"),
    ],
)
def test_data_that_cannot_be_learned_from_is_refused(
    data: Dataset, model: Model, flavour: str, frame: dict, says: str
) -> None:
    write_frame(data.path, pd.DataFrame(frame))
    with pytest.raises(DataError, match=says):
        train_model(data, model, "y", flavour=flavour)
    assert not Path(model.path).exists()


def test_a_regression_of_texts_is_refused(data: Dataset, model: Model, flavour: str) -> None:
    write_frame(data.path, samples.iris())
    with pytest.raises(DataError, match="a regression needs numbers"):
        train_model(data, model, "species", flavour=flavour, task="regression")


def test_an_unknown_flavour_or_task_is_named(data: Dataset, model: Model, flavour: str) -> None:
    write_frame(data.path, samples.iris())
    with pytest.raises(ModelError, match="'lightgbm'; use one of: sklearn, xgboost, catboost"):
        train_model(data, model, "species", flavour="lightgbm")
    with pytest.raises(ModelError, match="'ranking'; use classification or regression"):
        train_model(data, model, "species", flavour=flavour, task="ranking")


@pytest.mark.skipif(bool(util.find_spec("catboost")), reason="this environment has catboost")
def test_a_flavour_that_the_environment_lacks_is_named(data: Dataset, model: Model) -> None:
    write_frame(data.path, samples.iris())
    with pytest.raises(ModelError, match="needs catboost, which this environment does not have"):
        train_model(data, model, "species", flavour="catboost")


def test_an_unreadable_table_is_named(data: Dataset, model: Model, flavour: str) -> None:
    Path(data.path).write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match="data cannot be read"):
        train_model(data, model, "y", flavour=flavour)
