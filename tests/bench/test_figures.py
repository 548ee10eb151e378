"""What was measured of builds, as tables."""

from __future__ import annotations

from bench.figures import (
    CONTENDERS,
    EGGCRATE,
    POETRY,
    Aim,
    Figure,
    Figures,
    Step,
    aims_table,
    bytes_table,
    seconds_table,
)


def _figures(ours: float, theirs: float) -> Figures:
    return {
        (step, name): Figure(runs=(ours if name == EGGCRATE else theirs,), pushed=1_500_000)
        for step in Step
        for name in CONTENDERS
    }


def test_the_median_is_told() -> None:
    """One run that was disturbed does not move the figure."""
    assert Figure(runs=(1.0, 30.0, 1.2)).seconds == 1.2


def test_every_step_is_in_the_table_of_seconds() -> None:
    """One row a step, with how many times faster Eggcrate is."""
    lines = seconds_table(_figures(2, 30)).splitlines()
    assert len(lines) == len(Step) + 2
    assert lines[2] == "| cold build + push | 30.0 s | 30.0 s | 2.0 s | 15 x | 15 x |"


def test_what_was_pushed_is_told_of_steps_that_push() -> None:
    """A pull pushes nothing, and has no row."""
    lines = bytes_table(_figures(2, 30)).splitlines()
    assert len(lines) == len(Step) + 1
    assert lines[2] == "| cold build + push | 1.5 MB | 1.5 MB | 1.5 MB |"


def test_an_aim_that_is_missed_is_told() -> None:
    """Too slow against the other, or too slow by the clock: either is a miss."""
    aim = Aim(environment="large", step=Step.ADDED, against=POETRY, times=30, seconds=2)
    assert aim.judged(_figures(1, 40)) == ("40 x, 1.0 s", "met")
    assert aim.judged(_figures(3, 90)) == ("30 x, 3.0 s", "**missed**")
    assert aim.judged(_figures(1, 20)) == ("20 x, 1.0 s", "**missed**")


def test_aims_are_about_the_environments_that_were_measured() -> None:
    """Cold builds and pulls of both, changes of the large one."""
    table = aims_table({"small": _figures(1, 1), "large": _figures(1, 200)})
    assert "| cold build + push: 5 x faster than Docker + Poetry | small | 1.0 x |" in table
    assert "| pull + first import: not slower than Docker + uv | small | 1.0 x | met |" in table
    assert "nothing changed: 100 x faster than Docker + Poetry | large | 200 x | met" in table
    assert "nothing changed: 100 x faster than Docker + Poetry | small" not in table
