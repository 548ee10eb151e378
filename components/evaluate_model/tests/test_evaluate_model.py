"""Judging: right figures, as scikit-learn computes them where it is, and clear refusals."""

import json
import zipfile
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from components.evaluate_model.component import evaluate_model
from components.shared import libraries, metrics, samples
from components.shared.errors import DataError, ModelError
from components.shared.frames import write_frame
from components.train_model.component import train_model


@pytest.fixture
def data(tmp_path: Path) -> str:
    path = str(tmp_path / "data")
    write_frame(path, samples.iris())
    return path


@pytest.fixture
def model(tmp_path: Path, data: str, flavour: str) -> str:
    path = str(tmp_path / "model")
    train_model(data, path, "species", flavour=flavour)
    return path


def resign(model: str, **changes: object) -> None:
    """Change a model's signature, and leave its content."""
    with zipfile.ZipFile(model) as archive:
        signature = json.loads(archive.read("signature.json"))
        content = archive.read("model")
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("signature.json", json.dumps(signature | changes))
        archive.writestr("model", content)


def test_the_figures_are_returned_and_written(
    tmp_path: Path, data: str, model: str, flavour: str
) -> None:
    path = tmp_path / "metrics.json"
    figures = evaluate_model(data, model, str(path))
    assert json.loads(path.read_text()) == {
        "schema": "components.metrics/1",
        "flavour": flavour,
        "task": "classification",
        "target": "species",
        "rows": 150,
        "metrics": figures,
    }
    assert figures["accuracy"] >= 0.97
    assert 0 < figures["log_loss"] < 0.2


def test_one_class_alone_has_no_area_under_the_curve(tmp_path: Path, flavour: str) -> None:
    """A figure that the data does not define is left out, and the JSON stays valid."""
    frame, target, _ = samples.binary()
    data, model, one = (str(tmp_path / name) for name in ("data", "model", "one"))
    write_frame(data, frame)
    train_model(data, model, target, flavour=flavour)
    write_frame(one, frame[frame[target] == frame[target].iloc[0]])
    assert set(evaluate_model(one, model, str(tmp_path / "metrics"))) == {"accuracy", "log_loss"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda frame: frame.drop(columns=["species"]), "no column species"),
        (lambda frame: frame.drop(columns=["petal_width"]), "trained on: petal_width"),
        (lambda frame: frame.assign(species="sunflower"), "sunflower; the model knows: setosa"),
        (lambda frame: frame.assign(petal_width="wide"), "the model has numbers there"),
        (lambda frame: frame.assign(species=None), "missing in 150 of 150"),
        (lambda frame: frame[:0], "has no rows"),
    ],
)
def test_data_that_does_not_fit_is_refused(tmp_path: Path, model: str, change, says: str) -> None:
    other, path = str(tmp_path / "other"), tmp_path / "metrics"
    write_frame(other, change(samples.iris()))
    with pytest.raises(DataError, match=says):
        evaluate_model(other, model, str(path))
    assert not path.exists()


def test_a_model_of_another_version_is_refused(
    tmp_path: Path, data: str, model: str, flavour: str
) -> None:
    """scikit-learn's must be the same; XGBoost and CatBoost read what older ones wrote."""
    library = next(iter(libraries.versions(flavour)))
    resign(model, versions=libraries.versions(flavour) | {library: "99.0.0"})
    with pytest.raises(ModelError, match=rf"written with {library} 99\.0\.0"):
        evaluate_model(data, model, str(tmp_path / "metrics"))
    resign(model, versions=libraries.versions(flavour) | {library: "1.0.0"})
    if flavour == "sklearn":
        with pytest.raises(ModelError, match="the environment it was trained in"):
            evaluate_model(data, model, str(tmp_path / "metrics"))
    else:
        evaluate_model(data, model, str(tmp_path / "metrics"))


def test_a_model_is_checked_before_it_is_loaded(tmp_path: Path, data: str, model: str) -> None:
    resign(model, sha256="0" * 64)
    with pytest.raises(ModelError, match="is damaged"):
        evaluate_model(data, model, str(tmp_path / "metrics"))
    resign(model, schema="components.model/9")
    with pytest.raises(ModelError, match=r"has the schema 'components\.model/9'"):
        evaluate_model(data, model, str(tmp_path / "metrics"))
    with pytest.raises(ModelError, match="there is no such file"):
        evaluate_model(data, str(tmp_path / "nowhere"), str(tmp_path / "metrics"))
    with pytest.raises(ModelError, match="cannot be read"):
        evaluate_model(data, data, str(tmp_path / "metrics"))


def test_figures_worked_by_hand() -> None:
    truth, score = np.array([True, False, True, False]), np.array([0.9, 0.5, 0.5, 0.1])
    assert metrics.roc_auc(truth, score) == 3.5 / 4
    assert metrics.accuracy(np.array([0, 1, 2]), np.array([0, 1, 1])) == pytest.approx(2 / 3)
    assert metrics.log_loss(np.array([0]), np.array([[0.5, 0.5]])) == pytest.approx(np.log(2))
    one, two = np.array([1.0, 3.0]), np.array([2.0, 5.0])
    assert metrics.rmse(one, two) == pytest.approx(np.sqrt(2.5))
    assert (metrics.mae(one, two), metrics.r2(one, two)) == (1.5, -1.5)


@pytest.mark.skipif(not util.find_spec("sklearn"), reason="this environment has no scikit-learn")
def test_figures_agree_with_scikit_learn() -> None:
    from sklearn import metrics as judge  # noqa: PLC0415 - not in every environment

    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 500).astype(bool)
    score = (truth + generator.normal(size=500)).round(1)  # with ties
    assert metrics.roc_auc(truth, score) == pytest.approx(judge.roc_auc_score(truth, score))
    rows = generator.dirichlet(np.ones(3), 500)
    labels = generator.integers(0, 3, 500)
    assert metrics.log_loss(labels, rows) == pytest.approx(judge.log_loss(labels, rows))
    assert metrics.r2(score, rows[:, 0]) == pytest.approx(judge.r2_score(score, rows[:, 0]))
