"""Who does what, as a table and as ``eggcrate.division/1``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eggcrate.cloud.division import Division, Job

SCHEMA = "eggcrate.division/1"


def summary(division: Division) -> str:
    """A line for each machine, then what none of them can do."""
    rows = [["here", "-", _what(division.here), f"{division.seconds:.0f}"]]
    rows += [
        [f"child {share.number}", share.why.value, _what(share.jobs), f"{share.seconds:.0f}"]
        for share in division.children
    ]
    notes = [f"{name}: {error}" for name, error in division.refused.items()]
    return "\n\n".join(
        [table(["machine", "because", "does", "seconds"], rows, right="seconds"), *notes]
    )


def document(division: Division) -> dict[str, Any]:
    """The fields of ``eggcrate.division/1``."""
    return {
        "here": {"seconds": round(division.seconds, 3), "jobs": _jobs(division.here)},
        "children": [
            {
                "number": share.number,
                "why": share.why.value,
                "seconds": round(share.seconds, 3),
                "jobs": _jobs(share.jobs),
            }
            for share in division.children
        ],
        "refused": {name: str(error) for name, error in division.refused.items()},
    }


def _what(jobs: Iterable[Job]) -> str:
    told = []
    for job in jobs:
        count = len(job.cells)
        cells = f"{count} cell{'' if count == 1 else 's'} in " if count else ""
        told.append(f"{cells}{job.environment if count else job.name}")
    return ", ".join(told) or "nothing"


def _jobs(jobs: Iterable[Job]) -> list[dict[str, Any]]:
    return [
        {
            "name": job.name,
            "environment": job.environment,
            "platform": job.platform,
            "seconds": round(job.seconds, 3),
            "cells": [str(cell) for cell in job.cells],
        }
        for job in jobs
    ]
