"""Values of a pipeline as parameters of a query: sent beside its text, never put into it."""

from __future__ import annotations

from typing import Any

from google.cloud import bigquery

from components.shared.errors import DataError

TYPES = (
    *("BOOL", "INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC", "STRING", "BYTES"),
    *("DATE", "DATETIME", "TIME", "TIMESTAMP", "JSON", "GEOGRAPHY"),
)
_KINDS = ((bool, "BOOL"), (int, "INT64"), (float, "FLOAT64"), (str, "STRING"))


def query_parameters(values: dict[str, Any]) -> list[Any]:
    """Give BigQuery's parameters of a query.

    Raises:
        DataError: a value has a type that BigQuery has not; the message names it.
    """
    return [_parameter(name, value) for name, value in sorted(values.items())]


def _parameter(name: str, value: Any) -> Any:
    kind = ""
    if isinstance(value, dict):
        if set(value) != {"type", "value"} or value["type"] not in TYPES:
            raise DataError(
                f"the parameter {name} cannot be {value!r}: write "
                f'{{"type": "DATE", "value": …}} with one of the types {", ".join(TYPES)}'
            )
        kind, value = value["type"], value["value"]
    if not isinstance(value, list):
        return bigquery.ScalarQueryParameter(name, kind or _kind(name, value), value)
    kinds = {kind} if kind else {_kind(name, each) for each in value}
    if kinds == {"INT64", "FLOAT64"}:  # a list of JSON numbers
        kinds = {"FLOAT64"}
    if len(kinds) != 1:
        found = " and ".join(sorted(kinds)) or "nothing"
        raise DataError(f"the parameter {name} must be a list of one type; it holds {found}")
    return bigquery.ArrayQueryParameter(name, kinds.pop(), value)


def _kind(name: str, value: Any) -> str:
    found = next((word for python, word in _KINDS if isinstance(value, python)), None)
    if found is None:
        raise DataError(
            f"the parameter {name} is {value!r}: it must be a text, a number, a boolean or a list"
        )
    return found
