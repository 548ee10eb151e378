"""Real data sets for tests: those that wheels ship, so that no test needs a network.

scikit-learn ships Fisher's iris and the Wisconsin breast cancer data, plotly (which CatBoost
brings along) iris and Gapminder, pyarrow the first rows of the diamonds data. An environment
with none of these gets the example of ``prepare_data``, iris again.
"""

from __future__ import annotations

from importlib import resources, util
from pathlib import Path

import pandas as pd

_EXAMPLE = Path(__file__).parent.parent / "prepare_data" / "examples" / "iris" / "iris.csv"
IRIS_COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


def iris() -> pd.DataFrame:
    """150 flowers: four lengths in cm and ``species``, a text with three values."""
    if util.find_spec("sklearn"):
        from sklearn.datasets import load_iris  # noqa: PLC0415 - not in every environment

        data = load_iris()
        frame = pd.DataFrame(data.data, columns=list(IRIS_COLUMNS))
        return frame.assign(species=[str(data.target_names[each]) for each in data.target])
    return pd.read_csv(_plotly("iris"))[[*IRIS_COLUMNS, "species"]]


def binary() -> tuple[pd.DataFrame, str, float]:
    """A table, its target of two values, and the area under the curve it should reach."""
    if util.find_spec("sklearn"):
        from sklearn.datasets import load_breast_cancer  # noqa: PLC0415 - as above

        return load_breast_cancer(as_frame=True).frame, "target", 0.97
    frame = iris()
    return frame.assign(species=frame["species"] == "virginica"), "species", 0.95


def raw_file(folder: Path) -> tuple[str, str, int]:
    """Path of a data file as it comes from outside, a column to predict, its number of rows."""
    if util.find_spec("sklearn"):
        path = folder / "breast-cancer.csv"
        binary()[0].to_csv(path, index=False)
        return str(path), "target", 569
    if util.find_spec("plotly"):
        return _plotly("gapminder"), "lifeExp", 1704
    if util.find_spec("pyarrow"):
        return diamonds(), "price", 10
    return str(_EXAMPLE), "species", 150


def diamonds() -> str:
    """Path of a Parquet file with ten diamonds, which pyarrow ships."""
    return str(resources.files("pyarrow") / "tests" / "data" / "parquet" / "v0.7.1.parquet")


def _plotly(name: str) -> str:
    return str(resources.files("plotly") / "package_data" / "datasets" / f"{name}.csv.gz")
