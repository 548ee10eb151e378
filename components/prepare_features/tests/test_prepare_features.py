"""Filling, scaling, encoding: learned from training data alone, written whole or not at all."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kfp.dsl import Artifact, Dataset

from components.prepare_features.component import prepare_features
from components.shared import samples
from components.shared.errors import DataError
from components.shared.frames import read_frame, write_frame

TRAIN = {
    "id": [1, 2, 3, 4],
    "age": [20.0, None, 40.0, 60.0],
    "member": [True, False, True, True],
    "town": ["Ulm", "Bern", None, "Ulm"],
    "y": ["a", "b", "a", "b"],
}
TEST = {
    "id": [5, 6],
    "age": [None, 100.0],
    "member": [False, True],
    "town": ["Rome", "Bern"],
    "y": ["b", "a"],
}
OUTPUTS = ("train_features", "test_features", "features")


def prepare(folder: Path, train: dict, test: dict, **options: object) -> int:
    data = {}
    for name, frame in (("train_data", train), ("test_data", test)):
        data[name] = Dataset(uri=str(folder / name))
        write_frame(data[name].path, pd.DataFrame(frame))
    kinds = {"features": Artifact}
    outputs = {name: kinds.get(name, Dataset)(uri=str(folder / name)) for name in OUTPUTS}
    return prepare_features(**data, **outputs, **{"target": "y", **options}).columns


def read(folder: Path, name: str) -> pd.DataFrame:
    return read_frame(str(folder / name))


def test_the_test_table_is_made_by_what_training_data_taught(tmp_path: Path) -> None:
    """Its own mean, median and texts count for nothing."""
    assert prepare(tmp_path, TRAIN, TEST, keep=["id"]) == 4
    train, test = read(tmp_path, "train_features"), read(tmp_path, "test_features")
    assert list(train.columns) == ["id", "y", "age", "member", "town=Bern", "town=Ulm"]
    assert train["age"].mean() == pytest.approx(0)
    assert train["age"].std(ddof=0) == pytest.approx(1)
    assert train["age"][1] == pytest.approx(0)  # the median, 40, is the mean here too
    assert test["age"].tolist() == pytest.approx([0, 60 / np.std([20, 40, 40, 60])])
    assert test[["town=Bern", "town=Ulm"]].to_numpy().tolist() == [[0, 0], [1, 0]]
    assert test["id"].tolist() == [5, 6]


def test_each_way_can_be_left_out(tmp_path: Path) -> None:
    prepare(tmp_path, TRAIN, TEST, impute="none", scale="none", encode="codes")
    train = read(tmp_path, "train_features")
    assert np.array_equal(train["age"], TRAIN["age"], equal_nan=False) is False
    assert np.isnan(train["age"][1])
    assert train["town"].tolist()[:2] == [1.0, 0.0]
    prepare(tmp_path, TRAIN, TEST, impute="mean", scale="none", encode="none")
    train = read(tmp_path, "train_features")
    assert train["age"].tolist() == [20, 40, 40, 60]
    assert train["town"].tolist()[0] == "Ulm"


def test_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    """JSON of plain values: what any environment reads."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    frame = samples.iris().to_dict("list")
    for name in ("a", "b"):
        prepare(tmp_path / name, frame, frame, target="species")
    for name in OUTPUTS:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    found = json.loads((tmp_path / "a" / "features").read_text())
    assert [each["name"] for each in found["columns"]] == list(samples.IRIS_COLUMNS)


@pytest.mark.parametrize(
    ("train", "test", "options", "says"),
    [
        ({"x": [1], "y": ["a"]}, TEST, {"target": "z"}, "no column z"),
        (TRAIN, {"x": [1], "y": ["a"]}, {}, "lacks columns that were learned from: .*age"),
        (TRAIN, {**TEST, "age": ["old", "new"]}, {}, "column age is .*; it was number"),
        (TRAIN, {**TEST, "town": [1, 2]}, {}, "column town is int64; it was text"),
        ({**TRAIN, "age": [np.inf] * 4}, TEST, {}, "age holds infinity"),
        ({**TRAIN, "age": [None] * 4}, TEST, {}, "age has no values"),
        ({"y": ["a"]}, {"y": ["a"]}, {}, "no column to learn from"),
        ({"x": pd.to_datetime(["2024-01-01"]), "y": ["a"]}, TEST, {}, "x holds dates"),
        ({"x": [str(n) for n in range(101)], "y": ["a"] * 101}, TEST, {}, "101 different texts"),
        ({**TRAIN, "town=Ulm": [1] * 4}, TEST, {}, "two columns would be named town=Ulm"),
        ({name: [] for name in TRAIN}, TEST, {}, "has no rows"),
        (TRAIN, TEST, {"impute": "zero"}, "no impute 'zero'; use one of: median"),
        (TRAIN, TEST, {"scale": "unit"}, "no scale 'unit'"),
        (TRAIN, TEST, {"encode": "hash"}, "no encode 'hash'"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, train: dict, test: dict, options: dict, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        prepare(tmp_path, train, test, **options)
    assert not any((tmp_path / name).exists() for name in OUTPUTS)
