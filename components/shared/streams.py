"""Tables in pieces, for steps that must not hold all of a table at once.

The same formats as :mod:`components.shared.frames` reads: its own tables, CSV, plain or gzipped,
and Parquet where pyarrow is. A column has one type in all pieces: of CSV, which has no types, the
file is read once more to find it.
"""

from __future__ import annotations

import contextlib
import zipfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import pandas as pd

from components.shared import frames
from components.shared.archives import archive_of
from components.shared.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A table that is read in pieces."""

    types: dict[str, str]
    """Of each column, see :func:`components.shared.frames.describe`."""
    pieces: Callable[[], Iterator[pd.DataFrame]]
    """Reads it from the start."""


def open_stream(path: str, *, rows: int, require: Iterable[str] = ()) -> Stream:
    """Open a table.

    Args:
        path: The artifact.
        rows: How many rows a piece has at most.
        require: Columns that must be in it.

    Raises:
        DataError: it cannot be read, or lacks a column. Reading its pieces may raise it too.
    """
    start = frames.magic(path)
    if start == frames.ZIP_MAGIC:
        types = frames.types_of(path)
        stream = Stream(types=types, pieces=lambda: _of_archive(path, types, rows))
    elif start == frames.PARQUET_MAGIC:
        stream = _parquet(path, rows)
    else:
        stream = _csv(path, rows, gzipped=start.startswith(frames.GZIP_MAGIC))
    empty = pd.DataFrame({name: [] for name in stream.types})
    frames.checked(empty, path, require=require, empty=True)
    return stream


def write_stream(path: str, pieces: Iterable[pd.DataFrame], types: dict[str, str]) -> int:
    """Write pieces as one table, atomically: when one cannot be had, there is none.

    Args:
        path: The artifact.
        pieces: The rows; each has the columns of ``types``.
        types: Of each column.

    Returns:
        How many rows there were.
    """
    count = 0

    def content(stream: IO[bytes]) -> None:
        nonlocal count
        stream.write(frames.as_csv(pd.DataFrame(columns=list(types)), header=True))
        for piece in pieces:
            count += len(piece)
            stream.write(frames.as_csv(piece[list(types)], header=False))

    archive_of(
        path,
        document=frames.DOCUMENT,
        description=frames.description_of(types),
        member=frames.MEMBER,
        content=content,
    )
    return count


def _of_archive(path: str, types: dict[str, str], rows: int) -> Iterator[pd.DataFrame]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(frames.MEMBER) as member:
            raw: Any = pd.read_csv(
                member, dtype=str, keep_default_na=False, na_values=[frames.MISSING], chunksize=rows
            )
            for piece in raw:
                yield frames.typed(piece, types)
    except (OSError, zipfile.BadZipFile, ValueError, KeyError) as cause:
        raise DataError(f"table {path} does not hold what its schema says: {cause}") from cause


def _csv(path: str, rows: int, *, gzipped: bool) -> Stream:
    def read(**more: Any) -> Iterator[pd.DataFrame]:
        compression = "gzip" if gzipped else None
        try:
            with pd.read_csv(
                path, compression=compression, chunksize=rows, low_memory=False, **more
            ) as pieces:
                yield from pieces
        except (ValueError, OSError, EOFError) as cause:
            raise DataError(f"data {path} is no CSV that can be read: {cause}") from cause

    types: dict[str, str] = {}
    known: dict[str, str] = {}
    for piece in read():
        found = frames.describe(piece)
        values = piece.notna().any()
        types = types or dict.fromkeys(found, "number")
        for name, kind in found.items():
            if values[name]:  # of a piece that has none of a column nothing is learned
                known[name] = _wider(known.get(name, kind), kind)
    types |= known
    texts = {name: str for name, kind in types.items() if kind == "string"}

    def pieces() -> Iterator[pd.DataFrame]:
        for piece in read(dtype=texts):
            yield _same(piece, types)

    return Stream(types=types, pieces=pieces)


def _wider(one: str, other: str) -> str:
    """The type of a column that has one type here and another there."""
    if one == other:
        return one
    return "number" if {one, other} == {"integer", "number"} else "string"


def schema_of(path: str) -> Any:
    """The schema of a Parquet file, as pyarrow has it.

    Raises:
        DataError: it cannot be read, or this environment has no pyarrow.
    """
    try:
        from pyarrow import ArrowInvalid, parquet  # noqa: PLC0415 - not in every environment
    except ImportError as cause:
        raise frames.no_parquet(path) from cause
    try:
        with contextlib.closing(parquet.ParquetFile(path)) as file:
            return file.schema_arrow
    except (OSError, ArrowInvalid) as cause:
        raise DataError(f"data {path} is no Parquet that can be read: {cause}") from cause


def _parquet(path: str, rows: int) -> Stream:
    schema = schema_of(path)
    from pyarrow import ArrowInvalid, parquet  # noqa: PLC0415 - as above

    types = frames.describe(schema.empty_table().to_pandas())

    def pieces() -> Iterator[pd.DataFrame]:
        try:
            with contextlib.closing(parquet.ParquetFile(path)) as file:
                for batch in file.iter_batches(batch_size=rows):
                    yield _same(batch.to_pandas(), types)
        except (OSError, ArrowInvalid) as cause:
            raise DataError(f"data {path} is no Parquet that can be read: {cause}") from cause

    return Stream(types=types, pieces=pieces)


def _same(piece: pd.DataFrame, types: dict[str, str]) -> pd.DataFrame:
    """A piece whose columns have the types that the whole has."""
    columns = {}
    for name, kind in types.items():
        column = piece[name]
        if kind == "integer" and not pd.api.types.is_integer_dtype(column.dtype):
            column = column.astype("float64").astype("Int64")
        elif kind == "boolean" and column.isna().any():
            column = column.astype("boolean")
        elif kind == "number":
            column = column.astype("float64")
        elif kind == "string":
            column = column.astype("object")
        columns[name] = column
    return pd.DataFrame(columns)
