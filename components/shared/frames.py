"""Tables between pipeline steps: a Data Package, that is CSV with its types beside it, zipped.

CSV, because every environment can read it: Parquet needs pyarrow, which is 45 MB of wheel and
150 MB of image in environments that want it for nothing else. With types, because CSV alone
turns the code ``007`` into 7 and an empty text into nothing. The description is Frictionless
Data's ``datapackage.json`` with a Table Schema, so other tools can read these files too.

Numbers are written in full and come back exactly, as ``int64`` (``Int64`` where values are
missing) and ``float64``, whatever width they had; dates to the microsecond.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from components.shared.archives import read_archive, write_archive
from components.shared.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

DOCUMENT = "datapackage.json"
MEMBER = "data.csv"
MISSING = "\\N"
"""How a missing value is written: PostgreSQL's and Hive's word, which no text is likely to be."""
PARQUET_MAGIC = b"PAR1"
ZIP_MAGIC = b"PK\x03\x04"
GZIP_MAGIC = b"\x1f\x8b"
_LARGEST = 2**63 - 1


def describe(frame: pd.DataFrame) -> dict[str, str]:
    """Give the type of each column, in Table Schema's words.

    Raises:
        DataError: a column has a type that cannot be kept, or two columns have one name.
    """
    names = [str(name) for name in frame.columns]
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"the table has several columns named {', '.join(duplicates)}")
    return {name: _field_type(name, frame.iloc[:, at]) for at, name in enumerate(names)}


def write_frame(path: str, frame: pd.DataFrame, *, types: dict[str, str] | None = None) -> None:
    """Write a table as a pipeline artifact, atomically; its index is not kept.

    Args:
        path: The artifact.
        frame: The table.
        types: What :func:`describe` said of the whole, when this is a part of it.

    Raises:
        DataError: a column has a type that cannot be kept, or two columns have one name.
    """
    types = describe(frame) if types is None else types
    write_archive(
        path,
        document=DOCUMENT,
        description=description_of(types),
        member=MEMBER,
        content=as_csv(frame.set_axis(list(types), axis="columns"), header=True),
    )


def description_of(types: dict[str, str]) -> dict[str, Any]:
    """The description of a table whose columns have these types."""
    fields = [{"name": name, "type": kind} for name, kind in types.items()]
    return {
        "profile": "tabular-data-package",
        "resources": [
            {
                "name": "data",
                "path": MEMBER,
                "schema": {"fields": fields, "missingValues": [MISSING]},
            }
        ],
    }


def as_csv(frame: pd.DataFrame, *, header: bool) -> bytes:
    """Rows as they stand in a table."""
    text = frame.to_csv(
        index=False,
        header=header,
        na_rep=MISSING,
        lineterminator="\n",
        date_format="%Y-%m-%dT%H:%M:%S.%f",
    )
    return text.encode()


def read_frame(path: str, *, require: Iterable[str] = (), empty: bool = False) -> pd.DataFrame:
    """Read a table that :func:`write_frame` wrote, with the types it had.

    Args:
        path: The artifact.
        require: Columns that must be in it.
        empty: Whether a table without rows will do.

    Raises:
        DataError: it cannot be read, lacks a column, or is empty.
    """
    types = types_of(path)
    _, read = read_archive(path, document=DOCUMENT, kind="table", error=DataError)
    try:
        raw = pd.read_csv(
            io.BytesIO(read(MEMBER)), dtype=str, keep_default_na=False, na_values=[MISSING]
        )
        frame = typed(raw, types)
    except (ValueError, KeyError) as cause:
        raise DataError(f"table {path} does not hold what its schema says: {cause}") from cause
    return checked(frame, path, require=require, empty=empty)


def types_of(path: str) -> dict[str, str]:
    """Types of the columns of a table that :func:`write_frame` wrote.

    Raises:
        DataError: it is no such table.
    """
    description, _ = read_archive(path, document=DOCUMENT, kind="table", error=DataError)
    try:
        schema = description["resources"][0]["schema"]
        return {field["name"]: field["type"] for field in schema["fields"]}
    except (KeyError, IndexError, TypeError) as cause:
        raise DataError(f"table {path}: its {DOCUMENT} has no schema") from cause


def typed(raw: pd.DataFrame, types: dict[str, str]) -> pd.DataFrame:
    """A table of texts and missing values, with the types that its schema names."""
    return pd.DataFrame({name: _typed(raw[name], kind) for name, kind in types.items()})


def magic(path: str) -> bytes:
    """The first bytes of data from outside, which tell its format.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with Path(path).open("rb") as stream:
            return stream.read(4)
    except FileNotFoundError:
        raise DataError(f"data {path}: there is no such file") from None
    except OSError as cause:
        raise DataError(f"data {path} cannot be read: {cause}") from cause


