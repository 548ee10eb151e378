"""Training with one flavour: good models of real data, repeatable, and clear refusals."""

from importlib import util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kfp.dsl import Dataset, Model

from components.prepare_data.component import prepare_data
from components.shared import learning, libraries, metrics, samples
from components.shared.errors import DataError, ModelError
from components.shared.frames import read_frame, write_frame
from components.shared.models import class_indices, load_model, read_signature
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


def known(name: str) -> pd.DataFrame:
    """A data set of this folder; README.md there says where it is from."""
    return pd.read_csv(Path(__file__).parent / "data" / f"{name}.csv")


def rounds_of(flavour: str) -> str:
    """What the library calls the number of its rounds."""
    names = {"sklearn": "max_iter", "catboost": "iterations"}
    networks = dict.fromkeys(("tensorflow", "torch"), "epochs")
    return {**names, **networks}.get(flavour, "num_boost_round")


LEAST_AUC = {"sklearn": 0.97, "xgboost": 0.97, "lightgbm": 0.97, "catboost": 0.98}
"""Area under the curve on tumours: what each library reaches; a network 0.98."""
LEAST_R2 = {"sklearn": 0.25, "xgboost": 0.25, "lightgbm": 0.25, "catboost": 0.35}
"""Share of the variance of diabetes' progress that is explained; a network 0.25."""


def test_tumours_are_told_apart(tmp_path: Path, model: Model, flavour: str) -> None:
    """Twice with one seed, by the same model.

    Bit for bit in what it predicts; in the file as well, but for CatBoost's and TensorFlow's,
    which are dated or numbered.
    """
    train, test = split(tmp_path, known("breast_cancer"), "diagnosis", stratify=True)
    trained = train_model(train, model, "diagnosis", flavour=flavour, seed=3)
    assert trained[:3] == (flavour, len(read_frame(train.path)), 10)
    again = Model(uri=str(tmp_path / "again"))
    train_model(train, again, "diagnosis", flavour=flavour, seed=3)
    frame, one = read_frame(test.path), load_model(model.path)
    found = one.probabilities(frame)
    assert np.array_equal(found, load_model(again.path).probabilities(frame))
    if flavour not in {"catboost", "tensorflow"}:
        assert Path(model.path).read_bytes() == Path(again.path).read_bytes()
    truth = class_indices(frame["diagnosis"], one.signature.classes)
    assert metrics.roc_auc(truth == 1, found[:, 1]) >= LEAST_AUC.get(flavour, 0.98)


def test_a_regression_with_a_text_and_gaps(tmp_path: Path, model: Model, flavour: str) -> None:
    """A text is used as categories, a gap as it is; the best round is kept, not the last."""
    frame = known("diabetes")
    frame.loc[::9, "hdl"] = np.nan
    frame.loc[::11, "sex"] = None
    train, test = split(tmp_path, frame, "progression", stratify=False)
    trained = train_model(
        train,
        model,
        "progression",
        flavour=flavour,
        task="regression",
        early_stopping=10,
        parameters={rounds_of(flavour): 300},
    )
    assert 0 < trained.rounds < 300
    assert model.metadata["rounds"] == trained.rounds
    one = load_model(model.path)
    [sex] = [each for each in one.signature.features if each.categorical]
    assert (sex.name, sex.levels) == ("sex", ("one", "two"))
    frame = read_frame(test.path)
    found = metrics.r2(frame["progression"].to_numpy(dtype="float64"), one.predict(frame))
    assert found >= LEAST_R2.get(flavour, 0.25)


def test_texts_are_classes_and_weights_move_the_line_between_them(
    tmp_path: Path, model: Model, flavour: str
) -> None:
    """A class that counts ten times as much is given more of the doubtful rows."""
    frame = samples.iris().drop(columns=["petal_length", "petal_width"])
    train, test = split(tmp_path, frame, "species", stratify=True)
    shares = {}
    for name in ("versicolor", "virginica"):
        train_model(train, model, "species", flavour=flavour, class_weights={name: 10.0})
        one = load_model(model.path)
        assert one.signature.classes == ("setosa", "versicolor", "virginica")
        shares[name] = one.probabilities(read_frame(test.path)).mean(axis=0)
    assert shares["virginica"][2] > shares["versicolor"][2] + 0.05
    assert shares["versicolor"][1] > shares["virginica"][1] + 0.05


def test_balanced_classes_count_alike() -> None:
    """Whatever library learns from them: the rows of each weigh as much together."""
    target = pd.Series(["a"] * 8 + ["b"] * 2, name="y")
    training = learning.prepare(
        target,
        np.zeros((10, 1)),
        categorical=(False,),
        classes=("a", "b"),
        options=learning.Options(balanced=True, class_weights={"b": 3}),
        parameters={},
    )
    weights = training.rows.weights
    assert weights[:8].sum() == pytest.approx(5)
    assert weights[8:].sum() == pytest.approx(15)


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
    """So many rounds are trained as are asked for; what has no meaning is refused."""
    train, _ = split(tmp_path, samples.iris(), "species", stratify=True)
    made, no = (Model(uri=str(tmp_path / each)) for each in ("made", "no"))
    rounds = {rounds_of(flavour): 2}
    assert train_model(train, made, "species", flavour=flavour, parameters=rounds).rounds == 2
    bad = {"sklearn": {"max_iter": -9}, "xgboost": {"max_depth": -9}, "catboost": {"depth": -9}}
    bad |= {"lightgbm": {"num_leaves": -9}}
    given = bad.get(flavour, {"hidden_units": [-9]})
    with pytest.raises(ModelError, match=f"{flavour} could not train"):
        train_model(train, no, "species", flavour=flavour, parameters=given)
    assert not Path(no.path).exists()


