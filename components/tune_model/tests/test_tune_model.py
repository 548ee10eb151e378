"""Tuning: better than the worst and repeatable; a space that means nothing is refused."""

import json
from pathlib import Path

import pandas as pd
import pytest
from kfp.dsl import HTML, Artifact, Dataset, Model

from components.shared import samples
from components.shared.errors import DataError, ModelError
from components.shared.frames import write_frame
from components.train_model.component import train_model
from components.tune_model.component import tune_model

SPACE = {
    "max_depth": {"low": 1, "high": 6},
    "learning_rate": {"low": 0.001, "high": 0.5, "log": True},
}
ROUNDS = {"num_boost_round": 20}


@pytest.fixture
def outputs(tmp_path: Path) -> dict:
    return {
        "trials": Artifact(uri=str(tmp_path / "trials")),
        "report": HTML(uri=str(tmp_path / "report")),
    }


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    data = Dataset(uri=str(tmp_path / "data"))
    write_frame(data.path, samples.iris())
    return data


def test_the_best_is_found_again_and_can_be_trained_with(
    tmp_path: Path, data: Dataset, outputs: dict, flavour: str
) -> None:
    """The least loss of all trials; the same search with the same seed, to the byte."""
    asked = {"target": "species", "space": SPACE, "flavour": flavour, "parameters": ROUNDS}
    found = tune_model(data, **outputs, **asked, max_trials=8, seed=5)
    document = json.loads(Path(outputs["trials"].path).read_text())
    losses = [each["loss"] for each in document["trials"]]
    assert found.loss == min(losses) < 0.5 * max(losses)
    assert (found.tried, found.parameters) == (8, document["best"])
    assert found.parameters["num_boost_round"] == 20
    assert isinstance(found.parameters["max_depth"], int)
    first = Path(outputs["trials"].path).read_bytes()
    tune_model(data, **outputs, **asked, max_trials=8, seed=5)
    assert Path(outputs["trials"].path).read_bytes() == first
    model = Model(uri=str(tmp_path / "model"))
    train_model(data, model, "species", flavour=flavour, parameters=found.parameters)
    assert model.metadata["rounds"] == 20


def test_choices_of_a_regression(data: Dataset, outputs: dict, flavour: str) -> None:
    found = tune_model(
        data,
        **outputs,
        target="petal_width",
        task="regression",
        flavour=flavour,
        space={"num_boost_round": {"choices": [1, 50]}},
        max_trials=4,
    )
    assert found.parameters == {"num_boost_round": 50}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"space": {}}, "names no parameter"),
        ({"space": {"max_depth": 3}}, "the space of max_depth is 3"),
        ({"space": {"max_depth": {"low": 3, "high": 3}}}, "write {low, high}"),
        ({"space": {"eta": {"low": 0, "high": 1, "log": True}}}, "both are above 0"),
        ({"space": {"eta": {"choices": []}}}, "the space of eta"),
        ({"parameters": {"max_depth": 3}}, "has a value as well"),
        ({"flavour": "prophet"}, "no flavour 'prophet'"),
        ({"task": "ranking"}, "no task 'ranking'"),
        ({"max_trials": 0}, "max_trials is 0"),
        (
            {
                "space": {
                    "num_leaves": {"low": -9, "high": -8},
                    "max_depth": {"low": -9, "high": -8},
                }
            },
            "could not train",
        ),
    ],
)
def test_what_has_no_meaning_is_named(
    data: Dataset, outputs: dict, flavour: str, options: dict, says: str
) -> None:
    asked = {"target": "species", "space": SPACE, "flavour": flavour, **options}
    with pytest.raises(ModelError, match=says):
        tune_model(data, **outputs, **asked)
    assert not any(Path(each.path).exists() for each in outputs.values())


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        ({"x": [1, 2], "z": ["a", "b"]}, "no column y"),
        ({"x": [1, 2], "y": ["a", None]}, "y is missing in 1 of 2 rows"),
        ({"x": [], "y": []}, "has no rows"),
        ({"x": [1, 2], "y": ["a", "b"]}, "too few to keep 25% aside"),
    ],
)
def test_data_that_cannot_be_learned_from_is_refused(
    data: Dataset, outputs: dict, flavour: str, frame: dict, says: str
) -> None:
    write_frame(data.path, pd.DataFrame(frame))
    with pytest.raises(DataError, match=says):
        tune_model(data, **outputs, target="y", space=SPACE, flavour=flavour)
    assert not any(Path(each.path).exists() for each in outputs.values())
