"""Splitting: complete, repeatable, the same everywhere, and refusing what it cannot split."""

from importlib import util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kfp.dsl import Dataset

from components.prepare_data.component import prepare_data
from components.shared import samples
from components.shared.errors import DataError
from components.shared.frames import read_frame, read_source, write_frame

SPLIT_OF_SEED_7 = [3, 6, 8, 10, 11, 14, 21, 25, 33, 34]
"""Rows of 40 that go into the test table."""


@pytest.fixture
def table(tmp_path: Path) -> Dataset:
    path = tmp_path / "table.csv"
    rows = [f"{index},{index / 7},{'yes' if index % 4 == 0 else 'no'}" for index in range(40)]
    path.write_text("\n".join(["key,value,bought", *rows]))
    return Dataset(uri=str(path))


def outputs(folder: Path, name: str = "") -> tuple[Dataset, Dataset]:
    return Dataset(uri=str(folder / f"{name}train")), Dataset(uri=str(folder / f"{name}test"))


def test_real_data_is_split_without_loss(tmp_path: Path) -> None:
    """Each row of the source is in one of the two tables, unchanged."""
    source, target, rows = samples.raw_file(tmp_path)
    if source.endswith(".parquet"):
        source = str(tmp_path / "source")
        write_frame(source, pd.read_parquet(samples.diamonds()).reset_index(drop=True))
    train, test = outputs(tmp_path)
    prepared = prepare_data(Dataset(uri=source), train, test, target)
    assert prepared.train_rows + prepared.test_rows == rows
    assert prepared.test_rows == round(rows * 0.25)
    both = pd.concat([read_frame(train.path), read_frame(test.path)])
    keys = list(both.columns)
    pd.testing.assert_frame_equal(
        both.sort_values(keys, ignore_index=True),
        read_source(source).sort_values(keys, ignore_index=True),
    )


@pytest.mark.skipif(not util.find_spec("pyarrow"), reason="this environment has no pyarrow")
def test_parquet_is_read_where_pyarrow_is(tmp_path: Path) -> None:
    """The content says that it is Parquet, not the name."""
    source = tmp_path / "artifact"
    source.write_bytes(Path(samples.diamonds()).read_bytes())
    train, test = outputs(tmp_path)
    assert prepare_data(
        Dataset(uri=str(source)), train, test, "price", columns=["carat", "cut"]
    ) == (8, 2)
    assert list(read_frame(train.path).columns) == ["carat", "cut", "price"]


@pytest.mark.skipif(bool(util.find_spec("pyarrow")), reason="this environment has pyarrow")
def test_parquet_without_pyarrow_names_the_way_out(tmp_path: Path) -> None:
    source = tmp_path / "artifact"
    source.write_bytes(b"PAR1" + bytes(32) + b"PAR1")
    with pytest.raises(DataError, match="no pyarrow"):
        prepare_data(Dataset(uri=str(source)), *outputs(tmp_path), "price")


def test_the_split_is_the_same_in_every_environment(tmp_path: Path, table: Dataset) -> None:
    """The seed alone decides: these are the rows whichever pandas or Python makes the split."""
    train, test = outputs(tmp_path)
    prepare_data(table, train, test, "bought", seed=7)
    assert read_frame(test.path)["key"].tolist() == SPLIT_OF_SEED_7


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path, table: Dataset) -> None:
    for name, seed in (("a-", 1), ("b-", 1), ("c-", 2)):
        prepare_data(table, *outputs(tmp_path, name), "bought", seed=seed)
    first, second, third = (Path(outputs(tmp_path, name)[1].path) for name in ("a-", "b-", "c-"))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != third.read_bytes()


def test_stratified_split_keeps_the_shares(tmp_path: Path, table: Dataset) -> None:
    train, test = outputs(tmp_path)
    prepare_data(table, train, test, "bought", test_share=0.2, stratify=True)
    assert read_frame(test.path)["bought"].value_counts().to_dict() == {"no": 6, "yes": 2}


