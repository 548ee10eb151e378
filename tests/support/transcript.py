"""Documentation that is run: the commands of a page, and what it shows of their output."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_FENCE = re.compile(r"^\s*```(.*)$")
_NUMBER = re.compile(
    r"\b(?=[a-f]*\d)[0-9a-f]{7,64}\b|[+-]?\d+(\.\d+)*([a-z]\d+)?( ?[kMG]?B\b| ?(s|ms|min)\b)?"
)
_RULE = re.compile(r"-{2,}")
_PASSED = re.compile(r"\bpassed #|\breused\b")
"""A cell that passed before on this machine is not run again."""
_LEFT_OUT = "…"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command of a page, and the output that the page shows."""

    page: str
    line: int
    command: str
    shown: tuple[str, ...]

    @property
    def fails(self) -> bool:
        """Whether the page shows that it ends with an error."""
        return any(line.startswith(("error:", "make: ***")) for line in self.shown)

    def __str__(self) -> str:
        """As test reports name it."""
        return f"{self.page}:{self.line} $ {self.command}"


def read_steps(page: Path) -> list[Step]:
    """All commands in the ``console`` blocks of a page that say no more than that.

    A block that needs something special says so (``console terminal``) and is not read. A line
    that begins with ``$`` is a command, one with ``>`` after it goes on with it; what follows is
    output.
    """
    steps: list[Step] = []
    for number, line in _console_lines(page):
        if line.startswith("$ "):
            steps.append(Step(page=page.name, line=number, command=line[2:], shown=()))
        elif line.startswith("> ") and not steps[-1].shown:
            steps[-1] = replace(steps[-1], command=f"{steps[-1].command}\n{line[2:]}")
        else:
            steps[-1] = replace(steps[-1], shown=(*steps[-1].shown, line))
    return steps


def _console_lines(page: Path) -> Iterator[tuple[int, str]]:
    language = ""
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        if fence := _FENCE.match(line):
            language = "" if language else fence[1].strip() or "text"
        elif language == "console":
            yield number, line


def run_step(step: Step, folder: Path, environ: Mapping[str, str], *, seconds: float = 300) -> str:
    """Run a command as a person would type it, in bash; what both of its outputs said.

    Raises:
        AssertionError: it failed though the page shows no error, or the other way round, or its
            output is not what the page shows.
    """
    done = subprocess.run(
        ["bash", "-c", step.command],
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        text=True,
        check=False,
    )
    told = f"{step}\nexit code {done.returncode}\n{done.stdout}"
    assert (done.returncode != 0) == step.fails, told
    missing = first_missing(step.shown, done.stdout.splitlines())
    assert missing is None, f"the page shows what is not there:\n  {missing}\n{told}"
    return done.stdout


def first_missing(shown: Sequence[str], actual: Sequence[str]) -> str | None:
    """The first line of a page that the output lacks; they must come in the same order.

    Numbers, versions, sizes, times and hashes may be others, and so may the width of columns: they
    change with what the index has. A cell may have passed before. A line ``…``, or
    the rest of a line after ``…``, is left out.
    """
    rest = iter([_shape(line) for line in actual])
    for line in shown:
        wanted, cut, _ = line.partition(_LEFT_OUT)
        shape = _shape(wanted)
        if not shape:
            continue
        if not any(found.startswith(shape) if cut else found == shape for found in rest):
            return line
    return None


def _shape(line: str) -> str:
    shape = " ".join(_RULE.sub("--", _NUMBER.sub("#", line)).split())
    return _PASSED.sub("passed", shape)
