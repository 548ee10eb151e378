"""Each defence that `make defences` takes out stands where the table says, and is told."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from support.defences import PAGE, ROOT, Defence, everything, page


@pytest.mark.parametrize("defence", everything(), ids=lambda one: one.what.replace(" ", "-"))
def test_a_defence_can_be_taken_out(defence: Defence) -> None:
    """Its text stands in its file once, what is left is Python, and its test is there."""
    source = (ROOT / "ci/eggcrate" / defence.file).read_text(encoding="utf-8")
    assert source.count(defence.old) == 1
    assert defence.old != defence.new
    ast.parse(source.replace(defence.old, defence.new))
    file, _, test = defence.test.partition("::")
    name = test.partition("[")[0]
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_defences_have_names_of_their_own() -> None:
    """So that one can be chosen by its words."""
    assert set(Counter(one.what for one in everything()).values()) == {1}


def test_the_page_tells_them() -> None:
    """`make defences` writes the table anew."""
    assert PAGE.read_text(encoding="utf-8") == page()
