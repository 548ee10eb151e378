"""The join itself: two tables, and a moment in each of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from components.shared.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT, _ROW, _FOUND = "__at__", "__row__", "__found__"


def match(
    data: tuple[pl.DataFrame, str],
    history: tuple[pl.DataFrame, str],
    *,
    by: Sequence[str],
    add: Sequence[str],
    within: str,
    same: bool,
) -> tuple[pl.DataFrame, int]:
    """Join each row of one table with the latest of the other that is not later.

    Args:
        data: The table, and its column that tells when.
        history: The other, and its own.
        by: Columns of both that must be the same.
        add: Columns of the history to add.
        within: The greatest age, in Polars' words for durations or as a number; any when empty.
        same: Whether the same moment counts as not later.

    Returns:
        The table, in its order, and how many of its rows were matched.

    Raises:
        DataError: a moment is missing or none, or the two are of different kinds.
    """
    one, other = moment(*data), moment(*history)
    if one.dtype.is_temporal() != other.dtype.is_temporal():
        raise DataError(f"{data[1]} is {one.dtype} and {history[1]} {other.dtype}: one is no time")
    if one.dtype != other.dtype:
        one, other = one.cast(pl.Float64), other.cast(pl.Float64)
    past = history[0].select([*by, *add]).with_columns(other.alias(_AT), pl.lit(1).alias(_FOUND))
    events = data[0].with_columns(one.alias(_AT)).with_row_index(_ROW)
    found = events.sort(_AT).join_asof(
        past.sort(_AT, maintain_order=True),
        on=_AT,
        by=list(by) or None,
        strategy="backward",
        tolerance=_age(within, timed=one.dtype.is_temporal()),
        allow_exact_matches=same,
        check_sortedness=False,
    )
    return found.sort(_ROW).drop(_AT, _ROW, _FOUND), found[_FOUND].count()


def moment(frame: pl.DataFrame, name: str) -> pl.Series:
    """When each row was: a time in UTC, to the microsecond, or a number.

    Texts are read as ISO 8601, for a CSV has no other times.

    Raises:
        DataError: it is missing somewhere, or is neither.
    """
    column = frame[name]
    if count := column.null_count():
        raise DataError(f"{name} is missing in {count} of {frame.height} rows")
    if column.dtype == pl.String:
        column = _read(column)
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if isinstance(column.dtype, pl.Date | pl.Datetime):
        return column.cast(pl.Datetime("us"))
    if column.dtype.is_integer():
        return column.cast(pl.Int64)
    if column.dtype.is_float():
        return column.cast(pl.Float64)
    raise DataError(f"{name} tells no time: it is {column.dtype}; make it a time or a number first")


def _read(texts: pl.Series) -> pl.Series:
    try:
        return texts.str.to_datetime(time_unit="us")
    except pl.exceptions.PolarsError:
        shown = ", ".join(map(repr, texts.head(3)))
        raise DataError(f"{texts.name} holds texts that are no times, such as {shown}") from None


def _age(within: str, *, timed: bool) -> str | float | None:
    if not within or timed:
        return within or None
    try:
        return float(within)
    except ValueError:
        raise DataError(f"within is {within!r}; the time is a number, so must it be") from None
