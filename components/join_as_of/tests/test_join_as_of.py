"""Joining as of a time: nothing of the future, rows as they were, and clear in what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kfp.dsl import Dataset

from components.join_as_of.component import Joined, join_as_of
from components.shared.errors import DataError
from components.shared.frames import read_frame, write_frame

EVENTS = pd.DataFrame(
    {
        "id": [1, 2, 3, 4],
        "customer": ["a", "b", "a", "c"],
        "at": pd.to_datetime(["2024-03-05", "2024-03-01", "2024-02-01", "2024-03-01"]),
    }
)
HISTORY = pd.DataFrame(
    {
        "customer": ["a", "a", "b", "b"],
        "at": pd.to_datetime(["2024-03-06", "2024-03-04", "2024-03-01", "2024-01-01"]),
        "score": [9.0, 4.0, 2.0, 1.0],
    }
)


def join(
    folder: Path,
    events: pd.DataFrame = EVENTS,
    history: pd.DataFrame = HISTORY,
    **given: object,
) -> tuple[Joined, pd.DataFrame]:
    events.to_parquet(folder / "data")
    history.to_parquet(folder / "history")
    data, past, joined = (Dataset(uri=str(folder / name)) for name in ("data", "history", "joined"))
    told = join_as_of(data, past, joined, **{"on": "at", "by": ["customer"], **given})
    assert joined.metadata == told._asdict()
    return told, pd.read_parquet(joined.path)


def test_each_row_has_the_latest_that_is_not_later(tmp_path: Path) -> None:
    """In the order of the rows; nothing of another customer, and what is unknown is missing."""
    told, found = join(tmp_path)
    assert told == (4, 2)
    assert found.columns.tolist() == ["id", "customer", "at", "score"]
    assert found["id"].tolist() == [1, 2, 3, 4]
    assert found["score"].fillna(-1).tolist() == [4.0, 2.0, -1, -1]


def test_it_agrees_with_a_search_row_by_row(tmp_path: Path) -> None:
    """A second judge: what a loop over a history of chance finds, with ties and gaps."""
    random = np.random.default_rng(4)
    start = pd.Timestamp("2024-01-01")
    events = pd.DataFrame(
        {
            "customer": random.integers(0, 5, 200),
            "at": start + pd.to_timedelta(random.integers(0, 500, 200), "h"),
        }
    )
    history = pd.DataFrame(
        {
            "customer": random.integers(0, 6, 100),
            "known": start + pd.to_timedelta(random.integers(0, 500, 100), "h"),
            "value": range(100),
        }
    )
    _, found = join(tmp_path, events, history, history_on="known", within="3d")
    for event, value in zip(events.itertuples(), found["value"], strict=True):
        age = event.at - history["known"]
        fits = history[
            (history["customer"] == event.customer)
            & (age >= pd.Timedelta(0))
            & (age <= pd.Timedelta(days=3))
        ]
        if fits.empty:
            assert pd.isna(value)
        else:
            assert value == fits[fits["known"] == fits["known"].max()]["value"].iloc[-1]


def test_the_very_moment_counts_or_not(tmp_path: Path) -> None:
    assert join(tmp_path)[1]["score"][1] == 2.0
    assert join(tmp_path, same_moment=False)[1]["score"][1] == 1.0


@pytest.mark.parametrize(("within", "matched"), [("", 2), ("1d", 2), ("12h", 1)])
def test_what_is_known_may_be_too_old(tmp_path: Path, within: str, matched: int) -> None:
    assert join(tmp_path, within=within)[0].matched == matched


def test_numbers_tell_when_too(tmp_path: Path) -> None:
    """Nanoseconds of a clock to the last digit; and a column need not be shared by name."""
    clock = 1_700_000_000_000_000_001
    events = pd.DataFrame({"at": [clock, clock + 2]})
    history = pd.DataFrame({"clock": [clock + 1, clock], "value": ["late", "early"]})
    _, found = join(tmp_path, events, history, by=None, history_on="clock")
    assert found["value"].tolist() == ["early", "late"]
    told, _ = join(tmp_path, events * 1.0, history, by=None, history_on="clock", within="0.5")
    assert told.rows == 2


def test_days_zones_and_texts_are_moments(tmp_path: Path) -> None:
    """Midnight in Berlin is before midnight in UTC; a CSV's ISO 8601 is read as what it is."""
    history = HISTORY.assign(at=HISTORY["at"].dt.tz_localize("Europe/Berlin"))
    assert join(tmp_path, history=history, same_moment=False)[1]["score"][1] == 2.0
    days = HISTORY.assign(at=HISTORY["at"].dt.date)
    assert join(tmp_path, history=days)[0].matched == 2
    texts = HISTORY.assign(at=HISTORY["at"].dt.strftime("%Y-%m-%dT%H:%M:%S"))
    assert join(tmp_path, history=texts)[0].matched == 2


