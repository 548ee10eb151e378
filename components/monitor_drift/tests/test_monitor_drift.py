"""Drift: told where data has moved, and only there; by each measure; refusing what it cannot."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kfp.dsl import HTML, Artifact, Dataset
from scipy import stats

from components.monitor_drift.component import Drift, monitor_drift
from components.monitor_drift.measures import measure
from components.shared.errors import DataError
from components.shared.frames import write_frame


def table(
    rows: int = 1000, seed: int = 0, *, shift: float = 0.0, south: float = 0.5
) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": generator.normal(40 + shift, 10, rows),
            "region": np.where(generator.random(rows) < south, "south", "north"),
            "active": generator.random(rows) < 0.3,
            "since": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(generator.integers(0, 300, rows), "D"),
        }
    )


def monitor(folder: Path, before: pd.DataFrame, now: pd.DataFrame, **given: object) -> Drift:
    """The reference comes as Parquet, what is current as a table of a component."""
    before.to_parquet(folder / "before")
    write_frame(str(folder / "now"), now)
    reference, current = (Dataset(uri=str(folder / name)) for name in ("before", "now"))
    report, figures = HTML(uri=str(folder / "report")), Artifact(uri=str(folder / "figures"))
    return monitor_drift(reference, current, report, figures, **given)


@pytest.mark.parametrize("seed", range(5))
def test_chance_is_no_drift(tmp_path: Path, seed: int) -> None:
    """Two samples of the same distribution are stable, by the thresholds one has by default."""
    told = monitor(tmp_path, table(seed=seed), table(seed=seed + 100))
    assert told == ("stable", False, [], 0.0)


@pytest.mark.parametrize(
    ("now", "columns"),
    [
        (table(seed=1, shift=10), ["age"]),
        (table(seed=1, south=0.9), ["region"]),
        (table(seed=1).assign(active=True), ["active"]),
        (table(seed=1).assign(since=pd.Timestamp("2025-06-01")), ["since"]),
        (
            table(seed=1).assign(region=lambda each: each["region"].where(each["age"] > 35)),
            ["region"],
        ),
        (table(seed=1, shift=10, south=0.9), ["age", "region"]),
    ],
)
def test_what_has_moved_is_told(tmp_path: Path, now: pd.DataFrame, columns: list) -> None:
    """Numbers, texts, booleans, dates and gaps; a report names the column and why."""
    told = monitor(tmp_path, table(), now)
    assert told == ("drift", True, columns, len(columns) / 4)
    page = (tmp_path / "report").read_text()
    assert all(f"<h2>{name}</h2>" in page for name in columns)
    document = json.loads((tmp_path / "figures").read_text())
    assert [each["column"] for each in document["columns"] if each["beyond"]] == columns


def test_measures_are_what_their_papers_say() -> None:
    """By hand: PSI and Jensen-Shannon of two shares; the tests are SciPy's own."""
    first = pd.Series(["a"] * 80 + ["b"] * 20)
    second = pd.Series(["a"] * 50 + ["b"] * 50)
    found = measure("x", first, second)
    assert found.psi == pytest.approx(0.3 * np.log(0.8 / 0.5) + 0.3 * np.log(0.5 / 0.2))
    mean = np.array([0.65, 0.35])
    half = [stats.entropy(each, mean, base=2) / 2 for each in ([0.8, 0.2], [0.5, 0.5])]
    assert found.distance == pytest.approx(np.sqrt(sum(half)))
    assert found.p_value == pytest.approx(stats.chi2_contingency([[80, 20], [50, 50]]).pvalue)
    numbers = measure("x", pd.Series(range(50)), pd.Series(range(25, 75)))
    assert numbers.p_value == pytest.approx(stats.ks_2samp(range(50), range(25, 75)).pvalue)
    assert measure("x", pd.Series([1.0] * 40), pd.Series([1.0] * 40)).psi == 0


def test_thresholds_hold_for_all_or_for_one(tmp_path: Path) -> None:
    now = table(seed=1, shift=10, south=0.9)
    mild = {"psi": 99, "age": {"psi": 0.2}}
    assert monitor(tmp_path, table(), now, thresholds=mild).columns == ["age"]
    assert monitor(tmp_path, table(), now, thresholds={"psi": None}).columns == []
    strict = {"psi": None, "p_value": 0.001}
    assert monitor(tmp_path, table(), now, thresholds=strict).columns == ["age", "region"]
    assert monitor(tmp_path, table(), now, thresholds={"psi": 9, "distance": 0.2}).columns == [
        "age",
        "region",
    ]


def test_one_of_many_columns_need_not_decide(tmp_path: Path) -> None:
    now = table(seed=1, shift=10)
    told = monitor(tmp_path, table(), now, least_share=0.5)
    assert (told.verdict, told.columns) == ("stable", ["age"])


def test_rare_texts_are_one_level(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [f"{each:04}" for each in range(1000)]})
    monitor(tmp_path, frame, frame)
    [found] = json.loads((tmp_path / "figures").read_text())["columns"]
    assert (len(found["labels"]), found["labels"][-1], found["psi"]) == (31, "(others)", 0)


@pytest.mark.parametrize("empty", ["before", "now"])
@pytest.mark.parametrize("column", ["age", "region"])
def test_a_column_of_nothing_has_drifted(tmp_path: Path, column: str, empty: str) -> None:
    """Since all its values are missing, whatever type that leaves it."""
    frames = {"before": table(), "now": table(seed=1)}
    frames[empty] = frames[empty].assign(**{column: None})
    assert monitor(tmp_path, frames["before"], frames["now"]).columns == [column]


@pytest.mark.parametrize(
    ("now", "given", "says"),
    [
        (table()[["age"]], {}, "no column region, active, since; it has: age"),
        (table(), {"columns": ["height"]}, "no column height"),
        (table(10), {}, r"now has 10 rows, fewer than least_rows \(30\)"),
        (table(0), {}, "has no rows"),
        (table().assign(age="old"), {}, "age holds numbers in the reference and texts now"),
        (table(), {"thresholds": {"kl": 1}}, "no measure 'kl' to set a threshold for; use: psi"),
        (table(), {"thresholds": {"psi": "high"}}, "psi is 'high'; it must be a number"),
        (table(), {"thresholds": {"town": {"psi": 1}}}, "for column town; there are: age"),
        (table(), {"least_share": 2}, "least_share is 2"),
    ],
)
def test_bad_input_is_refused_and_nothing_written(
    tmp_path: Path, now: pd.DataFrame, given: dict, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        monitor(tmp_path, table(), now, **given)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before", "now"]


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: there is no such file"):
        monitor_drift(
            *(Dataset(uri=str(tmp_path / "nowhere")) for _ in range(2)),
            HTML(uri=str(tmp_path / "report")),
            Artifact(uri=str(tmp_path / "figures")),
        )
