"""Queries: right answers of any format, bounded memory, shut in, and clear in what is refused."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from kfp.dsl import Dataset
from pyarrow import parquet

from components.query_tables.component import Queried, query_tables
from components.shared.errors import DataError
from components.shared.frames import read_frame, write_frame
from components.shared.streams import open_stream

FRAME = pd.DataFrame(
    {
        "shop": ["north", "south", None, "north"],
        "day": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", None]),
        "amount": [1.5, 2.5, 3.0, np.nan],
        "items": pd.array([1, None, 3, 4], dtype="Int64"),
        "paid": [True, False, True, True],
        "code": ["007", "", "8", "9"],
    }
)


def written(path: Path, form: str, frame: pd.DataFrame = FRAME) -> Dataset:
    """A table in one of the formats that components read."""
    if form == "package":
        write_frame(str(path), frame)
    elif form == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, compression="gzip" if form == "gzip" else None)
    return Dataset(uri=str(path))


def query(
    folder: Path, text: str, frame: pd.DataFrame = FRAME, **given: object
) -> tuple[Queried, Path]:
    data = written(folder / "data", "parquet", frame)
    result = Dataset(uri=str(folder / "result"))
    told = query_tables(data, result, query=text, **given)
    assert result.metadata == {"rows": told.rows}
    return told, folder / "result"


@pytest.mark.parametrize("form", ["package", "parquet", "csv", "gzip"])
def test_every_format_is_read_alike(tmp_path: Path, form: str) -> None:
    data, result = written(tmp_path / "data", form), Dataset(uri=str(tmp_path / "result"))
    text = (
        "SELECT shop, sum(amount) AS amount, sum(items)::BIGINT AS items FROM data "
        "WHERE paid AND day IS NOT NULL GROUP BY shop ORDER BY shop"
    )
    told = query_tables(data, result, query=text)
    found = parquet.read_table(tmp_path / "result").to_pylist()
    assert told == (2, ["shop", "amount", "items"])
    assert found == [
        {"shop": "north", "amount": 1.5, "items": 1},
        {"shop": None, "amount": 3.0, "items": 3},
    ]


def test_parquet_is_read_in_pieces_too(tmp_path: Path) -> None:
    """As steps read it that need no DuckDB: a column keeps its type, with and without gaps."""
    frame = pd.DataFrame({"count": pd.array([1, None] * 75, dtype="Int64"), "name": ["x"] * 150})
    stream = open_stream(written(tmp_path / "data", "parquet", frame).path, rows=40)
    pieces = list(stream.pieces())
    assert [len(piece) for piece in pieces] == [40, 40, 40, 30]
    assert (stream.types["count"], pieces[0]["count"].dtype) == ("integer", "Int64")


def test_types_survive(tmp_path: Path) -> None:
    """What goes through unchanged comes out so, missing values too."""
    write_frame(str(tmp_path / "data"), FRAME)
    result = Dataset(uri=str(tmp_path / "result"))
    query_tables(Dataset(uri=str(tmp_path / "data")), result, query="FROM data", format="package")
    found = read_frame(result.path)
    pd.testing.assert_frame_equal(found, read_frame(str(tmp_path / "data")))


def test_two_tables_are_joined_as_pandas_joins_them(tmp_path: Path) -> None:
    """A second judge: the same join and sums, by pandas, over a thousand rows of chance."""
    random = np.random.default_rng(3)
    orders = pd.DataFrame({"key": random.integers(0, 40, 1000), "amount": random.random(1000)})
    names = pd.DataFrame({"key": range(50), "group": [f"g{each % 7}" for each in range(50)]})
    other = written(tmp_path / "other", "csv", names)
    told, path = query(
        tmp_path,
        'SELECT "group", sum(amount) AS amount FROM data JOIN other USING (key) '
        'GROUP BY "group" ORDER BY "group"',
        orders,
        other=other,
    )
    expected = orders.merge(names, on="key").groupby("group", as_index=False)["amount"].sum()
    pd.testing.assert_frame_equal(pd.read_parquet(path), expected, check_dtype=False)
    assert told.rows == 7


def test_parameters_are_values_and_no_text_of_the_query(tmp_path: Path) -> None:
    """What would end the text is a value like any other; lists and numbers are taken."""
    frame = pd.DataFrame({"name": ["x' OR '1'='1", "b", "c"], "size": [1, 2, 3]})
    told, path = query(
        tmp_path,
        "SELECT size FROM data WHERE name = $name OR list_contains($sizes, size) ORDER BY size;",
        frame,
        parameters={"name": "x' OR '1'='1", "sizes": [3]},
    )
    assert told.rows == 2
    assert pd.read_parquet(path)["size"].tolist() == [1, 3]


def test_paths_with_quotes_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "it's"
    folder.mkdir()
    assert query(folder, "FROM data")[0].rows == 4


def test_no_rows_where_that_is_all_right(tmp_path: Path) -> None:
    told, path = query(tmp_path, "FROM data WHERE amount > 100", allow_empty=True)
    assert told == (0, list(FRAME.columns))
    assert parquet.read_table(path).column_names == list(FRAME.columns)


def test_more_than_memory_holds_is_sorted(tmp_path: Path) -> None:
    """A table of 200 MB is sorted with 128 MB, in a process whose memory is measured."""
    schema = pa.schema([("key", pa.int64()), ("text", pa.string())])
    random = np.random.default_rng(1)
    with parquet.ParquetWriter(tmp_path / "data", schema, compression="zstd") as writer:
        for _ in range(20):
            keys = random.integers(0, 1 << 60, 50_000)
            texts = [f"{each:0200d}" for each in keys]
            writer.write_table(pa.table({"key": keys, "text": texts}, schema))
    program = """
        import resource, sys
        from kfp.dsl import Dataset
        from components.query_tables.component import query_tables
        data, result = (Dataset(uri=f"{sys.argv[1]}/{name}") for name in ("data", "result"))
        query_tables(data, result, query="FROM data ORDER BY text", memory_mb=128)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert int(done.stdout) < 450 << 10
    with parquet.ParquetFile(tmp_path / "result") as file:
        keys = file.read(["key"])["key"].to_numpy()
    assert len(keys) == 1_000_000
    assert (np.diff(keys) >= 0).all()