def test_some_columns_are_added(tmp_path: Path) -> None:
    history = HISTORY.assign(id=7, more=[1, 2, 3, 4])
    _, found = join(tmp_path, history=history, columns=["more"])
    assert found.columns.tolist() == ["id", "customer", "at", "more"]


def test_tables_of_other_steps_are_read_and_written(tmp_path: Path) -> None:
    write_frame(str(tmp_path / "data"), EVENTS)
    HISTORY.to_csv(tmp_path / "history", index=False)
    data, past, joined = (
        Dataset(uri=str(tmp_path / name)) for name in ("data", "history", "joined")
    )
    join_as_of(data, past, joined, on="at", by=["customer"], format="package")
    found = read_frame(joined.path)
    pd.testing.assert_frame_equal(found[EVENTS.columns], read_frame(data.path))
    assert found["score"].fillna(-1).tolist() == [4.0, 2.0, -1, -1]


@pytest.mark.parametrize(
    ("events", "history", "given", "says"),
    [
        (EVENTS, HISTORY, {"on": "when"}, "data has no column when; it has: id"),
        (EVENTS, HISTORY, {"by": ["shop"]}, "data has no column shop"),
        (EVENTS, HISTORY, {"history_on": "known"}, "history has no column known"),
        (EVENTS, HISTORY, {"columns": ["town"]}, "history has no column town"),
        (EVENTS, HISTORY, {"within": "soon"}, "cannot be joined"),
        (EVENTS, HISTORY, {"format": "csv"}, "no format 'csv'"),
        (EVENTS[:0], HISTORY, {}, "data has no rows"),
        (EVENTS, HISTORY[:0], {}, "history has no rows"),
        (EVENTS.assign(at=None), HISTORY, {}, "at is missing in 4 of 4 rows"),
        (EVENTS, HISTORY.assign(at=pd.NaT), {}, "at is missing in 4 of 4 rows"),
        (EVENTS, HISTORY.assign(at=range(4)), {}, "one is no time"),
        (EVENTS, HISTORY.assign(at="soon"), {}, "at holds texts that are no times, such as 'soon'"),
        (EVENTS.assign(at=True), HISTORY, {}, "at tells no time: it is Boolean"),
        (EVENTS.assign(at=range(4)), HISTORY.assign(at=range(4)), {"within": "1d"}, "a number"),
        (EVENTS, HISTORY.assign(id=1), {}, "both tables have id; choose others by `columns`"),
        (EVENTS.assign(customer=1), HISTORY, {}, "cannot be joined"),
    ],
)
def test_bad_input_is_refused_and_nothing_written(
    tmp_path: Path, events: pd.DataFrame, history: pd.DataFrame, given: dict, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        join(tmp_path, events, history, **given)
    assert not (tmp_path / "joined").exists()


@pytest.mark.parametrize("which", ["data", "history"])
def test_an_unreadable_file_is_named(tmp_path: Path, which: str) -> None:
    EVENTS.to_parquet(tmp_path / "data")
    HISTORY.to_parquet(tmp_path / "history")
    (tmp_path / which).write_bytes(b"PAR1 and no more")
    data, past, joined = (
        Dataset(uri=str(tmp_path / name)) for name in ("data", "history", "joined")
    )
    with pytest.raises(DataError, match=rf"{which} is no Parquet"):
        join_as_of(data, past, joined, on="at")
    assert not (tmp_path / "joined").exists()
