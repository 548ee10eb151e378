"""Expectations: what agrees, what does not, and how it is told."""

from __future__ import annotations

import os
import re
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.matrix.expectations import compare, disagreements, faults
from eggcrate.pipelines.outputs import Outputs, Produced

if TYPE_CHECKING:
    from pathlib import Path

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=values)
def test_every_value_is_as_it_is(value: Any) -> None:
    """A value agrees with itself, whatever it is."""
    assert list(compare(value, value, "x")) == []
    assert list(compare(value, {"equals": value}, "x")) == []


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.9312, {"about": 0.93, "within": 0.01}),
        (3, {"about": 3}),
        (3, {"at-least": 3, "at-most": 3}),
        ("abc", {"matches": "^a"}),
        ("b", {"one-of": ["a", "b"]}),
        ({"a": 1, "b": 2}, {"a": {"at-least": 1}}),
        ([{"a": 1}], [{"a": 1}]),
        (3.0, 3),
    ],
)
def test_what_agrees(value: Any, wanted: Any) -> None:
    """By each word, however deep; keys that are not named may be anything."""
    assert list(compare(value, wanted, "x")) == []


@pytest.mark.parametrize(
    ("value", "wanted", "says"),
    [
        (0.95, {"about": 0.93, "within": 0.01}, "x is 0.95, not 0.93 within 0.01"),
        (2, {"at-least": 3}, "x is 2, less than 3"),
        (4, {"at-most": 3}, "x is 4, more than 3"),
        ("c", {"one-of": ["a"]}, 'x is "c", none of ["a"]'),
        ("c", {"matches": "^a"}, "does not match ^a"),
        ("c", {"at-least": 3}, 'x is "c", not a number'),
        (True, {"at-least": 0}, "x is true, not a number"),
        (True, 1, "x is true, not 1"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "x.a.b is 1, not 2"),
        ({}, {"a": 1}, "x has no a"),
        (1, {"a": 1}, "x is 1, not a table"),
        ([1, 2], [1, 3], "x[1] is 2, not 3"),
        (1, {"equals": True}, "x is 1, not true"),
        ([{"a": True}], {"equals": [{"a": 1}]}, "not [{"),
        (1, {"one-of": [True, 2]}, "x is 1, none of"),
        ([1], [1, 3], "x is [1], not [1, 3]"),
        ("y" * 999, "z", "y …, not"),
    ],
)
def test_what_does_not(value: Any, wanted: Any, says: str) -> None:
    """The place, what is there and what was wanted, in a sentence."""
    [told] = compare(value, wanted, "x")
    assert says in told


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"about": "3"}, 'has about = "3", which must be a number'),
        ({"at-least": True}, "has at-least = true, which must be a number"),
        ({"a": [{"at-most": []}]}, "has at-most = [], which must be a number"),
        ({"within": 1}, "has within, which needs about"),
        ({"one-of": "ab"}, 'has one-of = "ab", which must be a list'),
        ({"matches": "("}, "which is no regular expression (missing )"),
        ({"json": {"a": {"matches": 3}}}, "(it must be a text)"),
    ],
)
def test_words_that_cannot_be_judged_are_told_before(wanted: Any, says: str) -> None:
    """However deep they stand; what is only compared may be anything."""
    [told] = faults(wanted)
    assert says in told
    assert list(faults({"a": {"about": 3, "within": 0.1}, "b": [{"equals": "("}, 1]})) == []


@pytest.mark.parametrize(
    ("member", "says"),
    [("/etc/passwd", "leads out"), ("loop", "loop|levels"), ("a\0b", "null"), ("pipe", "no file")],
)
def test_what_a_member_leads_to_is_told_never_raised(
    tmp_path: Path, member: str, says: str
) -> None:
    """A path that is absolute, a link to itself, no path at all, or a pipe without an end."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    made = Produced(path=folder, uri="/out/folder", metadata={})
    outputs = Outputs(parameters={}, artifacts={"it": made})
    [told] = disagreements(outputs, {"it": {"member": member, "contains": "x"}}, tmp_path)
    assert re.search(says, told)


def test_artifacts_are_looked_into(tmp_path: Path) -> None:
    """Their metadata, their file, a member of their zip or folder; each fault is told."""
    (tmp_path / "text").write_text('{"a": [1, 2]}')
    (tmp_path / "same").write_text('{"a": [1, 2]}')
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "in").write_text("inside")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("in", "inside")
    outputs = Outputs(
        parameters={"rows": 3},
        artifacts={
            name: Produced(path=tmp_path / name, uri=f"/out/{name}", metadata={"rows": 3.0})
            for name in ("text", "folder", "zip")
        }
        | {"away": Produced(path=None, uri="gs://bucket/away", metadata={})},
    )
    good = {
        "rows": 3,
        "text": {"same-as": "same", "contains": "[1", "json": {"a": [1, 2]}},
        "folder": {"member": "in", "contains": "inside", "metadata": {"rows": 3}},
        "zip": {"member": "in", "same-as": "folder/in"},
        "away": {"metadata": {}},
    }
    assert disagreements(outputs, good, tmp_path) == []
    bad = {
        "row": 3,
        "text": {"same-as": "folder/in", "contains": "x", "json": {"a": [1]}},
        "folder": {"member": "../text", "contains": "a"},
        "zip": {"member": "out", "contains": "a"},
        "away": {"contains": "a"},
    }
    assert disagreements(outputs, bad, tmp_path) == [
        "there is no output row; there are: rows, text, folder, zip, away",
        "text is not the same as folder/in",
        'text does not contain "x"',
        "text.a is [1, 2], not [1]",
        "../text leads out of its folder",
        "zip has no member out: \"There is no item named 'out' in the archive\"",
        "away has no file; it is gs://bucket/away",
    ]
    [told] = disagreements(outputs, {"text": 3}, tmp_path)
    assert told.startswith("text is an artifact, of which metadata, member, same-as")
