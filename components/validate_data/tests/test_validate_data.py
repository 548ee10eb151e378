"""Validation: each rule is broken alone and told, what is right passes, figures are right."""

import json
from pathlib import Path

import pandas as pd
import pytest
from kfp.dsl import HTML, Artifact, Dataset

from components.shared.errors import DataError
from components.validate_data.component import Validated, validate_data

FRAME = pd.DataFrame(
    {
        "id": [1, 2, 3, 4],
        "size": [0.5, 1.5, None, 2.5],
        "kind": ["a", "b", "a", None],
        "ready": [True, False, True, True],
        "day": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]),
    }
)


def validate(folder: Path, frame: pd.DataFrame = FRAME, **given: object) -> Validated:
    frame.to_parquet(folder / "data")
    return validate_data(
        Dataset(uri=str(folder / "data")),
        HTML(uri=str(folder / "report")),
        Artifact(uri=str(folder / "statistics")),
        **given,
    )


def field(name: str, kind: str = "any", **constraints: object) -> dict:
    return {"fields": [{"name": name, "type": kind, "constraints": constraints}]}


def test_a_table_fits_the_schema_that_is_inferred_from_it(tmp_path: Path) -> None:
    """Which so can be kept, and given for the next table."""
    told = validate(tmp_path)
    assert told[:3] == (True, 4, 0)
    kinds = {each["name"]: each["type"] for each in told.schema["fields"]}
    assert kinds == {
        "id": "integer",
        "size": "number",
        "kind": "string",
        "ready": "boolean",
        "day": "datetime",
    }
    schema = json.loads(json.dumps(told.schema))
    assert validate(tmp_path, schema=schema).valid
    later = FRAME.assign(id=FRAME["id"] + 4, kind="c")
    assert validate(tmp_path, later, schema=schema, action="report").violations == 2


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (field("size", required=True), "column size is missing in 1 rows"),
        (field("size", maxMissing=0.2), "column size is missing in 25.0%, over 20.0%"),
        (field("kind", "integer"), "column kind is string, not integer"),
        (field("size", minimum=1), "column size has 1 values beyond minimum 1, such as 0.5"),
        (field("size", maximum=2), "column size has 1 values beyond maximum 2, such as 2.5"),
        (field("day", "datetime", minimum="2024-01-03"), "column day has 2 values beyond minimum"),
        (field("kind", enum=["a"]), "column kind has 1 values beyond the values of its enum"),
        (field("kind", pattern="[b-z]"), "column kind has 2 values beyond the pattern"),
        (field("kind", unique=True), "column kind has 1 values that were there before"),
        (field("colour"), "column colour is missing"),
        (field("kind") | {"primaryKey": ["kind"]}, "1 rows have a key that was there before"),
        (field("id") | {"rows": {"minimum": 5}}, "it has 4 rows, fewer than 5"),
        (field("id") | {"rows": {"maximum": 3}}, "it has 4 rows, more than 3"),
    ],
)
def test_each_rule_is_told_when_it_is_broken(tmp_path: Path, schema: dict, says: str) -> None:
    """In the error, in the report and in the figures; as a mere report it is no error."""
    with pytest.raises(DataError, match=f"is not valid: {says}"):
        validate(tmp_path, schema=schema, extra_columns=True)
    told = validate(tmp_path, schema=schema, extra_columns=True, action="report")
    assert (told.valid, told.violations) == (False, 1)
    [found] = json.loads((tmp_path / "statistics").read_text())["violations"]
    assert says in found["what"]
    assert "What is wrong" in (tmp_path / "report").read_text()


def test_columns_that_nobody_named_are_told(tmp_path: Path) -> None:
    assert validate(tmp_path, schema=field("id", "number"), action="report").violations == 4
    assert validate(tmp_path, schema=field("id", "number"), extra_columns=True).valid


def test_the_figures_are_right(tmp_path: Path) -> None:
    validate(tmp_path)
    columns = json.loads((tmp_path / "statistics").read_text())["columns"]
    by_name = {each["name"]: each for each in columns}
    assert by_name["size"] == {
        "name": "size",
        "type": "number",
        "missing": 0.25,
        "distinct": 3,
        "minimum": 0.5,
        "maximum": 2.5,
        "mean": 1.5,
        "deviation": pytest.approx((2 / 3) ** 0.5),
        "quartiles": [1.0, 1.5, 2.0],
    }
    assert by_name["kind"]["most"] == {"a": 2, "b": 1}
    assert by_name["day"]["maximum"] == "2024-01-04T00:00:00"


def test_a_table_without_rows_is_described(tmp_path: Path) -> None:
    """Whether that will do is the schema's to say."""
    assert validate(tmp_path, FRAME[:0]).rows == 0
    with pytest.raises(DataError, match="it has 0 rows, fewer than 1"):
        validate(tmp_path, FRAME[:0], schema=field("id") | {"rows": {"minimum": 1}})


def test_a_report_shows_data_as_text(tmp_path: Path) -> None:
    """Never as HTML of its own."""
    frame = pd.DataFrame({"<b>x</b>": ["<script>alert(1)</script>"]})
    validate(tmp_path, frame, schema=field("<b>x</b>", enum=["y"]), action="report")
    page = (tmp_path / "report").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"action": "warn"}, "no action 'warn'; use one of: fail, report"),
        ({"schema": {"columns": []}}, "the schema has no `fields`"),
        ({"schema": field("id") | {"kind": 1}}, "the schema has 'kind', which is none of"),
        ({"schema": field("id", "text")}, "field id has the type 'text'; use one of: integer"),
        ({"schema": field("id", least=1)}, "field id has 'least', which is none of: required"),
        ({"schema": field("id", pattern="(")}, "field id has a pattern that is none"),
        ({"schema": field("id", minimum="low")}, "field id: a limit cannot be 'low'"),
        ({"schema": field("id") | {"primaryKey": "key"}}, "primaryKey names no field: key"),
    ],
)
def test_bad_input_is_refused_and_nothing_written(tmp_path: Path, given: dict, says: str) -> None:
    with pytest.raises(DataError, match=says):
        validate(tmp_path, **given)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    outputs = HTML(uri=str(tmp_path / "report")), Artifact(uri=str(tmp_path / "statistics"))
    with pytest.raises(DataError, match="nowhere: there is no such file"):
        validate_data(Dataset(uri=str(tmp_path / "nowhere")), *outputs)
    (tmp_path / "data").write_bytes(b"PAR1, but broken")
    with pytest.raises(DataError, match=r"data is no CSV that can be read|cannot be read"):
        validate_data(Dataset(uri=str(tmp_path / "data")), *outputs)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
