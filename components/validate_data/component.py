"""Hold a table to a schema, and describe it."""

from typing import NamedTuple, Optional

import pandas as pd
from kfp.dsl import HTML, Artifact, Dataset, Input, Output

from components.shared import pages
from components.shared.archives import write_json
from components.shared.errors import DataError
from components.shared.tables import read_table
from components.validate_data.schema import check_schema, infer, violations_of
from components.validate_data.statistics import statistics_of
from eggcrate import component

SCHEMA = "components.validation/1"
ACTIONS = ("fail", "report")
_TOLD = 5


class Validated(NamedTuple):
    """Whether the table is as it should be, and the schema that describes it as it is."""

    valid: bool
    rows: int
    violations: int
    schema: dict


@component
def validate_data(  # noqa: PLR0917 - KFP passes them by name
    data: Input[Dataset],
    report: Output[HTML],
    statistics: Output[Artifact],
    schema: Optional[dict] = None,  # noqa: UP045 - KFP does not read `dict | None`
    action: str = "fail",
    extra_columns: bool = False,
    categories: int = 20,
) -> Validated:
    """Check types, ranges, categories, missing values, uniqueness and the number of rows.

    The schema is a Table Schema (Frictionless Data): ``fields``, each with ``name``, ``type``
    (``integer``, ``number``, ``boolean``, ``string``, ``datetime``) and ``constraints``:
    ``required``, ``unique``, ``minimum``, ``maximum``, ``enum``, ``pattern``, and of our own
    ``maxMissing``, a share. ``primaryKey`` names columns; ``rows`` has ``minimum`` and ``maximum``.
    Without a schema the table is described: what comes back can be given for the next one.

    Args:
        data: A table: Parquet, CSV, or one that another component wrote.
        report: A page with what is wrong, and statistics of each column.
        statistics: The same as JSON.
        schema: What the table must be.
        action: ``fail``: the task fails when the table is not valid, with a report that is whole;
            or ``report``: it succeeds and ``valid`` tells.
        extra_columns: Whether columns that the schema does not name will do.
        categories: Most texts that an inferred schema lists as the only ones.

    Returns:
        Whether it is valid, its rows, how many violations, and the schema that was inferred.

    Raises:
        DataError: the table cannot be read, the schema is none (nothing is written then), or with
            ``fail`` the table is not valid.
    """
    if action not in ACTIONS:
        raise DataError(f"there is no action {action!r}; use one of: {', '.join(ACTIONS)}")
    if schema:
        check_schema(schema)
    frame = read_table(data.path, empty=True)
    inferred = infer(frame, categories=categories)
    found = violations_of(frame, schema, extra=extra_columns) if schema else []
    figures = statistics_of(frame)
    write_json(
        statistics.path,
        {
            "schema": SCHEMA,
            "valid": not found,
            "rows": len(frame),
            "violations": found,
            "columns": figures,
            "table_schema": inferred,
        },
    )
    pages.write_page(report.path, "Validation", _sections(frame, found, figures))
    statistics.metadata.update({"valid": not found, "rows": len(frame)})
    if found and action == "fail":
        told = "; ".join(each["what"] for each in found[:_TOLD])
        more = f"; and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
        raise DataError(f"data {data.path} is not valid: {told}{more}")
    return Validated(valid=not found, rows=len(frame), violations=len(found), schema=inferred)


def _sections(frame: pd.DataFrame, found: list, figures: list) -> list:
    sections = [("", pages.paragraph(f"{len(frame):,} rows, {frame.shape[1]} columns."))]
    if found:
        rows = [(each["column"], each["rule"], each["what"], each["rows"]) for each in found]
        sections.append(("What is wrong", pages.table(("column", "rule", "", "rows"), rows)))
    names = ("name", "type", "missing", "distinct", "minimum", "mean", "maximum")
    rows = [[each.get(name) for name in names] for each in figures]
    return [*sections, ("Columns", pages.table(names, rows))]
