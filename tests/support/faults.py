"""Jobs that are killed, or robbed of power or disk, before each change of a file in turn.

A program of its own, since it forks and a test's process has threads:
``python -m support.faults JOB FOLDER FAULT LIMIT SEED`` prints what it found as JSON.
"""

from __future__ import annotations

import errno
import gc
import importlib
import json
import os
import random
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eggcrate import once
from eggcrate.errors import EggcrateError
from eggcrate.files import disk_error
from support.operations import GROWS, Killed, Operation, aside, available, watched
from support.power import LOSSES, NAMES, SOME, Disk

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
KILL, CUT, FULL = "kill", "cut", "full"


@dataclass(frozen=True, kw_only=True)
class Job:
    """Something that changes files, in a folder with its state.

    What is raised, or a number other than 0, is a failure.
    """

    before: Callable[[Path], object]
    """Makes the state before; a state that is there already is used."""
    act: Callable[[Path], object]
    """Does it, as often as it is called."""
    kept: Callable[[Path], object]
    """Asserts that what was good before ``act``, if it was only begun, is good still."""
    result: Callable[[Path], str]
    """What is there once it was done: the same whatever came before."""


@dataclass(kw_only=True)
class Findings:
    """What was tried, and what went wrong."""

    operations: int
    """Changes of an undisturbed run."""
    tried: int = 0
    problems: list[str] = field(default_factory=list)


def inject(
    job: str, folder: Path, fault: str, *, limit: int = 0, seed: int = 0, seconds: int = 3000
) -> Findings:
    """Try a fault at every change that a job makes.

    Args:
        job: its name in :mod:`support.fault_jobs`.
        folder: scratch; ``prepared`` in it may be the state before.
        fault: ``kill``, ``cut`` (of power) or ``full`` (the disk, from then on).
        limit: how many to try at most, chosen by ``seed``; 0 for all.
        seed: see above.
        seconds: after which it is given up.
    """
    done = subprocess.run(
        [sys.executable, "-m", "support.faults", job, str(folder), fault, str(limit), str(seed)],
        cwd=ROOT,
        env={**_clean(), "PYTHONPATH": f"{ROOT / 'ci'}:{ROOT / 'tests'}", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Findings(**json.loads(done.stdout))


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("EGGCRATE_")}


class Trial:
    """One job in one folder."""

    def __init__(self, job: Job, folder: Path, fault: str) -> None:
        self.job, self.fault = job, fault
        self.prepared, self.state = folder / "prepared", folder / "state"
        if not self.prepared.exists():
            self.prepared.mkdir(parents=True)
            job.before(self.prepared)

    def undisturbed(self) -> int:
        """Run it in peace; how many changes it makes."""
        self._reset()
        loaded = self.state.parent / "loaded"

        def act() -> object:
            code = self.job.act(self.state)
            loaded.write_text("\n".join(sys.modules))
            return code

        seen: list[Operation] = []
        ended = watched(act, self.state, seen.append)
        assert ended.code == 0, ended.output
        for name in loaded.read_text().split():  # else each child would import them again
            if name.partition(".")[0] not in ("__main__", "antigravity", "this"):
                with suppress(ImportError):
                    importlib.import_module(name)
        gc.freeze()  # it is shared with every child
        self.expected = self.job.result(self.state)
        self.seen = seen
        return ended.operations

    def disturbed(self, number: int, loss: str) -> str:
        """Disturb it at a change; what is wrong then, or nothing."""
        self._reset()
        disk = Disk(root=self.state) if self.fault == CUT else None
        at = ""

        def decide(operation: Operation) -> int | None:
            nonlocal at
            if operation.number >= number:
                at = at or f"{operation.name} {operation.paths[-1].name}"
                if self.fault != FULL:
                    raise Killed
                return errno.ENOSPC if operation.name in GROWS else None
            if disk:
                disk.see(operation)
            return None

        ended = watched(lambda: _at_the_edge(self.job.act, self.state), self.state, decide)
        if disk:
            disk.cut(loss, number)
        told = f"{self.fault} at {number} ({at}; {loss})"
        if self.fault == FULL and (ended.code not in (0, 1) or "Traceback" in ended.output):
            return f"{told}: exit code {ended.code}: {ended.output[-2000:]}"
        again = aside(self._again)
        if again.code:
            return f"{told}: afterwards: {again.output[-2000:]}"
        try:
            found = self.job.result(self.state)
        except (AssertionError, OSError) as error:
            found = repr(error)
        same = found == self.expected
        return "" if same else f"{told}: the next run gives {found}, not {self.expected}"

    def _again(self) -> object:
        if self.fault == CUT:
            once._BOOT = self.state.parent / "none"  # another boot than the one before
        self.job.kept(self.state)
        return self.job.act(self.state)

    def _reset(self) -> None:
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.copytree(self.prepared, self.state, symlinks=True, copy_function=_copy)


def _at_the_edge(act: Callable[[Path], object], state: Path) -> object:
    """What is expected to fail does so as on the command line."""
    try:
        return act(state)
    except (EggcrateError, OSError) as error:
        if isinstance(error, OSError) and not disk_error(error):
            raise
        return 1


def _copy(source: str, target: str) -> None:
    """A link where files are only ever replaced: those that are written in place are not many."""
    if "partial" in source or source.endswith(".lock"):
        shutil.copy2(source, target)
    else:
        os.link(source, target, follow_symlinks=False)


def losses(fault: str) -> tuple[str, ...]:
    """The ways in which a fault can end."""
    return (*LOSSES, SOME, NAMES) if fault == CUT else ("",)


def main() -> int:
    """Try and tell."""
    name, folder, fault, limit, seed = sys.argv[1:]
    jobs: dict[str, Job] = importlib.import_module("support.fault_jobs").JOBS
    if reason := available():
        raise SystemExit(reason)
    trial = Trial(jobs[name], Path(folder).resolve(), fault)
    findings = Findings(operations=trial.undisturbed())
    points = [
        (number, loss)
        for number in range(1, findings.operations + 1)
        if fault != FULL or trial.seen[number - 1].name in GROWS
        for loss in losses(fault)
    ]
    if int(limit):
        chance = random.Random(int(seed))  # noqa: S311 - the same sample each time
        points = chance.sample(points, min(int(limit), len(points)))
    for number, loss in sorted(points):
        findings.tried += 1
        if problem := trial.disturbed(number, loss):
            findings.problems.append(problem)
    told: dict[str, Any] = asdict(findings)
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