@pytest.mark.parametrize(
    ("text", "given", "says"),
    [
        ("SELECT town FROM data", {}, 'column "town" not found .* Candidate bindings: .*"shop"'),
        ("SELECT * FROM orders", {}, "Table with name orders does not exist"),
        ("SELECT * FROM other", {}, "Table with name other does not exist"),
        ("SELEC shop FROM data", {}, "cannot be answered: Parser Error: syntax error .*SELEC"),
        ("", {}, "must be one SELECT; it is empty"),
        ("FROM data; FROM data", {}, "must be one SELECT; it is SELECT, SELECT"),
        ("COPY data TO '/tmp/copy.csv'", {}, "must be one SELECT; it is COPY"),
        ("CREATE TABLE t AS FROM data", {}, "must be one SELECT; it is CREATE"),
        ("SET memory_limit = '9GB'", {}, "must be one SELECT; it is SET"),
        ("SELECT shop::INTEGER FROM data", {}, "Could not convert string 'north' to INT32"),
        ("FROM data WHERE amount > $least", {}, "parameters have no value: least"),
        ("FROM data", {"parameters": {"least": 1}}, r"has no parameter \$least"),
        ("FROM read_csv('/etc/passwd')", {}, "Permission Error: Cannot access file"),
        ("FROM glob('/*')", {}, "Permission Error"),
        ("FROM data WHERE amount > 100", {}, "gives no rows; set allow_empty"),
        ("FROM data", {"memory_mb": 1}, "memory_mb is 1; 64 is the least"),
        ("FROM data", {"format": "csv"}, "no format 'csv'; use one of: package, parquet"),
        ("SELECT [1, 2] AS odd", {"format": "package"}, "column odd cannot be kept"),
    ],
)
def test_bad_input_is_refused_and_nothing_written(
    tmp_path: Path, text: str, given: dict, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        query(tmp_path, text, **given)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PAR1 and no more", "is no Parquet that can be read"),
        (b"PK\x03\x04 and no more", "cannot be read"),
        (b"", "is no CSV that can be read"),
        (None, "there is no such file"),
    ],
)
@pytest.mark.parametrize("which", ["data", "other"])
def test_an_unreadable_file_is_named(
    tmp_path: Path, which: str, content: bytes | None, says: str
) -> None:
    tables = {name: written(tmp_path / name, "csv") for name in ("data", "other")}
    (tmp_path / which).unlink()
    if content is not None:
        (tmp_path / which).write_bytes(content)
    with pytest.raises(DataError, match=rf"{which}\b.*{says}"):
        query_tables(result=Dataset(uri=str(tmp_path / "result")), query="FROM data", **tables)
    assert not (tmp_path / "result").exists()


def test_a_table_that_is_broken_further_on_is_refused(tmp_path: Path) -> None:
    """The end of a Parquet file is whole, its rows are not."""
    pd.DataFrame({"key": np.arange(100_000)}).to_parquet(tmp_path / "data", compression=None)
    content = bytearray((tmp_path / "data").read_bytes())
    content[4:200] = bytes(196)
    (tmp_path / "data").write_bytes(content)
    data, result = (Dataset(uri=str(tmp_path / name)) for name in ("data", "result"))
    with pytest.raises(DataError, match="cannot be answered"):
        query_tables(data, result, query="SELECT sum(key) AS total FROM data")
    assert not (tmp_path / "result").exists()
