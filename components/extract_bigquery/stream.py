"""Rows on their way from BigQuery into a Parquet file, some thousands at a time."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import pyarrow as pa
from pyarrow import parquet

from components.shared.archives import write_atomically
from components.shared.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import bigquery, bigquery_storage

_QUEUED = 2
"""Batches that are read ahead of what is written."""
_GROUP = 16 << 20
"""Bytes of rows that are written as one row group."""


class Batches:
    """Record batches that hold rows, and the schema of all, also where there is none."""

    def __init__(self, batches: Iterator[pa.RecordBatch], rows: bigquery.table.RowIterator) -> None:
        self._batches = batches
        self._rows = rows
        self._schema: pa.Schema | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self._schema = batch.schema
            if len(batch):
                yield batch

    def schema(self) -> pa.Schema:
        """The schema; known when all batches have been looked at."""
        if self._schema is None:
            self._schema = self._rows.to_arrow(create_bqstorage_client=False).schema
        return self._schema


def batches_of(
    rows: bigquery.table.RowIterator,
    reader: bigquery_storage.BigQueryReadClient | None,
    *,
    limit: int,
) -> Batches:
    """Give a result's rows as they arrive; one stream, so that their order is the result's.

    Args:
        rows: the result.
        reader: the Storage Read API; pages over REST without it.
        limit: most rows to give; 0 for all.
    """
    arriving = rows.to_arrow_iterable(
        bqstorage_client=reader, max_queue_size=_QUEUED, max_stream_count=1
    )
    return Batches(_limited(arriving, limit) if limit else arriving, rows)


def write_parquet(path: str, batches: Batches, *, source: str, empty: bool) -> int:
    """Write batches into one Parquet file, atomically, and tell the number of rows.

    Raises:
        DataError: there is none, and there must be.
    """
    iterator = iter(batches)
    first = next(iterator, None)
    if first is None and not empty:
        raise DataError(f"{source} gives no rows; set allow_empty if that is all right")
    schema = batches.schema() if first is None else first.schema
    count = 0

    def write(stream: IO[bytes]) -> None:
        nonlocal count
        with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
            waiting: list[pa.RecordBatch] = [] if first is None else [first]
            for batch in iterator:
                if sum(each.nbytes for each in waiting) >= _GROUP:
                    writer.write_table(pa.Table.from_batches(waiting, schema))
                    count += sum(map(len, waiting))
                    waiting = []
                waiting.append(batch)
            writer.write_table(pa.Table.from_batches(waiting, schema))
            count += sum(map(len, waiting))

    write_atomically(path, write)
    return count


def _limited(batches: Iterator[pa.RecordBatch], limit: int) -> Iterator[pa.RecordBatch]:
    left = limit
    for batch in batches:
        yield batch.slice(0, left)
        left -= len(batch)
        if left <= 0:
            return
