"""The recipe is the identity of an image: meaning counts, form does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.build import image
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
        {"base": "python-3.11-debug"},
        {"base_digest": f"sha256:{'1' * 64}"},
        {"sdist_key": "1" * 64},
        {"description": "for training"},
        {"owner": "ml-platform"},
        {"supported_until": "2028-12-31"},
        {"user": "nonroot"},
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


TOLD = {
    "description": "for training",
    "owner": "ml-platform",
    "supported_until": "2028-12-31",
    "user": "nonroot",
    "base_digest": f"sha256:{'1' * 64}",
}


def test_an_image_says_who_answers_for_it() -> None:
    """In the manifest and in the configuration alike, under OCI's names where it has them."""
    recipe = replace(RECIPE, **TOLD)  # type: ignore[arg-type]
    said = {
        "org.opencontainers.image.description": "for training",
        "org.opencontainers.image.base.name": "python-3.11",
        "org.opencontainers.image.base.digest": TOLD["base_digest"],
        "dev.eggcrate.owner": "ml-platform",
        "dev.eggcrate.supported-until": "2028-12-31",
        "dev.eggcrate.user": "nonroot",
    }
    configuration = image.config(recipe, (), {})
    assert configuration.labels == image.about(recipe)
    assert image.manifest(recipe, (), configuration.encode()).annotations == image.about(recipe)
    assert said.items() <= image.about(recipe).items()


def test_an_image_runs_as_who_was_asked_for() -> None:
    """Root and no word of a home, unless asked; else a number, as Kubernetes wants it, and a home.

    A registry image as a base has no home of ours in it.
    """
    root = image.config(RECIPE, (), {})
    assert (root.user, "HOME" in root.env) == ("", False)
    ours = image.config(replace(RECIPE, user="nonroot"), (), {})
    assert (ours.user, ours.env["HOME"]) == ("65532:65532", "/home/nonroot")
    recipe = replace(RECIPE, user="nonroot", base_digest=TOLD["base_digest"])
    other = image.config(recipe, (), {"HOME": "/root"})
    assert (other.user, other.env["HOME"]) == ("65532:65532", "/tmp")


def test_what_is_not_said_is_left_out() -> None:
    """No empty annotations."""
    assert all(image.about(RECIPE).values())
    assert "dev.eggcrate.owner" not in image.about(RECIPE)


@given(
    st.fixed_dictionaries({name: st.sampled_from(["", value]) for name, value in TOLD.items()}),
    st.fixed_dictionaries({name: st.sampled_from(["", value]) for name, value in TOLD.items()}),
)
def test_images_of_one_key_say_the_same(one: dict[str, str], other: dict[str, str]) -> None:
    """What an image says is a function of its key: one tag never has two digests."""
    first, second = replace(RECIPE, **one), replace(RECIPE, **other)  # type: ignore[arg-type]
    assert (first.key == second.key) == (image.about(first) == image.about(second))
