"""What was learned in one step is applied in another, to data from anywhere."""

import json
from pathlib import Path

import pandas as pd
import pytest
from kfp.dsl import Artifact, Dataset

from components.apply_features.component import apply_features
from components.shared import samples, transforms
from components.shared.errors import DataError
from components.shared.frames import read_frame


@pytest.fixture
def features(tmp_path: Path) -> Artifact:
    learned = transforms.learn(
        samples.iris(), untouched=["petal_width"], impute="mean", scale="standard", encode="one-hot"
    )
    transforms.write_transforms(str(tmp_path / "features"), learned)
    return Artifact(uri=str(tmp_path / "features"))


def data(folder: Path, frame: pd.DataFrame) -> Dataset:
    frame.to_csv(folder / "data.csv", index=False)
    return Dataset(uri=str(folder / "data.csv"))


def test_a_batch_becomes_what_training_data_became(tmp_path: Path, features: Artifact) -> None:
    """Unknown columns are left out, the order of columns does not matter, the target may lack."""
    out = Dataset(uri=str(tmp_path / "out"))
    frame = samples.iris()
    expected = transforms.read_transforms(features.path).apply(frame, "iris")
    batch = frame.iloc[::-1, ::-1].drop(columns=["petal_width"]).assign(colour="blue")
    assert apply_features(data(tmp_path, batch), features, out).rows == 150
    found = read_frame(out.path)
    pd.testing.assert_frame_equal(
        found, expected.drop(columns=["petal_width"]).iloc[::-1].reset_index(drop=True)
    )
    assert list(found.columns)[-3:] == [
        "species=setosa",
        "species=versicolor",
        "species=virginica",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no such file"),
        ("not json", "cannot be read"),
        ("[]", "not of the schema"),
        (json.dumps({"schema": "components.features/9"}), "not of the schema"),
        (json.dumps({"schema": "components.features/1"}), "cannot be read"),
    ],
)
def test_what_is_not_features_is_refused(tmp_path: Path, content: str, says: str) -> None:
    path, out = tmp_path / "features", Dataset(uri=str(tmp_path / "out"))
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=says):
        apply_features(data(tmp_path, samples.iris()), Artifact(uri=str(path)), out)
    assert not Path(out.path).exists()


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (samples.iris().drop(columns=["sepal_width"]), "learned from: .*sepal_width"),
        (samples.iris().assign(species=1), "species is int64; it was text"),
        (samples.iris()[:0], "has no rows"),
    ],
)
def test_data_that_does_not_fit_is_refused(
    tmp_path: Path, features: Artifact, frame: pd.DataFrame, says: str
) -> None:
    out = Dataset(uri=str(tmp_path / "out"))
    with pytest.raises(DataError, match=says):
        apply_features(data(tmp_path, frame), features, out)
    assert not Path(out.path).exists()
