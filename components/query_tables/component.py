"""Ask one or two tables a question in SQL."""

import tempfile
from pathlib import Path
from typing import NamedTuple, Optional

from kfp.dsl import Dataset, Input, Output

from components.query_tables.engine import check_query, run_query
from components.shared.errors import DataError
from components.shared.parquet import hand_over, parquet_of
from components.shared.tables import check_format
from eggcrate import component

_LEAST_MEMORY = 64


class Queried(NamedTuple):
    """What the answer is."""

    rows: int
    columns: list


@component
def query_tables(  # noqa: PLR0917 - KFP passes them by name
    data: Input[Dataset],
    result: Output[Dataset],
    query: str,
    other: Optional[Input[Dataset]] = None,  # noqa: UP045 - KFP does not read `Input | None`
    parameters: Optional[dict] = None,  # noqa: UP045 - as above
    allow_empty: bool = False,
    memory_mb: int = 1024,
    format: str = "parquet",  # noqa: A002 - the word its users know
) -> Queried:
    """Run a query of DuckDB's SQL over tables of any size, such as a join or an aggregation.

    Tables are read in pieces, and what does not fit into ``memory_mb`` is put on disk. The query
    sees its tables and nothing else: no other file, no network. Rows have the order that the query
    asks for; without ``ORDER BY`` it may differ from run to run.

    Args:
        data: A table: Parquet, CSV, or one that another component wrote. The query calls it
            ``data``.
        result: The answer.
        query: One ``SELECT``.
        other: A second table, which the query calls ``other``.
        parameters: Values of the query's ``$name`` parameters: texts, numbers, booleans or lists.
        allow_empty: Whether an answer without rows will do.
        memory_mb: Megabytes that the query may use.
        format: ``parquet``; or ``package``, which every environment reads.

    Returns:
        How many rows the answer has, and its columns.

    Raises:
        DataError: a table cannot be read, or the query cannot be answered. Nothing is written then.
    """
    check_format(format)
    if memory_mb < _LEAST_MEMORY:
        raise DataError(f"memory_mb is {memory_mb}; {_LEAST_MEMORY} is the least")
    check_query(query, parameters or {})
    with tempfile.TemporaryDirectory() as scratch:
        tables = {"data": parquet_of(data.path, scratch)}
        if other is not None:
            tables["other"] = parquet_of(other.path, scratch)
        answer = Path(scratch) / "answer"
        answer.mkdir()
        made = str(answer / "result.parquet")
        rows, columns = run_query(query, parameters or {}, tables, made, memory_mb=memory_mb)
        if not rows and not allow_empty:
            raise DataError("the query gives no rows; set allow_empty if that is all right")
        hand_over(made, result.path, form=format)
    result.metadata["rows"] = rows
    return Queried(rows=rows, columns=columns)
