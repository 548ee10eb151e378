"""Pages of measured figures: each part keeps its own section between two markers.

Everything outside the markers is written by people and never touched.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import EggcrateError
from eggcrate.files import atomic_write, exclusive

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
"""Speed beside Docker, and at scale."""
MEASUREMENTS = ROOT / "docs" / "measurements.md"
"""What single decisions of ours are worth."""
_MINUTE = 60


def replaced(page: str, name: str, text: str) -> str:
    """A page with the section called ``name`` holding ``text``.

    Raises:
        EggcrateError: the page has no such section, or its markers are not one pair in order.
    """
    begin, end = (f"<!-- {name}: {edge} -->" for edge in ("begin", "end"))
    before, found, rest = page.partition(begin)
    inner, closed, after = rest.partition(end)
    if not (found and closed) or begin in inner or begin in after or end in after:
        raise EggcrateError(
            f"there is no single section {name!r}",
            hint=f"the page needs one line {begin} and after it one line {end}",
        )
    return f"{before}{begin}\n{text.strip()}\n{end}{after}"


def write_section(path: Path, name: str, text: str) -> None:
    """Replace what stands between ``<!-- name: begin -->`` and ``<!-- name: end -->``.

    Args:
        path: the page, such as :data:`BENCHMARKS`.
        name: of the section: the part's ``NAME``.
        text: Markdown.
    """
    with exclusive(path.parent.parent / ".eggcrate" / "bench.lock"):
        atomic_write(path, replaced(path.read_text(), name, text))


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, the first column text and the others numbers."""
    rules = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rules, *rows))


def human_seconds(seconds: float) -> str:
    """A time with as many digits as mean something: ``0.21 s``, ``9.3 s``, ``74 s``."""
    for limit, digits in ((1, 2), (_MINUTE, 1)):
        if round(seconds, digits) < limit:
            return f"{seconds:.{digits}f} s"
    return f"{seconds:.0f} s"


def human_ratio(slow: float, fast: float) -> str:
    """How many times faster, with two digits that mean something: ``3.4 x``, ``120 x``."""
    ratio = slow / fast
    return f"{ratio:.1f} x" if round(ratio, 1) < 10 else f"{float(f'{ratio:.2g}'):.0f} x"  # noqa: PLR2004


def machine() -> str:
    """The machine's shape in words; nothing that tells which machine it is."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        system = "Linux"
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"{cores} core{'s' if cores > 1 else ''} ({platform.machine()}), "
        f"{memory / 1e9:.0f} GB of memory, {system}, Python {python}"
    )
