"""A newcomer's mistakes get the nearest names and the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from eggcrate.errors import PackageError
from eggcrate.packages.advice import Names, Place, check, names_of, suggestion
from eggcrate.packages.bounds import sensible_range
from eggcrate.packages.conflicts import shortened
from eggcrate.packages.offers import Offer
from eggcrate.packages.target import Platform, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

AMD64 = Platform.parse("linux/amd64")
OLD = Target(python="3.11.2", platform=AMD64, glibc=(2, 36))
NEW = Target(python="3.13.5", platform=AMD64, glibc=(2, 41))
PLACE = Place(name="old", target=OLD, others={"new": NEW})
NAMES = names_of(
    ("pandas", "pyyaml", "xgboost-cpu", "scikit-learn", "google-cloud-storage"),
    {
        "pyyaml": {"yaml", "_yaml"},
        "xgboost-cpu": {"xgboost"},
        "google-cloud-storage": {"google.cloud.storage"},
    },
)


def offer(name: str, version: str, *tags: str, python: str = "") -> Offer:
    return Offer(
        name=name,
        version=Version(version),
        files=tuple(f"{name}-{version}-{tag}.whl" for tag in tags or ("py3-none-any",)),
        requires_python=(python,) if python else (),
        yanked=False,
    )


OFFERS: dict[str, list[Offer]] = {
    "polars": [offer("polars", version) for version in ("0.9", "1.0", "1.8", "1.9", "2.0")],
    "modern": [
        offer("modern", "1.0", python=">=3.8"),
        offer("modern", "2.0", python=">=3.12"),
    ],
    "recent": [offer("recent", "3.0", python=">=3.12")],
    "native": [
        offer("native", "1.0", "cp311-cp311-manylinux_2_17_x86_64"),
        offer("native", "2.0", "cp313-cp313-manylinux_2_17_x86_64", "cp311-cp311-win_amd64"),
        offer("native", "3.0", "cp311-cp311-macosx_11_0_arm64"),
    ],
    "empty": [],
    "xgboost": [offer("xgboost", "3.0")],
    "yaml": [offer("yaml", "0.1")],
    "sklern": [offer("sklern", "0.0.5")],
    "pandass": [offer("pandass", "1.0")],
    "polars2": [offer("polars2", "1.0")],
    "argparse": [offer("argparse", "1.4")],
}


def offered(name: str) -> Mapping[Version, Offer] | None:
    found = OFFERS.get(name)
    return None if found is None else {one.version: one for one in found}


def refusal(text: str) -> str:
    with pytest.raises(PackageError) as caught:
        check(Requirement(text), place=PLACE, names=NAMES, offers=offered)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "polars",
        "polars>=1.8",
        "polars2",
        "sklern==0.0.5",
        "modern<2",
        "native==1.0",
        "xgboost",
        "a @ https://x.invalid/a.whl",
    ],
)
def test_what_can_be_added_is_not_refused(text: str) -> None:
    """A project called as a module of another one is one of its own."""
    check(Requirement(text), place=PLACE, names=NAMES, offers=offered)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("json", ("json is a part of Python 3.11", "nothing to add")),
        ("argparse", ("argparse is a part of Python",)),
        ("sklearn", ("the package is called scikit-learn", "eggcrate add old scikit-learn")),
        ("cv2", ("opencv-python-headless",)),
        ("PIL", ("pillow",)),
        ("yaml", ("pyyaml",)),
        ("pandsa", ("there is no package 'pandsa'", "did you mean pandas?")),
        ("sklern", ("looks like sklearn", "eggcrate add old scikit-learn", "'sklern==0.0.5'")),
        ("pandass", ("looks like pandas", "eggcrate add old pandas")),
        ("polras", ("did you mean polars?",)),
        ("qqqqqqqq", ("check its spelling",)),
        ("empty", ("no files",)),
        ("polars==1.99", ("the nearest versions are 1.8, 1.9, 2.0", "eggcrate add old polars")),
        ("polars<0.1", ("the nearest versions are 0.9, 1.0, 2.0",)),
        ("polars===odd", ("the nearest versions are 0.9, 1.0, 1.8, 1.9, 2.0",)),
        ("recent", ("not for Python 3.11, which old has", ">=3.12", "could be new")),
        ("modern>=2", ("needs Python >=3.12", "modern==1.0 has it", "could be new")),
        ("native==3.0", ("no file for Python 3.11 on linux/amd64", "that have one: 1.0")),
        ("native==2.0", ("cp313 manylinux_2_17_x86_64", "one: 1.0", "it has one for new")),
    ],
)
def test_a_mistake_is_told_with_what_is_near(text: str, told: tuple[str, ...]) -> None:
    """Name, version, Python and platform each have words and a next step of their own."""
    said = refusal(text)
    assert all(words in said for words in told), said
    assert "next:" in said


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("pnadas", "pandas"),
        ("panda", "pandas"),
        ("pandaas", "pandas"),
        ("pandqs", "pandas"),
        ("apndas", "pandas"),
        ("pandas", ""),
        ("pandas2", ""),
        ("pandera", ""),
        ("numbp", "numba"),
        ("num", ""),
    ],
)
def test_one_slip_of_the_finger_is_seen(typed: str, meant: str) -> None:
    """A letter missing, too many, wrong or swapped; not two, and not a digit."""
    assert NAMES.slip_of(typed) == meant


def test_a_version_says_that_the_package_is_meant() -> None:
    """Whoever knows its versions does not mean a module: the project called yaml can be had."""
    check(Requirement("yaml==0.1"), place=PLACE, names=NAMES, offers=offered)


def test_modules_are_learned_from_what_is_locked() -> None:
    """No list holds xgboost-cpu: the wheel that gives the module does. Ambiguous ones tell none."""
    assert NAMES.published_as("xgboost") == "xgboost-cpu"
    assert NAMES.published_as("google") == ""
    assert NAMES.published_as("pandas") == ""
    both = names_of(("a", "b"), {"a": {"m"}, "b": {"m"}})
    assert both.published_as("m") == ""
    assert suggestion("yaml", Names()) == "yaml is published as pyyaml"


@pytest.mark.parametrize(
    ("version", "range_"),
    [
        ("1.9.3", ">=1.9,<2"),
        ("2", ">=2.0,<3"),
        ("0.4.7", ">=0.4.7,<0.5"),
        ("2.0rc1", ">=2.0rc1,<3"),
        ("2025.3.1", ">=2025.3"),
        ("1!2.3", ">=1!2.3,<1!3"),
        ("3.0.0.post1", ">=3.0,<4"),
    ],
)
def test_a_range_holds_its_version_and_not_the_next_that_may_break(
    version: str, range_: str
) -> None:
    """Semantic versions have an upper bound, dates have none."""
    found, why = sensible_range(Version(version))
    assert found == range_
    assert Requirement(f"x{found}").specifier.contains(version, prereleases=True)
    assert why


def test_a_long_explanation_is_cut_to_what_was_asked_for() -> None:
    """The conclusion and the sentences that name the package; advice of the resolver's is left."""
    words = (
        "\n".join(
            f"Because p{n} (1) depends on q{n} (2)\n and r{n} is old, p{n} is." for n in range(9)
        )
        + "\nBecause torch (2) depends on numpy (>=2)\n and x-environment (0) depends on numpy"
        " (<2), torch is forbidden.\nSo, because x-environment depends on torch (2), it failed.\n\n"
        "  * Check your dependencies Python requirement: The Python requirement can be\n    more\n"
    )
    assert shortened(words, ["torch"]) == (
        "(…)\nBecause torch (2) depends on numpy (>=2) and x depends on numpy (<2), torch is "
        "forbidden.\nSo, because x depends on torch (2), it failed."
    )
    assert shortened("one line", ["a"]) == "one line"
    assert shortened("", ["a"]) == ""
