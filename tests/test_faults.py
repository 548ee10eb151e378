"""Kill -9, a cut of power and a full disk, at each change of a file that small jobs make.

A sample here, a larger one in ``make reliability``, and all of them with ``EGGCRATE_FAULTS=0``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from support.adding import world
from support.faults import CUT, FULL, KILL, inject
from support.operations import available

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(bool(available()), reason=available() or "they are held")

JOBS = ("files", "store", "units", "download", "memory", "records", "unpack")
LIMIT = int(os.environ.get("EGGCRATE_FAULTS", "5"))
"""How many cuts of power are tried of each job, and of the rest in proportion; 0 for all."""


@pytest.mark.parametrize("job", JOBS)
def test_killed_before_any_change_of_a_file(job: str, tmp_path: Path) -> None:
    """What was good is good, nothing half-made is trusted, and the next run ends the same."""
    found = inject(job, tmp_path, KILL, limit=LIMIT * 3)
    assert found.operations > 10
    assert found.problems == []


@pytest.mark.parametrize("job", ["store-cut" if job == "store" else job for job in JOBS])
def test_a_cut_of_power_takes_what_was_not_flushed(job: str, tmp_path: Path) -> None:
    """Files that are empty, half there or zeros, and names that are lost, deceive no later run."""
    found = inject(job, tmp_path, CUT, limit=LIMIT)
    assert found.problems == []


@pytest.mark.parametrize("job", JOBS)
def test_a_disk_that_is_full_from_any_change_on(job: str, tmp_path: Path) -> None:
    """It is told as such or is no failure at all; with room again all ends well."""
    found = inject(job, tmp_path, FULL, limit=-(-LIMIT // 2))
    assert found.problems == []


def test_adding_a_package_is_killed(tmp_path: Path) -> None:
    """Project and lock are each the old or the new one; adding it again gives the same two."""
    with world(tmp_path / "prepared") as here:
        (tmp_path / "prepared/index").write_text(here.index.url)
        found = inject("add", tmp_path, KILL, limit=-(-LIMIT // 5))
    assert found.operations > 10
    assert found.problems == []
