"""The recipe is the identity of an image: meaning counts, form does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.build.recipe import Recipe
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.target import Platform, Target

PACKAGES = tuple(
    Distribution(name=name, version="1", filename=f"{name}-1-py3-none-any.whl", sha256=name * 64)
    for name in "abcdef"
)
RECIPE = Recipe(
    environment="mine",
    target=Target(python="3.11.2", platform=Platform.parse("linux/amd64"), glibc=(2, 36)),
    base="python-3.11",
    base_key="0" * 64,
    interpreter="/usr/bin/python3.11",
    distributions=PACKAGES,
    compile=True,
    allow_overlap=(),
)


@given(st.permutations(PACKAGES))
def test_the_order_of_packages_does_not_count(packages: list[Distribution]) -> None:
    """A lock sorted in another way is the same recipe."""
    assert replace(RECIPE, distributions=tuple(packages)).key == RECIPE.key


def test_where_a_file_comes_from_does_not_count() -> None:
    """The same bytes from a mirror, under another name, are the same recipe."""
    moved = replace(PACKAGES[0], url="file:///elsewhere/a.whl", filename="other.whl")
    assert replace(RECIPE, distributions=(moved, *PACKAGES[1:])).key == RECIPE.key


@pytest.mark.parametrize(
    "change",
    [
        {"distributions": PACKAGES[1:]},
        {"distributions": (replace(PACKAGES[0], sha256="f" * 64), *PACKAGES[1:])},
        {"base_key": "1" * 64},
        {"compile": False},
        {"environment": "yours"},
        {"system_key": "1" * 64},
        {"allow_overlap": ("x",)},
        {"target": replace(RECIPE.target, platform=Platform.parse("linux/arm64"))},
        {"target": replace(RECIPE.target, python="3.11.9")},
    ],
    ids=str,
)
def test_everything_that_changes_the_image_changes_the_key(change: dict[str, object]) -> None:
    """A package, its hash, the base, the platform, the Python: each gives another key."""
    assert replace(RECIPE, **change).key != RECIPE.key  # type: ignore[arg-type]
