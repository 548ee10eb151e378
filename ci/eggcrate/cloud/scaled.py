"""Builds and cells as jobs for several machines, and what their machines make of them."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.build.engine import BuildResult
from eggcrate.build.values import Verdict
from eggcrate.cloud.division import UNKNOWN, Job, Share, Why
from eggcrate.cloud.handed_in import HandedIn, take
from eggcrate.errors import BuildError, CloudBuildError, EggcrateError
from eggcrate.matrix.cells import CellResult, Outcome
from eggcrate.matrix.run import reproduce

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.resolve import Resolved
    from eggcrate.cloud.fleet import Ended
    from eggcrate.matrix.session import Session
    from eggcrate.registry.remote import Remote

WORKER = "linux/amd64"
"""What Cloud Build's machines are."""
_TAIL = 30


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A share whose child build left no word of all or some of it."""

    share: Share
    error: CloudBuildError
    log: str = ""
    """Of the child build, as far as there is one."""


def image_name(environment: str, platform: str) -> str:
    """What a build's duration is remembered by."""
    return f"image of {environment} for {platform}"


def build_jobs(
    wanted: Iterable[Resolved], durations: Mapping[str, float], *, here: str, emulator: bool
) -> tuple[list[Job], dict[str, EggcrateError]]:
    """Builds as jobs, and why some cannot be done on any machine.

    Args:
        wanted: what to build.
        durations: seconds by :func:`image_name`.
        here: the platform of this machine.
        emulator: whether children can run programs of other architectures.
    """
    jobs: list[Job] = []
    refused: dict[str, EggcrateError] = {}
    known: dict[bool, list[float]] = {True: [], False: []}
    items = [(item, item.environment.name, str(item.recipe.target.platform)) for item in wanted]
    for item, name, platform in items:
        if (seconds := durations.get(image_name(name, platform))) is not None:
            known[bool(item.environment.dockerfile)].append(seconds)
    for item, name, platform in items:
        docker = bool(item.environment.dockerfile)
        usual = statistics.median_low(known[docker]) if known[docker] else UNKNOWN[docker]
        if docker and platform != WORKER and not emulator:
            refused[f"{name} {platform}"] = _foreign(name, platform)
            continue
        why = Why.DOCKERFILE if docker else Why.PLATFORM if platform != here else None
        seconds = durations.get(image_name(name, platform), usual)
        jobs.append(
            Job(
                name=f"{name} {platform}",
                environment=name,
                platform=platform,
                seconds=seconds,
                why=why,
            )
        )
    return jobs, refused


def _foreign(name: str, platform: str) -> BuildError:
    return BuildError(
        f"environments/{name}/Dockerfile cannot be built for {platform} on Cloud Build",
        why=f"its machines are {WORKER}, and a Dockerfile runs programs of its platform",
        hint="name an image that registers emulators, such as --emulator tonistiigi/binfmt, or "
        "build it on a machine of that platform",
    )


def collect(
    shares: Sequence[Share],
    ended: Sequence[Ended],
    remote: Remote,
    *,
    cache: Path,
    commit: str,
    log: Callable[[Share, Ended], str],
) -> tuple[HandedIn, tuple[Lost, ...]]:
    """What children handed in, as one, and the shares of which some is missing.

    Args:
        shares: what each was to do.
        ended: what became of each.
        remote: where they hand it in.
        cache: the user's.
        commit: what they must be made from; empty where nobody knows.
        log: gives the log of a child.
    """
    told: list[HandedIn] = []
    lost = []
    for share, one in zip(shares, ended, strict=True):
        text = log(share, one)
        try:
            found = take(remote, f"results-{one.seen.id}", cache) if one.seen.id else None
        except EggcrateError as error:
            lost.append(Lost(share=share, error=_missing(one, error.sentence), log=text))
            continue
        if found and commit and found.commit and found.commit != commit:
            why = f"it was made from commit {found.commit[:12]}, not from {commit[:12]}"
            lost.append(Lost(share=share, error=_missing(one, why), log=text))
            continue
        told += [found] if found else []
        left = _left(share, found or HandedIn())
        if left.jobs:
            why = one.why or "it left no word of this"
            lost.append(Lost(share=left, error=_missing(one, why), log=text))
    whole = HandedIn(
        builds=tuple(item for one in told for item in one.builds),
        published=tuple(item for one in told for item in one.published),
        attested=tuple(item for one in told for item in one.attested),
        cells=tuple(item for one in told for item in one.cells),
    )
    return whole, tuple(lost)


def _left(share: Share, found: HandedIn) -> Share:
    """What of a share nothing was handed in about."""
    cells = {result.cell for result in found.cells}
    images = {(result.environment, result.platform) for result in found.builds}
    broken = {result.environment for result in found.builds if not result.platform}
    jobs = []
    for job in share.jobs:
        if job.cells:
            rest = tuple(cell for cell in job.cells if cell not in cells)
            jobs += [replace(job, cells=rest)] if rest else []
        elif (job.environment, job.platform) not in images and job.environment not in broken:
            jobs.append(job)
    return replace(share, jobs=tuple(jobs))


def _missing(one: Ended, why: str) -> CloudBuildError:
    build = f"child build {one.seen.id}" if one.seen.id else "a child build"
    return CloudBuildError(f"{build} did not do it", why=why, hint=one.seen.log)


def unbuilt(lost: Iterable[Lost], refused: Mapping[str, EggcrateError]) -> tuple[BuildResult, ...]:
    """What nobody built, as results that say why."""
    found = [(job.name, one.error) for one in lost for job in one.share.jobs]
    return tuple(
        BuildResult(
            environment=name.split()[0],
            platform=name.split()[1],
            verdict=Verdict.FAILED,
            error=error,
        )
        for name, error in [*refused.items(), *found]
    )


def merged(session: Session, told: HandedIn, lost: Iterable[Lost]) -> Session:
    """A session with the cells that others proved; those of which no word came are broken."""
    results = {result.cell: result for result in told.cells}
    for one in lost:
        for cell in one.share.cells:
            results[cell] = CellResult(
                cell=cell,
                outcome=Outcome.BROKEN,
                reason=one.error.sentence,
                output="".join(one.log.splitlines(keepends=True)[-_TAIL:]),
                command=reproduce(cell),
            )
    images = {one.environment: one for one in (*told.builds, *session.images)}
    return replace(
        session,
        results=tuple(results.get(one.cell, one) for one in session.results),
        images=tuple(images.values()),
    )
