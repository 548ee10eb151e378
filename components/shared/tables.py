"""Tables as they come from databases, made into what steps hand to each other, and back.

Parquet knows types that a Data Package does not: instants with a zone, days, exact decimals,
categories. :func:`read_table` turns them into what :mod:`components.shared.frames` keeps.
"""

from __future__ import annotations

import datetime as dt
import decimal
from typing import IO, TYPE_CHECKING

import pandas as pd

from components.shared.archives import write_atomically
from components.shared.errors import DataError
from components.shared.frames import read_source, write_frame

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMATS = ("package", "parquet")


def read_table(path: str, *, require: Iterable[str] = (), empty: bool = False) -> pd.DataFrame:
    """Read any table a component takes, with types that every component keeps.

    Instants become UTC without a zone, days become dates at midnight, decimals ``float64``,
    categories texts.

    Raises:
        DataError: it cannot be read, lacks a column, or is empty.
    """
    frame = read_source(path, require=require, empty=empty)
    return pd.DataFrame({str(name): _plain(frame[name]) for name in frame.columns})


def write_table(
    path: str, frame: pd.DataFrame, *, form: str, types: dict[str, str] | None = None
) -> None:
    """Write a table in one of :data:`FORMATS`, atomically.

    Args:
        path: The artifact.
        frame: The table.
        form: ``package``, which every environment reads, or ``parquet``.
        types: What :func:`components.shared.frames.describe` said of the whole.

    Raises:
        DataError: there is no such format, or a column cannot be kept.
    """
    check_format(form)
    if form == "package":
        write_frame(path, frame, types=types)
        return

    def write(stream: IO[bytes]) -> None:
        frame.to_parquet(stream, index=False)

    write_atomically(path, write)


def check_format(form: str) -> None:
    """Refuse a format that there is not.

    Raises:
        DataError: it is none of :data:`FORMATS`.
    """
    if form not in FORMATS:
        raise DataError(f"there is no format {form!r}; use one of: {', '.join(FORMATS)}")


def _plain(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(column.cat.categories.dtype)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert("UTC").dt.tz_localize(None)
    values = column.dropna()
    if column.dtype != object or not len(values):
        return column
    if all(isinstance(each, decimal.Decimal) for each in values):
        return column.astype("float64")
    if all(isinstance(each, dt.date) for each in values):
        return pd.to_datetime(column)
    return column
