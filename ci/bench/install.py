"""What installing Eggcrate takes on disk: without extras, and with what compiles pipelines.

Each in a fresh virtual environment with what pip's own index gives today, bytecode left out: pip
itself is not counted.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.document import MEASUREMENTS, ROOT, markdown_table, write_section
from eggcrate.process import run as run_program
from eggcrate.progress import human_size
from eggcrate.report.table import table

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.progress import Console

NAME = "install"
AIMS = {"": 50_000_000, "pipelines": 130_000_000}
"""Bytes by extra."""
_LARGEST = 6


def run(console: Console, scratch: Path, *, write: bool) -> None:
    """Install, measure, print; with ``write`` keep the figures in docs/measurements.md."""
    rows = []
    for extra, aim in AIMS.items():
        told = f"eggcrate[{extra}]" if extra else "eggcrate"
        console.info(f"bench: pip install {told}")
        sizes = _installed(scratch / f"venv-{extra}", extra)
        total = sum(sizes.values())
        largest = sorted(sizes.items(), key=lambda item: -item[1])[:_LARGEST]
        heavy = ", ".join(f"{name} {human_size(size)}" for name, size in largest)
        judged = "met" if total <= aim else "missed"
        rows.append((told, human_size(total), f"{human_size(aim)}: {judged}", heavy))
    header = ("installed", "on disk", "aim", "the largest of it")
    print(table(header, rows), flush=True)
    if write:
        write_section(MEASUREMENTS, NAME, markdown_table(header, rows))


def _installed(venv: Path, extra: str) -> dict[str, int]:
    """Bytes of each folder or file in the packages' folder that pip's bare one has not."""
    run_program([sys.executable, "-m", "venv", str(venv)])
    [packages] = venv.glob("lib/python*/site-packages")
    before = {path.name for path in packages.iterdir()}
    wanted = f"{ROOT}[{extra}]" if extra else str(ROOT)
    run_program([str(venv / "bin/pip"), "install", "--quiet", "--no-compile", wanted])
    return {path.name: _size(path) for path in packages.iterdir() if path.name not in before}


def _size(path: Path) -> int:
    every = path.rglob("*") if path.is_dir() else (path,)
    return sum(one.lstat().st_size for one in every if one.is_file())
