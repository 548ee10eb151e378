"""Judging: right figures, as scikit-learn computes them where it is, and clear refusals."""

import json
import zipfile
from collections.abc import Callable
from importlib import util
from pathlib import Path

import numpy as np
import pytest
from kfp.dsl import HTML, Dataset, Metrics, Model

from components.evaluate_model.component import evaluate_model
from components.shared import libraries, metrics, samples
from components.shared.errors import DataError, ModelError
from components.shared.frames import write_frame
from components.train_model.samples_trained import write_model


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    data = Dataset(uri=str(tmp_path / "data"))
    write_frame(data.path, samples.iris())
    return data


@pytest.fixture
def model(tmp_path: Path, flavour: str) -> Model:
    return write_model(tmp_path, flavour)


@pytest.fixture
def report(tmp_path: Path) -> Metrics:
    return Metrics(uri=str(tmp_path / "metrics"))


@pytest.fixture
def page(tmp_path: Path) -> HTML:
    return HTML(uri=str(tmp_path / "page"))


@pytest.fixture
def judge(report: Metrics, page: HTML) -> Callable:
    """Evaluate into the two artifacts of a test."""
    return lambda data, model, **more: evaluate_model(data, model, report, page, **more)


def resign(model: Model, **changes: object) -> None:
    """Change a model's signature, and leave its content."""
    with zipfile.ZipFile(model.path) as archive:
        signature = json.loads(archive.read("signature.json"))
        content = archive.read("model")
    with zipfile.ZipFile(model.path, "w") as archive:
        archive.writestr("signature.json", json.dumps(signature | changes))
        archive.writestr("model", content)


def test_the_figures_are_returned_logged_and_written(
    data: Dataset, model: Model, report: Metrics, flavour: str, judge: Callable
) -> None:
    figures = judge(data, model)
    assert report.metadata == figures
    assert json.loads(Path(report.path).read_text()) == {
        "schema": "components.metrics/1",
        "flavour": flavour,
        "task": "classification",
        "target": "species",
        "rows": 150,
        "metrics": figures,
        "slices": [],
    }
    assert figures["accuracy"] >= 0.97
    assert 0 < figures["log_loss"] < 0.2


def test_slices_are_judged_by_themselves(
    data: Dataset, model: Model, report: Metrics, page: HTML, judge: Callable
) -> None:
    """Their rows are all rows, their figures those of a table of them alone; the page shows it."""
    whole = judge(data, model, slices=["species"])
    parts = json.loads(Path(report.path).read_text())["slices"]
    assert [(part["value"], part["rows"]) for part in parts] == [
        ("setosa", 50),
        ("versicolor", 50),
        ("virginica", 50),
    ]
    mean = sum(part["metrics"]["accuracy"] for part in parts) / 3
    assert mean == pytest.approx(whole["accuracy"])
    text = Path(page.path).read_text()
    assert '<td>species virginica</td><td class="number">50</td>' in text
    assert "<script" not in text


def test_the_page_shows_what_is_behind_the_figures(
    tmp_path: Path, model: Model, page: HTML, judge: Callable, flavour: str
) -> None:
    """Who is taken for whom; of two classes the ROC curve; of a regression every row."""
    data = Dataset(uri=str(tmp_path / "data"))
    write_frame(data.path, samples.iris())
    assert "ROC" not in (judge(data, model) and Path(page.path).read_text())
    write_frame(data.path, samples.binary()[0])
    judge(data, write_model(tmp_path, flavour, of="virginica"))
    assert "ROC curve" in Path(page.path).read_text()
    write_frame(data.path, samples.iris())
    judge(data, write_model(tmp_path, flavour, of="petal_width"))
    assert Path(page.path).read_text().count("<circle") == 150


def test_a_slice_of_many_values_is_refused(
    data: Dataset, model: Model, report: Metrics, page: HTML, judge: Callable
) -> None:
    write_frame(data.path, samples.iris().assign(key=range(150)))
    with pytest.raises(DataError, match="the slice key has 150 values"):
        judge(data, model, slices=["key"])
    with pytest.raises(DataError, match="no column colour"):
        judge(data, model, slices=["colour"])
    assert not Path(report.path).exists()
    assert not Path(page.path).exists()


def test_one_class_alone_has_no_area_under_the_curve(
    tmp_path: Path, flavour: str, judge: Callable
) -> None:
    """A figure that the data does not define is left out, and the JSON stays valid."""
    frame, target = samples.binary()
    data, one = (Dataset(uri=str(tmp_path / name)) for name in ("data", "one"))
    model = write_model(tmp_path, flavour, of="virginica")
    write_frame(data.path, frame)
    write_frame(one.path, frame[frame[target] == frame[target].iloc[0]])
    assert set(judge(one, model)) == {"accuracy", "log_loss"}


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
def test_data_that_does_not_fit_is_refused(
    model: Model, report: Metrics, judge: Callable, change, says: str
) -> None:
    other = Dataset(uri=f"{report.uri}-of")
    write_frame(other.path, change(samples.iris()))
    with pytest.raises(DataError, match=says):
        judge(other, model)
    assert not Path(report.path).exists()


def test_a_model_of_another_version_is_refused(
    data: Dataset, model: Model, flavour: str, judge: Callable
) -> None:
    """scikit-learn's must be the same; XGBoost and CatBoost read what older ones wrote."""
    library = next(iter(libraries.versions(flavour)))
    resign(model, versions=libraries.versions(flavour) | {library: "99.0.0"})
    with pytest.raises(ModelError, match=rf"written with {library} 99\.0\.0"):
        judge(data, model)
    resign(model, versions=libraries.versions(flavour) | {library: "1.0.0"})
    if flavour == "sklearn":
        with pytest.raises(ModelError, match="the environment it was trained in"):
            judge(data, model)
    else:
        judge(data, model)


def test_a_model_is_checked_before_it_is_loaded(
    tmp_path: Path, data: Dataset, model: Model, judge: Callable
) -> None:
    resign(model, sha256="0" * 64)
    with pytest.raises(ModelError, match="is damaged"):
        judge(data, model)
    resign(model, schema="components.model/9")
    with pytest.raises(ModelError, match=r"has the schema 'components\.model/9'"):
        judge(data, model)
    with pytest.raises(ModelError, match="there is no such file"):
        judge(data, Model(uri=str(tmp_path / "nowhere")))
    with pytest.raises(ModelError, match="cannot be read"):
        judge(data, Model(uri=data.uri))


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
