"""What became of packages between two states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from eggcrate.packages.difference import EMPTY, Contents, Step, compare_contents, step
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.sizes import Size

NUMBERS = st.integers(0, 3)
VERSIONS = st.one_of(
    st.builds("{}.{}.{}".format, NUMBERS, NUMBERS, NUMBERS),
    st.builds("{}.{}rc{}".format, NUMBERS, NUMBERS, NUMBERS),
    st.builds("{}!{}.{}.post{}".format, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
)
NAMES = st.sampled_from(["alpha", "beta", "gamma", "delta"])


def distribution(name: str, version: str, sha256: str = "") -> Distribution:
    file = f"{name}-{version}-py3-none-any.whl"
    return Distribution(
        name=name, version=version, filename=file, sha256=sha256 or f"{name}{version}"
    )


def contents(packages: dict[str, str]) -> Contents:
    files = {name: distribution(name, version) for name, version in packages.items()}
    return Contents(packages=packages, direct=frozenset({"alpha"}), files=files)


STATES = st.dictionaries(NAMES, VERSIONS).map(contents)


def sizes(files: object) -> dict[Distribution, Size | None]:
    """A size for each file, by its hash alone: the same for the same file."""
    assert isinstance(files, set)
    return {
        file: Size(download=sum(file.sha256.encode()), unpacked=3 * sum(file.sha256.encode()))
        for file in files
    }


@given(STATES)
def test_nothing_differs_from_itself(state: Contents) -> None:
    """The difference of a state with itself is empty."""
    found = compare_contents(state, state, sizes)
    assert found.changes == ()
    assert found.growth == Size(download=0, unpacked=0)


@given(STATES, STATES)
def test_a_difference_turned_round_is_its_opposite(one: Contents, other: Contents) -> None:
    """New is gone, forwards is backwards, larger is smaller; and the sum of all is the whole."""
    there = compare_contents(one, other, sizes)
    back = compare_contents(other, one, sizes)
    opposite = {Step.NEW: Step.REMOVED, Step.REMOVED: Step.NEW}
    assert {(item.package, item.before, item.after, item.step) for item in there.changes} == {
        (item.package, item.after, item.before, opposite.get(item.step, item.step))
        for item in back.changes
    }
    for item in there.changes:
        [mirrored] = [other for other in back.changes if other.package == item.package]
        assert item.growth is not None
        assert mirrored.growth is not None
        assert item.growth.unpacked == -mirrored.growth.unpacked
    assert there.growth is not None
    assert there.growth.unpacked == sum(
        item.growth.unpacked for item in there.changes if item.growth
    )
    weights = [abs(item.growth.unpacked) for item in there.changes if item.growth]
    assert weights == sorted(weights, reverse=True)


@given(VERSIONS, VERSIONS)
def test_the_step_is_the_first_number_that_differs(one: str, other: str) -> None:
    """By PEP 440: the same version is no step, whichever way it is written."""
    found, (before, after) = step(one, other), (Version(one), Version(other))
    if before == after:
        assert found is None
    elif (before.epoch, before.major) != (after.epoch, after.major):
        assert found is Step.MAJOR
    else:
        assert found is (Step.MINOR if before.minor != after.minor else Step.PATCH)
    assert step(other, one) is found


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("1.2", "1.2.0", None),
        ("1!1.0", "2.0", Step.MAJOR),
        ("2.0", "2.0+cpu", Step.PATCH),
        ("2.0rc1", "2.0", Step.PATCH),
        ("", "1", Step.NEW),
        ("1", "", Step.REMOVED),
        ("1.0, 2.0", "2.0", Step.OTHER),
    ],
)
def test_odd_versions(before: str, after: str, expected: Step | None) -> None:
    """Epochs, labels, several versions for several markers."""
    assert step(before, after) is expected


def test_another_file_of_the_same_version_is_told() -> None:
    """What an image is made from changed, though no version did."""
    one, other = contents({"alpha": "1.0"}), contents({"alpha": "1.0"})
    files = {"alpha": distribution("alpha", "1.0", "other")}
    other = Contents(packages=other.packages, direct=other.direct, files=files)
    [change] = compare_contents(one, other).changes
    assert change.step is Step.FILE
    unknown = Contents(packages=one.packages)
    assert compare_contents(one, unknown).changes == ()


def test_an_unknown_size_is_not_zero() -> None:
    """A total is not known when one part is not; a change is shown all the same."""
    state = contents({"alpha": "1.0", "beta": "1.0"})
    found = compare_contents(
        EMPTY,
        state,
        lambda files: {
            file: Size(download=1, unpacked=2) if file.name == "alpha" else None for file in files
        },
    )
    assert found.size_after is None
    assert found.growth is None
    assert {item.package: item.growth for item in found.changes} == {
        "alpha": Size(download=1, unpacked=2),
        "beta": None,
    }
