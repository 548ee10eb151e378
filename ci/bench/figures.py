"""What was measured of builds, as values, and as the tables that tell it. No work is done here."""

from __future__ import annotations

import enum
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.document import human_ratio, human_seconds, markdown_table
from eggcrate.progress import human_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EGGCRATE = "Eggcrate"
POETRY = "Docker + Poetry"
UV = "Docker + uv"
CONTENDERS = (POETRY, UV, EGGCRATE)


class Step(enum.Enum):
    """What is done; the value is its row's name."""

    COLD = "cold build + push"
    ADDED = "one small package added"
    NOTHING = "nothing changed"
    PATCHED = "base patched"
    NEW_NOTHING = "new machine, nothing changed"
    NEW_ADDED = "new machine, one small package added"
    PULLED = "pull + first import"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One step of one contender."""

    runs: tuple[float, ...]
    """Seconds of each run."""
    pushed: int = 0
    """Bytes that the registry held more after the first run."""

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(self.runs)


Figures = dict[tuple[Step, str], Figure]
"""By step and contender."""


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What the project wants to be true."""

    environment: str
    step: Step
    against: str
    times: float = 1
    """How many times faster."""
    seconds: float = 0
    """At most; 0: does not matter."""

    @property
    def words(self) -> str:
        """The aim, to be read."""
        much = f"{self.times:g} x faster" if self.times > 1 else "not slower"
        limit = f", under {self.seconds:g} s" if self.seconds else ""
        return f"{self.step.value}: {much} than {self.against}{limit}"

    def judged(self, figures: Figures) -> tuple[str, str]:
        """What was measured, and whether that is enough."""
        ours = figures[self.step, EGGCRATE].seconds
        theirs = figures[self.step, self.against].seconds
        good = theirs >= self.times * ours and (not self.seconds or ours < self.seconds)
        told = human_ratio(theirs, ours) + (f", {human_seconds(ours)}" if self.seconds else "")
        return told, "met" if good else "**missed**"


def aims(names: Iterable[str]) -> list[Aim]:
    """The aims for these environments; the last one is the large one."""
    names = list(names)
    both = (POETRY, UV)
    cold = {POETRY: 5.0, UV: 2.0}
    wanted = [
        Aim(environment=name, step=Step.COLD, against=against, times=cold[against])
        for name in names
        for against in both
    ]
    for step, times, limit in (
        (Step.ADDED, 30, 2),
        (Step.NEW_ADDED, 30, 2),
        (Step.NOTHING, 100, 0),
        (Step.NEW_NOTHING, 100, 0),
    ):
        wanted += [
            Aim(environment=names[-1], step=step, against=against, times=times, seconds=limit)
            for against in both
        ]
    wanted += [
        Aim(environment=name, step=Step.PULLED, against=against)
        for name in names
        for against in both
    ]
    return wanted


def seconds_table(figures: Figures) -> str:
    """Seconds of each contender, and how many times faster Eggcrate is."""
    rows = []
    for step in Step:
        ours = figures[step, EGGCRATE].seconds
        times = [figures[step, name].seconds for name in CONTENDERS]
        rows.append(
            (
                step.value,
                *map(human_seconds, times),
                *(human_ratio(theirs, ours) for theirs in times[:-1]),
            )
        )
    return markdown_table(("", *CONTENDERS, "vs Poetry", "vs uv"), rows)


def bytes_table(figures: Figures) -> str:
    """Bytes that each contender pushed."""
    rows = [
        (step.value, *(human_size(figures[step, name].pushed) for name in CONTENDERS))
        for step in Step
        if step is not Step.PULLED
    ]
    return markdown_table(("pushed", *CONTENDERS), rows)


def aims_table(figures: Mapping[str, Figures]) -> str:
    """Each aim, what was measured, and whether that meets it."""
    rows: list[Sequence[str]] = [
        (aim.words, aim.environment, *aim.judged(figures[aim.environment])) for aim in aims(figures)
    ]
    return markdown_table(("aim", "environment", "measured", ""), rows)