def no_parquet(path: str) -> DataError:
    """What is said where there is no pyarrow."""
    return DataError(
        f"data {path} is Parquet, and this environment has no pyarrow: "
        "add it to the environment, or run this step in one that has it"
    )


def read_source(path: str, *, require: Iterable[str] = (), empty: bool = False) -> pd.DataFrame:
    """Read data from outside: CSV, plain or gzipped; Parquet where pyarrow is; our own tables.

    The content decides, not the name: pipeline backends give artifacts names without endings.

    Raises:
        DataError: it cannot be read, lacks a column, or is empty.
    """
    start = magic(path)
    if start == ZIP_MAGIC:
        return read_frame(path, require=require, empty=empty)
    try:
        if start == PARQUET_MAGIC:
            frame = pd.read_parquet(path)
        else:
            zipped = "gzip" if start.startswith(GZIP_MAGIC) else None
            frame = pd.read_csv(path, compression=zipped)
    except ImportError as cause:
        raise no_parquet(path) from cause
    except (ValueError, OSError) as cause:
        raise DataError(f"data {path} is no CSV that can be read: {cause}") from cause
    return checked(frame, path, require=require, empty=empty)


def checked(
    frame: pd.DataFrame, path: str, *, require: Iterable[str] = (), empty: bool = False
) -> pd.DataFrame:
    """Give the table back when it has rows and the columns asked for.

    Raises:
        DataError: it does not.
    """
    if missing := [name for name in require if name not in frame.columns]:
        known = ", ".join(map(str, frame.columns[:20]))
        raise DataError(f"data {path} has no column {', '.join(missing)}; it has: {known}")
    if not empty and frame.empty:
        raise DataError(f"data {path} has no rows")
    return frame


def check_target(frame: pd.DataFrame, target: str, path: str) -> None:
    """Refuse a target column with missing values.

    Raises:
        DataError: it has some.
    """
    if count := int(frame[target].isna().sum()):
        raise DataError(
            f"data {path}: the target {target} is missing in {count} of {len(frame)} rows; "
            "drop them or fill them first"
        )


def _field_type(name: str, column: pd.Series) -> str:
    """Table Schema's word for a column's type."""
    kinds = pd.api.types
    if kinds.is_bool_dtype(column.dtype):
        return "boolean"
    if kinds.is_integer_dtype(column.dtype):
        largest = column.max()
        if pd.notna(largest) and largest > _LARGEST:
            raise DataError(f"column {name} holds integers beyond 64 bits with a sign")
        return "integer"
    if kinds.is_float_dtype(column.dtype):
        return "number"
    if kinds.is_datetime64_dtype(column.dtype):
        return "datetime"
    if kinds.is_datetime64_any_dtype(column.dtype):
        raise DataError(f"column {name} has a time zone: convert it to UTC and drop the zone")
    values = column.dropna()
    if len(values) and all(isinstance(value, bool) for value in values):
        return "boolean"  # what read_csv makes of booleans where some are missing
    if not all(isinstance(value, str) for value in values):
        found = next(type(value).__name__ for value in values if not isinstance(value, str))
        raise DataError(
            f"column {name} cannot be kept: it is of type {column.dtype} and holds {found}; "
            "convert it to text, numbers, booleans or dates"
        )
    if (values == MISSING).any():
        raise DataError(f"column {name} holds the text {MISSING}, which stands for missing values")
    return "string"


def _typed(column: pd.Series, kind: str) -> pd.Series:
    """A column of text and missing values, as the type its schema names."""
    missing = bool(column.isna().any())
    if kind == "integer":
        return column.astype("string").astype("Int64") if missing else column.astype("int64")
    if kind == "number":
        return column.astype("float64")
    if kind == "boolean":
        known = column.map({"True": True, "False": False})
        return known.astype("boolean") if missing else known.astype("bool")
    if kind == "datetime":
        return pd.to_datetime(column, format="%Y-%m-%dT%H:%M:%S.%f")
    return column