FEW = {
    "sklearn": {"max_leaf_nodes": 2},
    "xgboost": {"max_depth": 1},
    "lightgbm": {"num_leaves": 2},
    "catboost": {"depth": 1},
}
"""Asks for trees of two leaves; of a network for two hidden units."""


def sizes_of(flavour: str, path: str) -> set[int]:
    """How many leaves the trees of a model have, or hidden units the layers of a network."""
    trained = load_model(path).estimator
    if flavour == "sklearn":
        stages = trained._predictors  # noqa: SLF001 - it tells of its trees nowhere else
        return {tree.get_n_leaf_nodes() for stage in stages for tree in stage}
    if flavour == "xgboost":
        return {tree.count("leaf=") for tree in trained.get_dump()}
    if flavour == "lightgbm":
        return {tree["num_leaves"] for tree in trained.dump_model()["tree_info"]}
    if flavour == "catboost":
        return set(trained.get_tree_leaf_counts().tolist())
    if flavour == "tensorflow":
        return {int(weights.shape[1]) for weights, _ in trained.layers[:-1]}
    return {layer.out_features for layer in trained[0][:-1:2]}


def test_what_is_asked_of_a_model_is_how_it_is_built(tmp_path: Path, flavour: str) -> None:
    """The trees that a library has grown are as small as was asked; without that they are not."""
    train, _ = split(tmp_path, known("breast_cancer"), "diagnosis", stratify=True)
    small, usual = (Model(uri=str(tmp_path / each)) for each in ("small", "usual"))
    rounds = {rounds_of(flavour): 5}
    few = FEW.get(flavour, {"hidden_units": [2]})
    train_model(train, small, "diagnosis", flavour=flavour, parameters={**rounds, **few})
    train_model(train, usual, "diagnosis", flavour=flavour, parameters=rounds)
    assert sizes_of(flavour, small.path) == {2}
    assert max(sizes_of(flavour, usual.path)) > 2


def test_lightgbm_is_told_how_to_bin_its_data(tmp_path: Path, flavour: str) -> None:
    """Four bins a feature leave three values to split it at: the table has its parameters too."""
    if flavour != "lightgbm":
        pytest.skip("the others make no table apart from the training")
    train, _ = split(tmp_path, known("breast_cancer"), "diagnosis", stratify=True)
    thresholds = {}
    for bins in (4, 255):
        made = Model(uri=str(tmp_path / f"{bins}"))
        train_model(train, made, "diagnosis", flavour=flavour, parameters={"max_bin": bins})
        nodes = load_model(made.path).estimator.trees_to_dataframe().dropna(subset="threshold")
        thresholds[bins] = nodes.groupby("split_feature")["threshold"].nunique().max()
    assert thresholds[4] <= 3 < thresholds[255]


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


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"flavour": "prophet"}, "'prophet'; use one of: sklearn, xgboost, lightgbm"),
        ({"task": "ranking"}, "'ranking'; use classification or regression"),
        ({"early_stopping": -1}, "early_stopping is -1"),
        ({"early_stopping": 5, "validation_share": 1.0}, "validation_share is 1.0"),
        ({"class_weights": {"rose": 2}}, "class_weights names rose; the target has: setosa"),
        ({"class_weights": {"setosa": 0}}, "weight of class setosa is 0; it must be a number"),
        ({"task": "regression", "balanced": True}, "has no classes that could be"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_has_no_meaning_is_named(
    data: Dataset, model: Model, flavour: str, options: dict, says: str
) -> None:
    write_frame(data.path, samples.iris())
    with pytest.raises(ModelError, match=says):
        train_model(data, model, "species", **{"flavour": flavour, **options})
    assert not Path(model.path).exists()


@pytest.mark.parametrize(
    ("missing", "package"), [("catboost", "catboost"), ("tensorflow", "tensorflow-cpu")]
)
def test_a_flavour_that_the_environment_lacks_is_named(
    data: Dataset, model: Model, missing: str, package: str
) -> None:
    if util.find_spec(missing):
        pytest.skip(f"this environment has {missing}")
    write_frame(data.path, samples.iris())
    with pytest.raises(ModelError, match=f"needs {package}, which this environment does not have"):
        train_model(data, model, "species", flavour=missing)


def test_too_few_rows_to_stop_by_are_told(data: Dataset, model: Model, flavour: str) -> None:
    write_frame(data.path, pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}))
    with pytest.raises(DataError, match="too few to keep 20% of them aside"):
        train_model(data, model, "y", flavour=flavour, early_stopping=5)


def test_an_unreadable_table_is_named(data: Dataset, model: Model, flavour: str) -> None:
    Path(data.path).write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match="data cannot be read"):
        train_model(data, model, "y", flavour=flavour)
