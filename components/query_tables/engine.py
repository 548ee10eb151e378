"""DuckDB, shut in: it reads the tables it is given and writes one file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from pyarrow import parquet

from components.shared.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FORMAT = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20_000"
"""Small groups, for each thread holds one of them while it writes."""


def check_query(query: str, parameters: Mapping[str, Any]) -> None:
    """Refuse what is not one ``SELECT`` with values for its parameters; nothing is run.

    Raises:
        DataError: it cannot be parsed, is another statement, or its parameters are others.
    """
    with _refusals():
        statements = duckdb.extract_statements(query)
    kinds = [statement.type.name for statement in statements]
    if kinds != ["SELECT"]:
        raise DataError(f"the query must be one SELECT; it is {', '.join(kinds) or 'empty'}")
    asked = set(statements[0].named_parameters)
    if missing := sorted(asked - set(parameters)):
        raise DataError(f"the query's parameters have no value: {', '.join(missing)}")
    if unknown := sorted(set(parameters) - asked):
        raise DataError(f"the query has no parameter {', '.join(f'${name}' for name in unknown)}")


def run_query(
    query: str,
    parameters: Mapping[str, Any],
    tables: Mapping[str, str],
    made: str,
    *,
    memory_mb: int,
) -> tuple[int, list[str]]:
    """Write a query's answer as Parquet, and tell its rows and columns.

    Args:
        query: One that :func:`check_query` lets through.
        parameters: Values of its parameters, by name.
        tables: Parquet files, by the names that the query has for them.
        made: The file to write, in a folder of its own, where what memory does not hold goes too.
        memory_mb: Megabytes that the query may use.

    Raises:
        DataError: the query cannot be answered; the message is DuckDB's own.
    """
    folder = str(Path(made).parent)
    settings = {
        "memory_limit": f"{memory_mb}MB",
        "temp_directory": folder,
        "autoinstall_known_extensions": False,
    }
    with _refusals(), contextlib.closing(duckdb.connect(config=settings)) as connection:
        connection.execute("SET enable_progress_bar = false")  # its drawing would fill a log
        connection.execute(f"SET allowed_paths = {_list(tables.values())}")
        connection.execute(f"SET allowed_directories = {_list([folder])}")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        for name, path in tables.items():
            connection.execute(f"CREATE VIEW {name} AS FROM read_parquet({_text(path)})")
        text = query.strip().rstrip(";")
        connection.execute(
            f"COPY (\n{text}\n) TO {_text(made)} ({_FORMAT})",
            dict(parameters) or None,
        )
    with contextlib.closing(parquet.ParquetFile(made)) as file:
        return file.metadata.num_rows, file.schema_arrow.names


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """DuckDB's errors as what a component says, without its drawing of where in the query."""
    try:
        yield
    except duckdb.Error as cause:
        told = " ".join(str(cause).partition("\n\nLINE")[0].split())
        raise DataError(f"the query cannot be answered: {told}") from cause


def _list(texts: Any) -> str:
    return f"[{', '.join(map(_text, texts))}]"


def _text(value: str) -> str:
    """A literal of SQL."""
    return "'" + value.replace("'", "''") + "'"