def test_both_tables_have_the_types_of_the_whole(tmp_path: Path) -> None:
    """Not those of their own rows: here one table has no value of a column, the other has all."""
    source = tmp_path / "source.csv"
    rows = [f"{key},{'' if key in SPLIT_OF_SEED_7 else key % 2 == 0}" for key in range(40)]
    source.write_text("\n".join(["key,flag", *rows]))
    train, test = outputs(tmp_path)
    prepare_data(Dataset(uri=str(source)), train, test, "key", seed=7)
    assert read_frame(test.path)["flag"].dtype == "boolean"
    assert read_frame(test.path)["flag"].isna().all()
    assert read_frame(train.path)["flag"].dtype == "bool"


def test_types_survive(tmp_path: Path) -> None:
    """Texts that look like numbers, exact numbers, dates, empty and missing values stay."""
    frame = pd.DataFrame(
        {
            "code": ["007", "1e3", "", None, 'a,"b"\nc'],
            "share": [0.1 + 0.2, 1e-300, float("nan"), float("inf"), -0.0],
            "large": [2**63 - 1, -(2**63), 0, 1, 2],
            "count": pd.array([2**62 + 1, None, 3, 4, 5], dtype="Int64"),
            "flag": [True, False, True, False, True],
            "maybe": [True, None, False, True, True],
            "when": pd.to_datetime(
                [None, *(f"2024-02-29 12:00:00.00000{each}" for each in range(4))]
            ),
        }
    )
    path = str(tmp_path / "frame")
    write_frame(path, frame)
    again = read_frame(path)
    for name in frame.columns:
        assert again[name].isna().tolist() == frame[name].isna().tolist(), name
        assert again[name].dropna().tolist() == frame[name].dropna().tolist(), name
    assert again.dtypes[["share", "large", "count", "flag", "maybe"]].astype(str).tolist() == [
        "float64",
        "int64",
        "Int64",
        "bool",
        "boolean",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("key,value\n1,2\n", "no column bought; it has: key, value"),
        ("key,bought\n", "has no rows"),
        ("", "no CSV"),
        ("key,bought\n1,yes\n2,\n", "bought is missing in 1 of 2 rows"),
        ("key,bought\n1,yes\n", "too few"),
        ("a,bought\n1,2\n3,4,5,6\n", "no CSV"),
    ],
)
def test_bad_input_is_refused_and_nothing_written(tmp_path: Path, content: str, says: str) -> None:
    source = tmp_path / "source.csv"
    source.write_text(content)
    with pytest.raises(DataError, match=says):
        prepare_data(Dataset(uri=str(source)), *outputs(tmp_path), "bought")
    assert [path.name for path in tmp_path.iterdir()] == ["source.csv"]


@pytest.mark.parametrize("share", [0, 1, -1, 2.5])
def test_an_impossible_share_is_refused(tmp_path: Path, table: Dataset, share: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        prepare_data(table, *outputs(tmp_path), "bought", test_share=share)


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: there is no such file"):
        prepare_data(Dataset(uri=str(tmp_path / "nowhere")), *outputs(tmp_path), "bought")
    write_frame(str(tmp_path / "table"), pd.DataFrame({"bought": [1, 2]}))
    half = tmp_path / "half"
    half.write_bytes((tmp_path / "table").read_bytes()[:100])
    with pytest.raises(DataError, match=r"half cannot be read"):
        prepare_data(Dataset(uri=str(half)), *outputs(tmp_path), "bought")


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ([[1], [2]], "holds list"),
        (["\\N", "a"], "stands for missing values"),
        (pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True), "time zone"),
        (np.array([2**64 - 1, 1], dtype="uint64"), "beyond 64 bits"),
    ],
)
def test_a_column_that_cannot_be_kept_is_refused(tmp_path: Path, column: object, says: str) -> None:
    with pytest.raises(DataError, match=says):
        write_frame(str(tmp_path / "frame"), pd.DataFrame({"odd": column}))
    assert not list(tmp_path.iterdir())
