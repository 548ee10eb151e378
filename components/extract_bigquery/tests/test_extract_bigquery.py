"""Extraction by the official clients from a fake BigQuery: whole, bounded and patient."""

import datetime as dt
import decimal
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from kfp.dsl import Dataset
from pyarrow import parquet

from components.extract_bigquery.component import extract_bigquery
from components.extract_bigquery.tests.fake_bigquery import (
    PROJECT,
    BigQuery,
    bigquery_server,
    orders,
)
from components.shared.errors import DataError

QUERY = "SELECT * FROM shop.orders"
TABLE = f"{PROJECT}.shop.orders"


@pytest.fixture(params=["storage", "rest"])
def big(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[BigQuery]:
    """A shop's orders; each test is run with the Storage Read API and without it."""
    with bigquery_server(storage=request.param == "storage") as served:
        served.tables[TABLE] = orders()
        served.answers[QUERY] = lambda _: orders()
        for name, value in served.variables.items():
            monkeypatch.setenv(name, value)
        yield served


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return Dataset(uri=str(tmp_path / "data"))


def test_a_query_becomes_parquet(big: BigQuery, data: Dataset) -> None:
    """Row for row, in order, with types; over several pages and batches."""
    told = extract_bigquery(data, query=QUERY, project=PROJECT, page_size=50)
    assert told == (120, orders().nbytes)
    assert parquet.read_table(data.path).equals(orders())
    assert data.metadata == {"rows": 120, "source": "query"}
    pages = [each for each in big.requests if "/queries/" in each]
    assert bool(big.calls) != (len(pages) >= 3)  # either batches or pages


def test_a_table_becomes_parquet(big: BigQuery, data: Dataset) -> None:
    assert (
        extract_bigquery(data, table=TABLE, columns=["total", "order"], project=PROJECT)[0] == 120
    )
    found = parquet.read_table(data.path)
    assert found.select(["order", "total"]).equals(orders().select(["order", "total"]))
    assert found.num_columns == 2


def test_every_type_survives(big: BigQuery, data: Dataset) -> None:
    """The same on both ways, missing values included."""
    day = dt.date(2024, 2, 29)
    moment = dt.datetime(2024, 2, 29, 12, 30, 0, 7)  # noqa: DTZ001 - DATETIME has no zone
    table = pa.table(
        {
            "whole": pa.array([2**62 + 1, None], pa.int64()),
            "share": pa.array([0.1 + 0.2, None], pa.float64()),
            "text": pa.array(['a,"b"\n', None], pa.string()),
            "flag": pa.array([True, None], pa.bool_()),
            "day": pa.array([day, None], pa.date32()),
            "local": pa.array([moment, None], pa.timestamp("us")),
            "moment": pa.array([moment, None], pa.timestamp("us", "UTC")),
            "exact": pa.array([decimal.Decimal("1.000000001"), None], pa.decimal128(38, 9)),
            "raw": pa.array([b"\x00\xff", None], pa.binary()),
            "tags": pa.array([["a", "b"], []], pa.list_(pa.string())),
        }
    )
    big.answers[QUERY] = lambda _: table
    extract_bigquery(data, query=QUERY, project=PROJECT)
    found = parquet.read_table(data.path)
    assert found.to_pylist() == table.to_pylist()
    assert [str(each.type) for each in found.schema][:9] == [
        str(each.type) for each in table.schema
    ][:9]


def test_parameters_travel_beside_the_text(big: BigQuery, data: Dataset) -> None:
    """Each with its type; no value is put into the query."""
    seen = {}
    text = "SELECT 1 FROM t WHERE a = @a AND b IN UNNEST(@b) AND d > @d AND e = @e AND f = @f"
    big.answers[text] = lambda given: seen.update(given) or orders(1)
    given = {
        "a": "x'; DROP TABLE t",
        "b": [1, 2],
        "d": {"type": "DATE", "value": "2027-01-31"},
        "e": 1.5,
        "f": True,
    }
    extract_bigquery(data, query=text, parameters=given, project=PROJECT)
    assert seen == given | {"d": "2027-01-31"}


@pytest.mark.parametrize("limit", [1, 50, 75, 120, 999])
def test_a_limit_is_kept_to_the_row(big: BigQuery, data: Dataset, limit: int) -> None:
    kept = extract_bigquery(data, query=QUERY, project=PROJECT, limit=limit, page_size=50).rows
    assert kept == min(limit, 120)
    assert parquet.read_table(data.path).equals(orders().slice(0, limit))


def test_memory_does_not_grow_with_the_rows(
    big: BigQuery, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """240 MB of rows pass through with 60 MB at the very most in Arrow's hands."""
    if "BIGQUERY_STORAGE_EMULATOR_HOST" not in big.variables:
        pytest.skip("a page over REST is bounded by page_size")
    batch = pa.record_batch({"value": pa.array(range(250_000), pa.int64())})  # 2 MB
    big.tables[TABLE] = pa.table(batch)
    big.batches[TABLE] = (batch, 120)
    pool = pa.system_memory_pool()  # a new account, and one that gives memory back
    before = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        assert extract_bigquery(data, table=TABLE, project=PROJECT).rows == 30_000_000
    finally:
        pa.set_memory_pool(before)
    assert 120 * batch.nbytes == 240_000_000
    assert pool.max_memory() < 60_000_000
    assert parquet.ParquetFile(data.path).num_row_groups > 10


def test_a_stream_that_breaks_off_goes_on_where_it_was(big: BigQuery, data: Dataset) -> None:
    if "BIGQUERY_STORAGE_EMULATOR_HOST" not in big.variables:
        pytest.skip("pages over REST are requests of their own")
    big.cuts = [1]
    assert extract_bigquery(data, query=QUERY, project=PROJECT, page_size=50).rows == 120
    assert parquet.read_table(data.path).equals(orders())
    assert big.calls == ["CreateReadSession", "ReadRows from 0", "ReadRows from 50"]


def test_rest_can_be_asked_for(big: BigQuery, data: Dataset) -> None:
    assert extract_bigquery(data, query=QUERY, project=PROJECT, storage_api=False).rows == 120
    assert not big.calls


def test_a_busy_server_is_asked_again(big: BigQuery, data: Dataset) -> None:
    big.failures = [(403, "rateLimitExceeded")]
    assert extract_bigquery(data, query=QUERY, project=PROJECT).rows == 120


def test_a_server_that_stays_busy_ends_it(big: BigQuery, data: Dataset) -> None:
    big.failures = [(403, "rateLimitExceeded")] * 99
    with pytest.raises(DataError, match="did not answer for the query, however often"):
        extract_bigquery(data, query=QUERY, project=PROJECT, retry_seconds=0.3)
    assert not list(Path(data.path).parent.iterdir())


def test_a_query_too_large_is_not_run(big: BigQuery, data: Dataset) -> None:
    """The estimate decides, and nothing but it has been asked for."""
    with pytest.raises(DataError, match=r"would read [\d,]+ bytes, more than .*\(100\)"):
        extract_bigquery(data, query=QUERY, project=PROJECT, maximum_bytes_billed=100)
    assert not big.jobs
    with pytest.raises(DataError, match=r"would read [\d,]+ bytes, more than .*\(100\)"):
        extract_bigquery(data, table=TABLE, project=PROJECT, maximum_bytes_billed=100)
    most = orders().nbytes
    extract_bigquery(data, query=QUERY, project=PROJECT, maximum_bytes_billed=most)
    [job] = big.jobs.values()
    assert job["configuration"]["query"]["maximumBytesBilled"] == str(most)


def test_no_rows_must_be_allowed(big: BigQuery, data: Dataset) -> None:
    big.answers[QUERY] = lambda _: orders(0)
    with pytest.raises(DataError, match="the query gives no rows; set allow_empty"):
        extract_bigquery(data, query=QUERY, project=PROJECT)
    assert not Path(data.path).exists()
    assert extract_bigquery(data, query=QUERY, project=PROJECT, allow_empty=True).rows == 0
    assert parquet.read_schema(data.path).names == orders().column_names


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "either a query or a table"),
        ({"query": QUERY, "table": TABLE}, "either a query or a table"),
        ({"query": "SELEKT 1"}, "does not understand the query: Syntax error: Unexpected SELEKT"),
        ({"query": f"{QUERY} WHERE a = @a"}, "does not understand the query"),
        ({"table": "shop.nothing"}, "does not have shop.nothing: Not found: Table"),
        ({"table": "shop.secret"}, "forbids shop.secret: Access Denied"),
        ({"table": "orders"}, "'orders' is no table: write project.dataset.table"),
        ({"table": TABLE, "columns": ["order", "colour"]}, "no column colour; it has: order, cu"),
        ({"table": TABLE, "parameters": {"a": 1}}, "a table has none"),
        ({"query": QUERY, "columns": ["order"]}, "name them in the query"),
        ({"query": QUERY, "limit": -1}, "limit is -1"),
        ({"query": QUERY, "page_size": 0}, "page_size is 0"),
        ({"query": QUERY, "maximum_bytes_billed": -1}, "maximum_bytes_billed is -1"),
        ({"query": QUERY, "parameters": {"a": None}}, "parameter a is None"),
        ({"query": QUERY, "parameters": {"a": [1, "b"]}}, "holds INT64 and STRING"),
        ({"query": QUERY, "parameters": {"a": []}}, "holds nothing"),
        ({"query": QUERY, "parameters": {"a": {"type": "X", "value": 1}}}, "a cannot be"),
    ],
)
def test_what_cannot_be_read_is_refused(
    big: BigQuery, data: Dataset, asked: dict, says: str
) -> None:
    big.denied.add(f"{PROJECT}.shop.secret")
    with pytest.raises(DataError, match=says):
        extract_bigquery(data, project=PROJECT, **asked)
    assert not list(Path(data.path).parent.iterdir())


def test_without_credentials_the_way_to_log_in_is_told(
    data: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(DataError, match="no Google credentials here"):
        extract_bigquery(data, query=QUERY, project=PROJECT)
