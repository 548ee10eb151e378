"""Tables as Parquet files, for the libraries that read those by themselves and in pieces."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from components.shared import frames
from components.shared.archives import write_atomically
from components.shared.errors import DataError
from components.shared.streams import open_stream, schema_of, write_stream

if TYPE_CHECKING:
    from collections.abc import Iterable

_TYPES = {
    "boolean": pa.bool_(),
    "datetime": pa.timestamp("us"),
    "integer": pa.int64(),
    "number": pa.float64(),
    "string": pa.string(),
}
_ROWS = 50_000


def parquet_of(path: str, scratch: str, *, require: Iterable[str] = ()) -> str:
    """Give a table as a Parquet file: itself, or what a CSV or another step's table becomes.

    It is read in pieces; how large it is does not matter to memory.

    Args:
        path: The artifact.
        scratch: A folder for the file that is made.
        require: Columns that must be in it.

    Raises:
        DataError: it cannot be read, or lacks a column.
    """
    if frames.magic(path) == frames.PARQUET_MAGIC:
        columns = pd.DataFrame(columns=schema_of(path).names)
        frames.checked(columns, path, require=require, empty=True)
        return path
    stream = open_stream(path, rows=_ROWS, require=require)
    made = Path(scratch) / f"{len(list(Path(scratch).iterdir()))}.parquet"
    schema = pa.schema([(name, _TYPES[kind]) for name, kind in stream.types.items()])
    with parquet.ParquetWriter(made, schema) as writer:
        for piece in stream.pieces():
            writer.write_table(pa.Table.from_pandas(piece, schema=schema, preserve_index=False))
    return str(made)


def hand_over(made: str, path: str, *, form: str) -> None:
    """Write a Parquet file as an artifact in one of ``tables.FORMATS``, atomically and in pieces.

    In a package instants become UTC, days midnights, decimals ``float64``, as in
    :func:`components.shared.tables.read_table`.

    Args:
        made: The file.
        path: The artifact.
        form: ``parquet`` or ``package``.

    Raises:
        DataError: a column has a type that a package does not keep.
    """
    if form == "package":
        plain = f"{made}.plain"
        _make_plain(made, plain)
        stream = open_stream(plain, rows=_ROWS)
        write_stream(path, stream.pieces(), stream.types)
        return
    with Path(made).open("rb") as source:
        write_atomically(path, lambda stream: shutil.copyfileobj(source, stream))


def _make_plain(made: str, plain: str) -> None:
    schema = pa.schema([(field.name, _plain(field)) for field in schema_of(made)])
    with (
        contextlib.closing(parquet.ParquetFile(made)) as file,
        parquet.ParquetWriter(plain, schema) as writer,
    ):
        for batch in file.iter_batches(batch_size=_ROWS):
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))


def _plain(field: pa.Field) -> pa.DataType:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return kind
    raise DataError(
        f"column {field.name} cannot be kept: it is of type {kind}; "
        "convert it to text, numbers, booleans or dates"
    )
