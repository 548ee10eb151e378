"""Training with one flavour: good models of real data, repeatable, and clear refusals."""

from importlib import util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.evaluate_model.component import evaluate_model
from components.prepare_data.component import prepare_data
from components.shared import libraries, samples
from components.shared.errors import DataError, ModelError
from components.shared.frames import read_frame, write_frame
from components.shared.models import load_model, read_signature
from components.train_model.component import train_model


def split(folder: Path, frame: pd.DataFrame, target: str, *, stratify: bool) -> tuple[str, str]:
    source, train, test = (str(folder / name) for name in ("source", "train", "test"))
    write_frame(source, frame)
    prepare_data(source, train, test, target, stratify=stratify)
    return train, test


def test_two_classes_of_real_data_are_told_apart(tmp_path: Path, flavour: str) -> None:
    frame, target, least = samples.binary()
    train, test = split(tmp_path, frame, target, stratify=True)
    model = str(tmp_path / "model")
    trained = train_model(train, model, target, flavour=flavour)
    assert trained == (flavour, len(read_frame(train)), frame.shape[1] - 1)
    assert evaluate_model(test, model, str(tmp_path / "metrics"))["roc_auc"] >= least


def test_three_classes_named_by_texts(tmp_path: Path, flavour: str) -> None:
    train, test = split(tmp_path, samples.iris(), "species", stratify=True)
    model = str(tmp_path / "model")
    train_model(train, model, "species", flavour=flavour)
    assert read_signature(model).classes == ("setosa", "versicolor", "virginica")
    metrics = evaluate_model(test, model, str(tmp_path / "metrics"))
    assert metrics["accuracy"] >= 0.9
    assert "roc_auc" not in metrics


def test_a_regression_on_numbers_texts_and_gaps(tmp_path: Path, flavour: str) -> None:
    """A text feature is used as categories, missing values are taken as they are."""
    frame = samples.iris().drop(columns=["petal_length"])
    frame.loc[::9, "sepal_length"] = np.nan
    frame.loc[::11, "species"] = None
    train, test = split(tmp_path, frame, "petal_width", stratify=False)
    model = str(tmp_path / "model")
    train_model(train, model, "petal_width", flavour=flavour, task="regression")
    [species] = [each for each in read_signature(model).features if each.categorical]
    assert species.levels == ("setosa", "versicolor", "virginica")
    figures = evaluate_model(test, model, str(tmp_path / "metrics"))
    assert figures["r2"] >= 0.75
    write_frame(train, read_frame(train).drop(columns=["species"]))
    train_model(train, model, "petal_width", flavour=flavour, task="regression")
    without = evaluate_model(test, model, str(tmp_path / "metrics"))
    assert figures["rmse"] < without["rmse"] * 0.8


def test_the_same_seed_gives_the_same_model(tmp_path: Path, flavour: str) -> None:
    """Bit for bit in the predictions; in the file as well but for CatBoost, which dates it."""
    frame, target, _ = samples.binary()
    train, test = split(tmp_path, frame, target, stratify=True)
    paths = [tmp_path / name for name in ("first", "second")]
    for path in paths:
        train_model(train, str(path), target, flavour=flavour, seed=3)
    first, second = (load_model(str(path)).probabilities(read_frame(test)) for path in paths)
    assert np.array_equal(first, second)
    if flavour != "catboost":
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_signature_names_what_wrote_the_model(tmp_path: Path, flavour: str) -> None:
    train, _ = split(tmp_path, samples.iris(), "species", stratify=True)
    train_model(train, str(tmp_path / "model"), "species", flavour=flavour, seed=5)
    signature = read_signature(str(tmp_path / "model"))
    assert (signature.flavour, signature.seed) == (flavour, 5)
    assert signature.versions == libraries.versions(flavour)


def test_parameters_reach_the_library(tmp_path: Path, flavour: str) -> None:
    """A model of fewer trees is a smaller file; a parameter of no library is refused."""
    train, _ = split(tmp_path, samples.iris(), "species", stratify=True)
    name = {"sklearn": "max_iter", "xgboost": "num_boost_round", "catboost": "iterations"}[flavour]
    small, large = tmp_path / "small", tmp_path / "large"
    train_model(train, str(small), "species", flavour=flavour, parameters={name: 2})
    train_model(train, str(large), "species", flavour=flavour)
    assert small.stat().st_size < large.stat().st_size
    bad = {"sklearn": "max_iter", "xgboost": "max_depth", "catboost": "depth"}[flavour]
    with pytest.raises(ModelError, match=f"{flavour} could not train"):
        train_model(train, str(tmp_path / "no"), "species", flavour=flavour, parameters={bad: -9})
    assert not (tmp_path / "no").exists()


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
    tmp_path: Path, flavour: str, frame: dict, says: str
) -> None:
    data, model = str(tmp_path / "data"), tmp_path / "model"
    write_frame(data, pd.DataFrame(frame))
    with pytest.raises(DataError, match=says):
        train_model(data, str(model), "y", flavour=flavour)
    assert not model.exists()


def test_a_regression_of_texts_is_refused(tmp_path: Path, flavour: str) -> None:
    data = str(tmp_path / "data")
    write_frame(data, samples.iris())
    with pytest.raises(DataError, match="a regression needs numbers"):
        train_model(data, str(tmp_path / "model"), "species", flavour=flavour, task="regression")


def test_an_unknown_flavour_or_task_is_named(tmp_path: Path, flavour: str) -> None:
    data, model = str(tmp_path / "data"), str(tmp_path / "model")
    write_frame(data, samples.iris())
    with pytest.raises(ModelError, match="'lightgbm'; use one of: sklearn, xgboost, catboost"):
        train_model(data, model, "species", flavour="lightgbm")
    with pytest.raises(ModelError, match="'ranking'; use classification or regression"):
        train_model(data, model, "species", flavour=flavour, task="ranking")


@pytest.mark.skipif(bool(util.find_spec("catboost")), reason="this environment has catboost")
def test_a_flavour_that_the_environment_lacks_is_named(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    write_frame(data, samples.iris())
    with pytest.raises(ModelError, match="needs catboost, which this environment does not have"):
        train_model(data, str(tmp_path / "model"), "species", flavour="catboost")


def test_an_unreadable_table_is_named(tmp_path: Path, flavour: str) -> None:
    data = tmp_path / "data"
    data.write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match="data cannot be read"):
        train_model(str(data), str(tmp_path / "model"), "y", flavour=flavour)
