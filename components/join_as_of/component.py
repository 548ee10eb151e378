"""Give each row what was known at its time."""

import tempfile
from pathlib import Path
from typing import NamedTuple, Optional

import polars as pl
from kfp.dsl import Dataset, Input, Output

from components.join_as_of.matching import match
from components.shared.errors import DataError
from components.shared.parquet import hand_over, parquet_of
from components.shared.tables import check_format
from eggcrate import component


class Joined(NamedTuple):
    """How many rows there are, and for how many of them something was known."""

    rows: int
    matched: int


@component
def join_as_of(  # noqa: PLR0917 - KFP passes them by name
    data: Input[Dataset],
    history: Input[Dataset],
    joined: Output[Dataset],
    on: str,
    history_on: str = "",
    by: Optional[list] = None,  # noqa: UP045 - KFP does not read `list | None`
    columns: Optional[list] = None,  # noqa: UP045 - as above
    within: str = "",
    same_moment: bool = True,
    format: str = "parquet",  # noqa: A002 - the word its users know
) -> Joined:
    """Add to each row the latest row of a history that is not later than it.

    So a model learns from what was known when an event happened, and from nothing that came after.
    Rows keep their number and order; what nothing was known of has missing values. Both tables are
    held in memory, as Polars keeps them.

    Args:
        data: Events: Parquet, CSV, or a table that another component wrote.
        history: What became known, and when; any order of rows.
        joined: The events with columns of the history.
        on: The column of the events that tells when: a time, a day or a number.
        history_on: The same of the history, when it has another name.
        by: Columns of both tables that must be the same, such as a customer.
        columns: Columns of the history to add; all when not given.
        within: How old what was known may be, such as ``7d`` or ``12h``; a number where the time
            is one. Any age when not given.
        same_moment: Whether what became known at the very moment counts.
        format: ``parquet``; or ``package``, which every environment reads.

    Returns:
        How many rows there are, and for how many something was known.

    Raises:
        DataError: a table cannot be read, lacks a column, has no rows, or does not go with the
            other. Nothing is written then.
    """
    check_format(format)
    keys = list(by or ())
    then = history_on or on
    with tempfile.TemporaryDirectory() as scratch:
        events = _read(parquet_of(data.path, scratch, require=[on, *keys]), data.path)
        wanted = [then, *keys, *(columns or ())]
        past = _read(parquet_of(history.path, scratch, require=wanted), history.path)
        chosen = columns or [name for name in past.columns if name not in {then, *keys}]
        if both := sorted(set(chosen) & set(events.columns)):
            raise DataError(f"both tables have {', '.join(both)}; choose others by `columns`")
        try:
            found, matched = match(
                (events, on), (past, then), by=keys, add=chosen, within=within, same=same_moment
            )
        except pl.exceptions.PolarsError as cause:
            told = str(cause).splitlines()[0]
            raise DataError(f"{data.path} and {history.path} cannot be joined: {told}") from cause
        made = str(Path(scratch) / "joined")
        found.write_parquet(made)
        hand_over(made, joined.path, form=format)
    joined.metadata.update({"rows": found.height, "matched": matched})
    return Joined(rows=found.height, matched=matched)


def _read(path: str, source: str) -> pl.DataFrame:
    frame = pl.read_parquet(path)
    if frame.is_empty():
        raise DataError(f"data {source} has no rows")
    return frame
