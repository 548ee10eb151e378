"""What runs on which machine: here, or in a child build of Cloud Build.

Decided first, as a value: from the work and how long it took before, and from nothing else.
"""

from __future__ import annotations

import enum
import math
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.balance import balanced

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eggcrate.errors import EggcrateError
    from eggcrate.matrix.cells import Cell

UNKNOWN = {True: 180.0, False: 30.0}
"""Seconds of a build that was never timed, with a ``Dockerfile`` and without."""
UNKNOWN_CELL = 10.0


class Why(enum.Enum):
    """Why something is not done where the command runs."""

    DOCKERFILE = "dockerfile"
    """It is built by a Docker daemon, which gets a machine of its own."""
    PLATFORM = "platform"
    """It is for another architecture than this machine's."""
    WORK = "work"
    """There is more to do than one machine should."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Something to do that is done on one machine."""

    name: str
    """Of itself alone."""
    environment: str
    platform: str
    seconds: float
    """That it is expected to take."""
    why: Why | None = None
    """Why it cannot be done here; nothing where it can."""
    cells: tuple[Cell, ...] = ()
    """Those to prove; of a build none."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one child build does."""

    number: int
    """From 1."""
    why: Why
    jobs: tuple[Job, ...]

    @property
    def seconds(self) -> float:
        """That all of it is expected to take."""
        return sum(job.seconds for job in self.jobs)

    @property
    def environments(self) -> tuple[str, ...]:
        """Their names, each once."""
        return tuple(sorted({job.environment for job in self.jobs}))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All that are to be proven."""
        return tuple(sorted(cell for job in self.jobs for cell in job.cells))


@dataclass(frozen=True, kw_only=True)
class Division:
    """Who does what."""

    here: tuple[Job, ...]
    children: tuple[Share, ...]
    refused: Mapping[str, EggcrateError] = field(default_factory=dict)
    """Names of jobs that no machine can do, and why."""

    @property
    def seconds(self) -> float:
        """That what is done here is expected to take."""
        return sum(job.seconds for job in self.here)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How far work is divided."""

    work: float
    """Seconds that one machine should have; what is below stays here."""
    machines: int
    """Child builds at most for one reason."""


def divide(jobs: Iterable[Job], bounds: Bounds) -> Division:
    """Decide where each is done.

    What cannot be done here goes into children: each ``Dockerfile`` by itself, as long as there
    are machines, another architecture by how much it is. The rest stays here, unless it is more
    than one machine should have: then parts of it go, and this machine keeps the largest.
    """
    found = sorted(jobs, key=lambda job: job.name)
    rest = [job for job in found if job.why is None]
    parts: list[tuple[Why, list[Job]]] = []
    for why in (Why.DOCKERFILE, Why.PLATFORM):
        for platform in sorted({job.platform for job in found if job.why is why}):
            mine = [job for job in found if (job.why, job.platform) == (why, platform)]
            count = len(mine) if why is Why.DOCKERFILE else _machines(mine, bounds)
            parts += [(why, part) for part in _parts(mine, min(count, bounds.machines))]
    count = min(_machines(rest, bounds), bounds.machines + 1)
    here, *others = sorted(_parts(rest, count), key=_seconds, reverse=True) or [[]]
    parts += [(Why.WORK, part) for part in others]
    return Division(
        here=tuple(here),
        children=tuple(
            Share(number=number, why=why, jobs=tuple(part))
            for number, (why, part) in enumerate(parts, 1)
        ),
    )


def _seconds(jobs: Sequence[Job]) -> float:
    return sum(job.seconds for job in jobs)


def _machines(jobs: Sequence[Job], bounds: Bounds) -> int:
    """So few that none has more than it should, or than a job that cannot be divided."""
    most = max([bounds.work, *(job.seconds for job in jobs)])
    least = max(1, math.ceil(_seconds(jobs) / most))
    enough = (
        count
        for count in range(least, len(jobs) + 1)
        if count > bounds.machines or max(map(_seconds, _parts(jobs, count))) <= most
    )
    return next(enough, least)


def _parts(jobs: Sequence[Job], count: int) -> list[list[Job]]:
    """Parts that take about as long; none is empty."""
    by_name = {job.name: job for job in jobs}
    weights = {name: max(1, round(job.seconds * 1000)) for name, job in by_name.items()}
    divided = balanced(weights, count)
    return [[by_name[name] for name in sorted(part)] for part in divided if part]


def cell_jobs(
    cells: Iterable[Cell],
    durations: Mapping[str, float],
    bounds: Bounds,
    *,
    platform: str,
    alone: Iterable[str] = (),
    most: int = 200,
) -> list[Job]:
    """Cells as jobs: those of one environment together, for each machine needs its image.

    Only an environment with more work than one machine should have is divided.

    Args:
        cells: what is to be proven.
        durations: seconds by the cell as text; others count as the median.
        bounds: how much one machine should have.
        platform: of all of them.
        alone: environments whose image Docker has to build first: on one machine, once.
        most: cells in a job.
    """
    cells = sorted(cells)
    known = [durations[str(cell)] for cell in cells if str(cell) in durations]
    usual = statistics.median_low(known) if known else UNKNOWN_CELL
    seconds = {cell: durations.get(str(cell), usual) for cell in cells}
    columns: dict[str, list[Cell]] = {}
    for cell in cells:
        columns.setdefault(cell.environment.partition("@")[0], []).append(cell)
    jobs = []
    for environment, mine in columns.items():
        whole = environment in alone
        total = sum(seconds[cell] for cell in mine)
        count = 1 if whole else max(math.ceil(total / bounds.work), math.ceil(len(mine) / most))
        weights = {cell: max(1, round(seconds[cell] * 1000)) for cell in mine}
        parts = [sorted(part) for part in balanced(weights, count) if part]
        jobs += [
            Job(
                name=environment if len(parts) == 1 else f"{environment} {number}/{len(parts)}",
                environment=environment,
                platform=platform,
                seconds=sum(seconds[cell] for cell in part),
                why=Why.DOCKERFILE if whole else None,
                cells=tuple(part),
            )
            for number, part in enumerate(parts, 1)
        ]
    return jobs
