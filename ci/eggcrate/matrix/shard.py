"""Parts of a matrix for several machines, which know nothing of each other.

Every machine divides all the cells and takes its own part. So the parts are a function of the
cells and of the durations alone, and machines that are given the same ones leave no cell out.
What a machine remembers has no say, neither passes nor durations: others remember other things.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.balance import balanced
from eggcrate.errors import UsageError
from eggcrate.files import atomic_write, sealed, unsealed
from eggcrate.parsing import json_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.matrix.cells import Cell

_SHARD = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")
_UNKNOWN = 1000
"""Milliseconds, when no duration is known at all."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One of several parts."""

    number: int
    """From 1."""
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``2/8``.

        Raises:
            UsageError: it is not a part of a whole.
        """
        match = _SHARD.fullmatch(text)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(
                f"--shard {text} is not a part of a whole", hint="write it as 2/8: the second of 8"
            )
        return cls(number=int(match[1]), count=int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def divide(
    cells: Iterable[Cell], durations: Mapping[str, float], count: int
) -> tuple[tuple[Cell, ...], ...]:
    """Divide cells into parts that take about as long: the longest first, to the least loaded.

    Args:
        cells: all of them, in any order.
        durations: seconds by the cell as text; cells that are not in it count as the median.
        count: how many parts.
    """
    known = {name: round(seconds * 1000) for name, seconds in durations.items()}
    everyone = sorted(set(cells))
    usual = int(
        statistics.median_low([known[str(cell)] for cell in everyone if str(cell) in known] or [0])
    )
    weights = {cell: max(1, known.get(str(cell), usual or _UNKNOWN)) for cell in everyone}
    return tuple(tuple(sorted(part)) for part in balanced(weights, count))


def fingerprint(parts: Sequence[Sequence[Cell]]) -> str:
    """A few letters that are the same where cells were divided the same way."""
    text = json.dumps([[str(cell) for cell in part] for part in parts])
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def durations_path(cache: Path, root: Path) -> Path:
    """Where the durations of a checkout's cells are remembered."""
    return cache / "durations" / f"{hashlib.sha256(bytes(root)).hexdigest()[:32]}.json"


def read_durations(path: Path) -> dict[str, float]:
    """Seconds by the cell as text; nothing when there is nothing to be read."""
    try:
        return {str(name): float(value) for name, value in unsealed(path.read_bytes())["s"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def write_durations(path: Path, seconds: Mapping[str, float]) -> None:
    """Add durations to those remembered; a cache that cannot be written is no error."""
    known = read_durations(path)
    merged = known | {name: round(value, 2) for name, value in seconds.items()}
    if merged != known:
        with contextlib.suppress(OSError):
            atomic_write(path, sealed({"s": merged}), flush=False)


def durations_of(report: Path) -> dict[str, float]:
    """Durations that a run has told in its ``matrix.json``.

    Raises:
        UsageError: it is none.
    """
    try:
        cells = json_of(report.read_bytes())["cells"]
        return {
            f"{row_of(cell)} in {cell['environment']}": float(cell["seconds"])
            for cell in cells
            if cell["seconds"]
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{report} holds no durations",
            why=str(error),
            hint="name a matrix.json that eggcrate matrix has written",
        ) from error


def row_of(cell: Mapping[str, str]) -> str:
    """The row of a cell of a ``matrix.json``."""
    name, flavour = cell["component"], cell.get("flavour", "")
    return f"{name}[{flavour}]" if flavour else name
