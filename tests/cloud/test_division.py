"""Who does what: all of it is done, by few machines, and none has more than it should."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eggcrate.balance import balanced
from eggcrate.cloud.division import Bounds, Division, Job, Why, cell_jobs, divide
from eggcrate.matrix.cells import Cell

PLATFORMS = ("linux/amd64", "linux/arm64")
JOBS = st.lists(
    st.builds(
        Job,
        name=st.uuids().map(str),
        environment=st.sampled_from("abc"),
        platform=st.sampled_from(PLATFORMS),
        seconds=st.integers(0, 900).map(float),
        why=st.sampled_from([None, None, Why.DOCKERFILE, Why.PLATFORM]),
    ),
    max_size=25,
)
BOUNDS = st.builds(Bounds, work=st.integers(1, 2000).map(float), machines=st.integers(1, 6))
CELLS = st.lists(
    st.builds(
        Cell,
        component=st.sampled_from(["p", "q", "r", "s", "t"]),
        flavour=st.sampled_from(["", "x"]),
        environment=st.sampled_from(["one", "one@stable", "two", "three"]),
    ),
    max_size=30,
    unique=True,
)


def _all(division: Division) -> list[Job]:
    return [*division.here, *(job for share in division.children for job in share.jobs)]


@settings(max_examples=50)
@given(jobs=JOBS, bounds=BOUNDS, order=st.randoms())
def test_everything_is_done_once(jobs: list[Job], bounds: Bounds, order: object) -> None:
    """In whatever order work is found, the same machines do the same, and no child is idle."""
    division = divide(jobs, bounds)
    assert sorted(job.name for job in _all(division)) == sorted(job.name for job in jobs)
    assert all(share.jobs for share in division.children)
    assert [share.number for share in division.children] == [*range(1, len(division.children) + 1)]
    shuffled = list(jobs)
    order.shuffle(shuffled)  # type: ignore[attr-defined] # a random.Random
    assert divide(shuffled, bounds) == division


@settings(max_examples=50)
@given(jobs=JOBS, bounds=BOUNDS)
def test_what_cannot_be_done_here_is_not(jobs: list[Job], bounds: Bounds) -> None:
    """Nor is there a child of two platforms, for a command builds for one; and few machines do."""
    division = divide(jobs, bounds)
    assert all(job.why is None for job in division.here)
    for share in division.children:
        assert {job.why for job in share.jobs} == {None if share.why is Why.WORK else share.why}
        if share.why is not Why.WORK:
            assert len({job.platform for job in share.jobs}) == 1
    for why in Why:
        count = sum(share.why is why for share in division.children)
        assert count <= bounds.machines * (1 if why is Why.WORK else len(PLATFORMS))


@settings(max_examples=50)
@given(jobs=JOBS, bounds=BOUNDS)
def test_no_machine_has_much_more_than_it_should(jobs: list[Job], bounds: Bounds) -> None:
    """As long as there are machines: no more than the bound, or than the longest job alone.

    Of the rest this machine keeps the largest part, for it is set up already.
    """
    division = divide([replace(job, why=None) for job in jobs], bounds)
    most = max([bounds.work, *(job.seconds for job in jobs)])
    if len(division.children) < bounds.machines:
        assert division.seconds <= most
    assert all(share.seconds <= division.seconds for share in division.children)
    if sum(job.seconds for job in jobs) <= bounds.work:
        assert not division.children


@settings(max_examples=50)
@given(cells=CELLS, work=st.integers(5, 500), seconds=st.integers(1, 60))
def test_cells_of_an_image_stay_together(cells: list[Cell], work: int, seconds: int) -> None:
    """Each machine needs the image: only an environment with too much work is divided.

    Published versions of an environment go with it, and one that Docker must build is whole.
    """
    bounds = Bounds(work=float(work), machines=4)
    known = {str(cell): float(seconds) for cell in cells}
    jobs = cell_jobs(cells, known, bounds, platform=PLATFORMS[0], alone=["three"])
    assert sorted(cell for job in jobs for cell in job.cells) == sorted(cells)
    for job in jobs:
        assert {cell.environment.partition("@")[0] for cell in job.cells} == {job.environment}
        assert job.seconds == seconds * len(job.cells)
        assert (job.why is Why.DOCKERFILE) == (job.environment == "three")
    for name in ("one", "two"):
        mine = [job for job in jobs if job.environment == name]
        total = sum(job.seconds for job in mine)
        assert len(mine) <= max(1, -(-total // work))
    assert sum(job.environment == "three" for job in jobs) <= 1


def test_a_cell_that_was_never_timed_counts_as_the_median() -> None:
    """It is neither free nor the longest of all; with no times at all each is the same."""
    cells = [Cell(component=name, flavour="", environment="e") for name in "abcd"]
    bounds = Bounds(work=1e6, machines=1)
    [job] = cell_jobs(
        cells, {"a in e": 1.0, "b in e": 10.0, "c in e": 100.0}, bounds, platform=PLATFORMS[0]
    )
    assert job.seconds == 121.0
    [job] = cell_jobs(cells, {}, bounds, platform=PLATFORMS[0])
    assert job.seconds == 40.0


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_longest_come_first(count: int) -> None:
    """Graham's bound: no division is more than a third, less a little, longer than the best."""
    weights = {str(number): number * number for number in range(1, 20)}
    loads = [sum(weights[name] for name in part) for part in balanced(weights, count)]
    best = max(*weights.values(), sum(weights.values()) / count)
    assert max(loads) <= best * 4 / 3
