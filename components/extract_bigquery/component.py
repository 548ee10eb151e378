"""Bring the result of a BigQuery query, or a table, into a pipeline as Parquet."""

from typing import NamedTuple, Optional

from google.cloud import bigquery
from kfp.dsl import Dataset, Output

from components.extract_bigquery.connection import connect, refusals, retrying
from components.extract_bigquery.parameters import query_parameters
from components.extract_bigquery.stream import batches_of, write_parquet
from components.shared.errors import DataError
from eggcrate import component


class Extracted(NamedTuple):
    """What was read."""

    rows: int
    bytes_processed: int


@component
def extract_bigquery(  # noqa: PLR0917 - KFP passes them by name
    data: Output[Dataset],
    query: str = "",
    table: str = "",
    parameters: Optional[dict] = None,  # noqa: UP045 - KFP does not read `dict | None`
    columns: Optional[list] = None,  # noqa: UP045 - as above
    project: str = "",
    location: str = "",
    limit: int = 0,
    maximum_bytes_billed: int = 0,
    allow_empty: bool = False,
    storage_api: bool = True,
    page_size: int = 10_000,
    retry_seconds: float = 600.0,
) -> Extracted:
    """Stream rows into a Parquet file; memory does not grow with their number.

    Rows come by the Storage Read API over one stream, so in the query's order, or page by page over
    REST. Needs ``roles/bigquery.jobUser`` on the project and ``roles/bigquery.dataViewer`` on the
    data; for the Storage Read API ``roles/bigquery.readSessionUser`` as well.

    Args:
        data: The rows, as Parquet with BigQuery's types.
        query: A query in GoogleSQL. This or ``table``.
        table: A table or view, ``project.dataset.table`` or ``dataset.table``.
        parameters: Values of the query's ``@name`` parameters: text, number, boolean or a list of
            one of them, or ``{"type": "DATE", "value": "2027-01-31"}`` where the type is another.
        columns: Columns of the table to read; all when not given.
        project: That the query is billed to; that of the credentials when not given.
        location: Where the query runs; the data's own when not given.
        limit: Most rows to write; 0 for all. It makes no query cheaper.
        maximum_bytes_billed: Most bytes that may be read, 0 for no limit. The query is estimated
            first (for nothing), and BigQuery is told the limit too.
        allow_empty: Whether a result without rows will do.
        storage_api: Whether to read by the Storage Read API, several times faster than REST.
        page_size: Most rows in one answer over REST.
        retry_seconds: How long to go on trying when BigQuery is over its quota or not there.

    Returns:
        How many rows were written, and how many bytes BigQuery processed for them.

    Raises:
        DataError: the query or table cannot be read, is too large, or gives no rows. Nothing is
            written then.
    """
    if bool(query.strip()) == bool(table.strip()):
        raise DataError("give either a query or a table, and not both")
    for name, value, least in (("limit", limit, 0), ("page_size", page_size, 1)):
        if value < least:
            raise DataError(f"{name} is {value}; it must be {least} or more")
    if maximum_bytes_billed < 0:
        raise DataError(f"maximum_bytes_billed is {maximum_bytes_billed}; it must be 0 or more")
    if table and parameters:
        raise DataError("parameters are of a query; a table has none")
    if query and columns:
        raise DataError("columns are chosen from a table; name them in the query instead")
    client, reader = connect(project, location, storage_api=storage_api)
    asking = {
        "most": maximum_bytes_billed,
        "page_size": page_size,
        "retry": retrying(retry_seconds),
    }
    with refusals(table or "the query"):
        if table:
            rows, processed = _table(client, table, columns, **asking)
        else:
            rows, processed = _query(client, query, parameters or {}, **asking)
        found = batches_of(rows, reader, limit=limit)
        count = write_parquet(data.path, found, source=table or "the query", empty=allow_empty)
    data.metadata["rows"] = count
    data.metadata["source"] = table or "query"
    return Extracted(rows=count, bytes_processed=processed)


def _query(
    client: bigquery.Client,
    text: str,
    parameters: dict,
    *,
    most: int,
    page_size: int,
    retry: object,
) -> tuple[bigquery.table.RowIterator, int]:
    settings = {"query_parameters": query_parameters(parameters), "labels": {"step": "extract"}}
    if most:
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False, **settings)
        estimate = client.query(text, config, retry=retry).total_bytes_processed or 0
        _check_size("the query", estimate, most)
        settings["maximum_bytes_billed"] = most
    job = client.query(text, bigquery.QueryJobConfig(**settings), retry=retry, job_retry=None)
    rows = job.result(page_size=page_size, retry=retry, job_retry=None)
    return rows, job.total_bytes_processed or 0


def _table(
    client: bigquery.Client,
    name: str,
    columns: Optional[list],  # noqa: UP045 - as above
    *,
    most: int,
    page_size: int,
    retry: object,
) -> tuple[bigquery.table.RowIterator, int]:
    try:
        found = client.get_table(name, retry=retry)
    except ValueError as cause:
        raise DataError(f"{name!r} is no table: write project.dataset.table") from cause
    known = {field.name: field for field in found.schema}
    if missing := [each for each in columns or () if each not in known]:
        told = ", ".join(list(known)[:20])
        raise DataError(f"table {name} has no column {', '.join(missing)}; it has: {told}")
    size = found.num_bytes or 0
    if most:
        _check_size(f"table {name}", size, most)
    chosen = [known[each] for each in columns] if columns else None
    return client.list_rows(found, selected_fields=chosen, page_size=page_size, retry=retry), size


def _check_size(what: str, size: int, most: int) -> None:
    if size > most:
        raise DataError(
            f"{what} would read {size:,} bytes, more than maximum_bytes_billed ({most:,}); "
            "read fewer columns or partitions, or raise it"
        )
