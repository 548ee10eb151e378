"""Real data sets for tests: those that wheels ship, so that no test needs a network.

Fisher's iris is in the repository, for every environment. scikit-learn ships wines, plotly
(which CatBoost brings along) Gapminder, pyarrow the first rows of the diamonds data.
"""

from __future__ import annotations

import io
from importlib import resources, util
from typing import TYPE_CHECKING

import pandas as pd

from components.shared.samples_iris import CSV

if TYPE_CHECKING:
    from pathlib import Path

IRIS_COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


def iris() -> pd.DataFrame:
    """150 flowers: four lengths in cm and ``species``, a text with three values."""
    return pd.read_csv(io.StringIO(CSV))


def binary() -> tuple[pd.DataFrame, str]:
    """A table and its target of two values."""
    frame = iris()
    return frame.assign(species=frame["species"] == "virginica"), "species"


def raw_file(folder: Path) -> tuple[str, str, int]:
    """Path of a data file as it comes from outside, a column to predict, its number of rows."""
    if util.find_spec("sklearn"):
        path = resources.files("sklearn") / "datasets" / "data" / "wine_data.csv"
        text = path.read_text().partition("\n")[2]
        table = pd.read_csv(io.StringIO(text), header=None).add_prefix("column_")
        table.to_csv(folder / "wine.csv", index=False)
        return str(folder / "wine.csv"), "column_13", 178
    if util.find_spec("plotly"):
        gapminder = resources.files("plotly") / "package_data" / "datasets" / "gapminder.csv.gz"
        return str(gapminder), "lifeExp", 1704
    if util.find_spec("pyarrow"):
        return diamonds(), "price", 10
    (folder / "iris.csv").write_text(CSV)
    return str(folder / "iris.csv"), "species", 150


def diamonds() -> str:
    """Path of a Parquet file with ten diamonds, which pyarrow ships."""
    return str(resources.files("pyarrow") / "tests" / "data" / "parquet" / "v0.7.1.parquet")
