"""A Table Schema: read with care, inferred from a table, held against one.

Specification: https://specs.frictionlessdata.io/table-schema/.
"""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from components.shared.errors import DataError
from components.shared.frames import describe
from components.validate_data.statistics import plain

TYPES = ("integer", "number", "boolean", "string", "datetime", "any")
CONSTRAINTS = ("required", "unique", "minimum", "maximum", "enum", "pattern", "maxMissing")
_KEYS = ("fields", "primaryKey", "rows", "missingValues")


def infer(frame: pd.DataFrame, *, categories: int) -> dict[str, Any]:
    """The narrowest schema of these words that a table fits."""
    fields = []
    for name, kind in describe(frame).items():
        column = frame[name]
        values = column.dropna()
        constraints: dict[str, Any] = {}
        if len(column) and not column.isna().any():
            constraints["required"] = True
        if len(values) and kind in ("integer", "number", "datetime"):
            limits = {"minimum": plain(values.min()), "maximum": plain(values.max())}
            constraints |= {word: value for word, value in limits.items() if value is not None}
        if len(values) and kind == "string" and values.nunique() <= categories:
            constraints["enum"] = sorted(values.unique())
        fields.append({"name": name, "type": kind, "constraints": constraints})
    return {"fields": fields}


def check_schema(schema: dict[str, Any]) -> None:
    """Refuse what is no schema, and what would be passed over in silence.

    Raises:
        DataError: it is not one; the message names the place.
    """
    fields = schema.get("fields")
    if not isinstance(fields, list) or not all(
        isinstance(each, dict) and isinstance(each.get("name"), str) for each in fields
    ):
        raise DataError("the schema has no `fields`, a list of tables with a `name` each")
    _only("the schema", schema, _KEYS)
    for each in fields:
        where = f"the schema's field {each['name']}"
        if each.get("type", "any") not in TYPES:
            raise DataError(
                f"{where} has the type {each['type']!r}; use one of: {', '.join(TYPES)}"
            )
        constraints = each.get("constraints", {})
        _only(where, constraints, CONSTRAINTS)
        try:
            re.compile(constraints.get("pattern", ""))
        except (re.error, TypeError) as cause:
            raise DataError(f"{where} has a pattern that is none: {cause}") from cause
        for word in ("minimum", "maximum"):
            if word in constraints:
                _limit(where, each.get("type", "any"), constraints[word])
    _only("the schema's rows", schema.get("rows", {}), ("minimum", "maximum"))
    names = {each["name"] for each in fields}
    if unknown := [name for name in primary_key(schema) if name not in names]:
        raise DataError(f"the schema's primaryKey names no field: {', '.join(unknown)}")


def primary_key(schema: dict[str, Any]) -> list[str]:
    """The columns that name a row."""
    key = schema.get("primaryKey", [])
    return [key] if isinstance(key, str) else list(key)


def violations_of(frame: pd.DataFrame, schema: dict[str, Any], *, extra: bool) -> list[dict]:
    """Say what in a table is not as a schema has it: column, rule, sentence, number of rows."""
    found: list[dict] = []

    def add(column: str, rule: str, what: str, rows: int) -> None:
        found.append({"column": column, "rule": rule, "what": what, "rows": rows})

    size = len(frame)
    _check_size(size, schema.get("rows", {}), add)
    types = describe(frame)
    known = {each["name"]: each for each in schema["fields"]}
    for name in known:
        if name not in types:
            add(name, "column", f"column {name} is missing", size)
    for name in types:
        if name not in known and not extra:
            add(name, "column", f"column {name} is not in the schema", size)
    for name, field in known.items():
        if name in types:
            _check_column(frame[name], types[name], field, add)
    key = [name for name in primary_key(schema) if name in types]
    if key and (count := int(frame.duplicated(key).sum())):
        add(", ".join(key), "primaryKey", f"{count} rows have a key that was there before", count)
    return found


def _check_size(size: int, rows: dict[str, Any], add: Any) -> None:
    if size < rows.get("minimum", 0):
        add("", "rows", f"it has {size} rows, fewer than {rows['minimum']}", size)
    if size > rows.get("maximum", size):
        add("", "rows", f"it has {size} rows, more than {rows['maximum']}", size)


def _check_column(column: pd.Series, kind: str, field: dict[str, Any], add: Any) -> None:
    name, values = field["name"], column.dropna()
    constraints = field.get("constraints", {})
    wanted = field.get("type", "any")
    missing = int(column.isna().sum())
    if constraints.get("required") and missing:
        add(name, "required", f"column {name} is missing in {missing} rows", missing)
    share = missing / len(column) if len(column) else 0.0
    if share > constraints.get("maxMissing", 1):
        most = constraints["maxMissing"]
        add(
            name, "maxMissing", f"column {name} is missing in {share:.1%}, over {most:.1%}", missing
        )
    fits = wanted in ("any", kind) or (wanted == "number" and kind == "integer")
    if not fits and len(values):
        add(name, "type", f"column {name} is {kind}, not {wanted}", len(values))
        return
    for word, beyond in (("minimum", values.lt), ("maximum", values.gt)):
        if word in constraints and len(values):
            limit = _limit(name, kind, constraints[word])
            told = f"{word} {constraints[word]}"
            _count(beyond(limit), values, add, rule=word, word=told)
    if "enum" in constraints:
        odd = ~values.astype(str).isin([str(each) for each in constraints["enum"]])
        _count(odd, values, add, rule="enum", word="the values of its enum")
    if "pattern" in constraints:
        odd = ~values.astype(str).str.fullmatch(constraints["pattern"])
        told = f"the pattern {constraints['pattern']}"
        _count(odd, values, add, rule="pattern", word=told)
    if constraints.get("unique") and (count := int(values.duplicated().sum())):
        add(name, "unique", f"column {name} has {count} values that were there before", count)


def _count(odd: pd.Series, values: pd.Series, add: Any, *, rule: str, word: str) -> None:
    name = values.name
    if count := int(odd.sum()):
        example = values[odd].iloc[0]
        what = f"column {name} has {count} values beyond {word}, such as {example}"
        add(name, rule, what, count)


def _limit(where: str, kind: str, value: Any) -> Any:
    try:
        return pd.Timestamp(value) if kind == "datetime" else float(value)
    except (TypeError, ValueError) as cause:
        raise DataError(f"{where}: a limit cannot be {value!r}") from cause


def _only(where: str, table: Any, known: tuple[str, ...]) -> None:
    if not isinstance(table, dict):
        raise DataError(f"{where} is no table of {', '.join(known)}")
    if unknown := sorted(set(table) - set(known)):
        raise DataError(f"{where} has {unknown[0]!r}, which is none of: {', '.join(known)}")
