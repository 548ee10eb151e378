"""Importances: what matters is found, what does not has none; the same in every run."""

import json
from pathlib import Path

import pandas as pd
import pytest
from kfp.dsl import HTML, Artifact, Dataset, Model

from components.explain_model.component import explain_model
from components.shared import samples
from components.shared.errors import DataError, ModelError
from components.shared.frames import write_frame
from components.train_model.component import train_model
from components.train_model.samples_trained import write_model


@pytest.fixture
def outputs(tmp_path: Path) -> dict:
    return {
        "importances": Artifact(uri=str(tmp_path / "importances")),
        "report": HTML(uri=str(tmp_path / "report")),
    }


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Iris beside a column of noise, and one that is always the same."""
    frame = samples.iris().assign(noise=[(n * 7919) % 101 for n in range(150)], same=1)
    data = Dataset(uri=str(tmp_path / "data"))
    write_frame(data.path, frame)
    return data


@pytest.fixture
def model(data: Dataset, flavour: str) -> Model:
    model = Model(uri=f"{data.uri}-model")
    rounds = {"sklearn": "max_iter", "catboost": "iterations"}
    rounds |= dict.fromkeys(("tensorflow", "torch"), "epochs")
    parameters = {rounds.get(flavour, "num_boost_round"): 30}
    train_model(data, model, "species", flavour=flavour, parameters=parameters)
    return model


def test_what_matters_comes_first(data: Dataset, outputs: dict, model: Model, flavour: str) -> None:
    """The petals decide, the constant does nothing; twice the same, in JSON and on the page."""
    found = explain_model(data, model, **outputs, repeats=3)
    assert set(list(found)[:2]) <= {"petal_length", "petal_width", "sepal_width", "sepal_length"}
    assert next(iter(found)).startswith("petal")
    assert found["same"] == 0
    assert found["noise"] < 0.25 * next(iter(found.values()))
    document = json.loads(Path(outputs["importances"].path).read_text())
    assert [row["feature"] for row in document["importances"]] == list(found)
    own = {row["feature"]: row["library"] for row in document["importances"]}
    if flavour in {"sklearn", "tensorflow", "torch"}:
        assert set(own.values()) == {None}
    else:
        assert own["same"] == 0 < own["petal_length"]
    first = [Path(each.path).read_bytes() for each in outputs.values()]
    assert explain_model(data, model, **outputs, repeats=3) == found
    assert [Path(each.path).read_bytes() for each in outputs.values()] == first


def test_a_regression_by_some_rows(
    tmp_path: Path, data: Dataset, outputs: dict, flavour: str
) -> None:
    """A text among its features; of a large table so many rows as were asked for."""
    model = write_model(tmp_path, flavour, of="petal_width")
    found = explain_model(data, model, **outputs, repeats=2, max_rows=60)
    assert max(found, key=found.get) in {"petal_length", "species"}
    document = json.loads(Path(outputs["importances"].path).read_text())
    assert (document["loss"], document["rows"]) == ("rmse", 60)


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (lambda frame: frame.drop(columns=["species"]), {}, "no column species"),
        (lambda frame: frame.drop(columns=["sepal_width"]), {}, "trained on: sepal_width"),
        (lambda frame: frame.assign(species=None), {}, "missing in 150 of 150"),
        (lambda frame: frame.assign(sepal_width="wide"), {}, "the model has numbers there"),
        (lambda frame: frame[:0], {}, "has no rows"),
        (lambda frame: frame, {"repeats": 0}, "repeats is 0"),
    ],
)
def test_data_that_does_not_fit_is_refused(
    tmp_path: Path, outputs: dict, flavour: str, *, change, options: dict, says: str
) -> None:
    model = write_model(tmp_path, flavour)
    data = Dataset(uri=str(tmp_path / "other"))
    write_frame(data.path, pd.DataFrame(change(samples.iris())))
    with pytest.raises(DataError, match=says):
        explain_model(data, model, **outputs, **options)
    with pytest.raises(ModelError, match="cannot be read"):
        explain_model(data, Model(uri=data.uri), **outputs)
    assert not any(Path(each.path).exists() for each in outputs.values())
