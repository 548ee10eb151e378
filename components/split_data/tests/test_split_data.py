"""Splitting: complete, repeatable, blind to the order of rows, and clear in what it refuses."""

from pathlib import Path

import pandas as pd
import pytest
from kfp.dsl import Dataset

from components.shared.errors import DataError
from components.shared.frames import read_frame
from components.split_data.component import split_data

FRAME = pd.DataFrame(
    {
        "customer": [f"C-{each:03}" for each in range(200)],
        "region": ["north" if each % 4 == 0 else "south" for each in range(200)],
        "shop": [each % 10 for each in range(200)],
        "day": pd.to_datetime("2024-01-01")
        + pd.to_timedelta([each // 4 for each in range(200)], "D"),
    }
)
SPLIT_OF_SEED_5 = ["C-000", "C-008", "C-014", "C-018", "C-020", "C-023", "C-024"]
NAMES = ("train", "validation", "test")


def split(folder: Path, frame: pd.DataFrame = FRAME, **given: object) -> dict[str, pd.DataFrame]:
    """The three tables that a table becomes, having come as Parquet."""
    frame.to_parquet(folder / "data.parquet")
    data = Dataset(uri=str(folder / "data.parquet"))
    tables = [Dataset(uri=str(folder / name)) for name in NAMES]
    told = split_data(data, *tables, **given)
    found = [read_frame(table.path, empty=True) for table in tables]
    assert list(told) == [len(each) for each in found] == [each.metadata["rows"] for each in tables]
    return dict(zip(NAMES, found, strict=True))


def customers(table: pd.DataFrame) -> set:
    return set(table["customer"])


@pytest.mark.parametrize(
    ("way", "by", "key"),
    [
        ("random", "", ""),
        ("random", "", "customer"),
        ("stratified", "region", ""),
        ("stratified", "region", "customer"),
        ("group", "shop", ""),
        ("time", "day", ""),
    ],
)
def test_every_row_is_in_one_table(tmp_path: Path, way: str, by: str, key: str) -> None:
    """Nothing is lost or doubled, shares are about met, and types survive."""
    found = split(tmp_path, way=way, by=by, key=key, validation_share=0.2, seed=3)
    whole = pd.concat(found.values()).sort_values("customer", ignore_index=True)
    expected = FRAME.assign(customer=whole["customer"])
    pd.testing.assert_frame_equal(whole, expected, check_dtype=False)
    assert [len(each) for each in found.values()] == pytest.approx([120, 40, 40], abs=16)


@pytest.mark.parametrize(
    ("way", "by"), [("random", ""), ("stratified", "region"), ("group", "shop"), ("time", "day")]
)
def test_the_order_of_rows_does_not_matter(tmp_path: Path, way: str, by: str) -> None:
    """Where rows have a key; another seed gives another split, save by time."""
    first = split(tmp_path, way=way, by=by, key="customer", seed=1)
    mixed = FRAME.sample(frac=1, random_state=7)
    second = split(tmp_path, mixed, way=way, by=by, key="customer", seed=1)
    other = split(tmp_path, way=way, by=by, key="customer", seed=2)
    assert [customers(first[name]) for name in NAMES] == [customers(second[name]) for name in NAMES]
    assert (customers(first["test"]) == customers(other["test"])) == (way == "time")


def test_a_row_stays_where_it_is_when_others_come(tmp_path: Path) -> None:
    part = split(tmp_path, FRAME[:100], key="customer", seed=1)
    whole = split(tmp_path, FRAME, key="customer", seed=1)
    known = set(FRAME["customer"][:100])
    assert customers(part["test"]) == customers(whole["test"]) & known


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    split(tmp_path, seed=1)
    first = (tmp_path / "test").read_bytes()
    split(tmp_path, seed=1)
    assert (tmp_path / "test").read_bytes() == first


def test_the_seed_decides_alike_everywhere(tmp_path: Path) -> None:
    """These rows, whichever pandas or Python makes the split."""
    found = split(tmp_path, FRAME[:30], key="customer", seed=5)["test"]
    assert found["customer"].tolist() == SPLIT_OF_SEED_5


def test_strata_keep_their_shares(tmp_path: Path) -> None:
    found = split(tmp_path, way="stratified", by="region", validation_share=0.1)
    assert found["test"]["region"].value_counts().to_dict() == {"south": 30, "north": 10}
    assert found["validation"]["region"].value_counts().to_dict() == {"south": 15, "north": 5}


def test_groups_are_not_divided(tmp_path: Path) -> None:
    found = split(tmp_path, way="group", by="shop", validation_share=0.2, seed=1)
    shops = [set(each["shop"]) for each in found.values()]
    assert sum(map(len, shops)) == len(set.union(*shops)) == 10


def test_the_test_is_later_than_the_training(tmp_path: Path) -> None:
    """No moment is in two tables."""
    found = split(tmp_path, way="time", by="day", validation_share=0.1, test_share=0.203)
    assert found["train"]["day"].max() < found["validation"]["day"].min()
    assert found["validation"]["day"].max() < found["test"]["day"].min()


def test_types_of_databases_are_made_plain(tmp_path: Path) -> None:
    """Instants become UTC, days dates: what a lean environment can read again."""
    frame = FRAME.assign(
        instant=FRAME["day"].dt.tz_localize("Europe/Berlin"), date=FRAME["day"].dt.date
    )
    found = split(tmp_path, frame)["train"]
    assert (found["instant"] == found["day"] - pd.Timedelta(hours=1)).all()
    assert (found["date"] == found["day"]).all()


def test_parquet_can_be_asked_for(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "data.csv", index=False)
    tables = [Dataset(uri=str(tmp_path / name)) for name in NAMES]
    split_data(Dataset(uri=str(tmp_path / "data.csv")), *tables, format="parquet")
    assert sum(len(pd.read_parquet(table.path)) for table in tables) == 200


@pytest.mark.parametrize(
    ("frame", "given", "says"),
    [
        (FRAME, {"way": "bootstrap"}, "no way 'bootstrap' to split; use one of: random"),
        (FRAME, {"way": "group"}, "group needs `by`"),
        (FRAME, {"by": "shop"}, "random splits by nothing"),
        (FRAME, {"way": "group", "by": "town"}, "no column town; it has: customer"),
        (FRAME, {"key": "id"}, "no column id"),
        (FRAME, {"test_share": 0}, "test_share is 0"),
        (FRAME, {"test_share": 0.5, "validation_share": 0.5}, "leave rows for the training"),
        (FRAME, {"format": "feather"}, "no format 'feather'; use one of: package, parquet"),
        (FRAME[:0], {}, "has no rows"),
        (FRAME[:2], {}, "too few to split by random: test would have none"),
        (FRAME[:4], {"way": "time", "by": "day"}, "time of day: test would have none"),
        (FRAME.assign(shop=None), {"way": "group", "by": "shop"}, "shop is missing in 200 of 200"),
        (FRAME.assign(odd=[[1]] * 200), {}, "column odd cannot be kept"),
    ],
)
def test_bad_input_is_refused_and_nothing_written(
    tmp_path: Path, frame: pd.DataFrame, given: dict, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        split(tmp_path, frame, **given)
    assert [path.name for path in tmp_path.iterdir()] == ["data.parquet"]


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"PAR1 and no more")
    tables = [Dataset(uri=str(tmp_path / name)) for name in NAMES]
    with pytest.raises(DataError, match=r"data cannot be read|data is no"):
        split_data(Dataset(uri=str(tmp_path / "data")), *tables)
