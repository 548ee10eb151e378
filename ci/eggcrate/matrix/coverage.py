"""Which lines components' tests run, over all cells; measured on request by coverage.py in them.

Cells tell lines, not files of data: nothing needs to be written inside, and what is combined
here needs no coverage.py outside. Components run as compiled are not measured: they are run as
Kubeflow would run them.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.files import atomic_directory
from eggcrate.matrix.evidence import Lines
from eggcrate.matrix.harness.mounted.eggcrate_evidence import COVERAGE
from eggcrate.packages.poetry_lock import read_lock
from eggcrate.packages.selection import distribution, select
from eggcrate.packages.wanted import read_wanted
from eggcrate.runtimes.protocol import Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from eggcrate.matrix.cells import CellResult
    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.target import Target

_HARNESS = Path(__file__).parent / "harness"
_NOTHING = Lines(statements=frozenset(), covered=frozenset())


def coverage_distributions(target: Target) -> tuple[Distribution, ...]:
    """The locked wheels of coverage.py that suit a target best: with its tracer in C if any."""
    lock = read_lock(_HARNESS / "poetry.lock")
    wanted = read_wanted(_HARNESS / "pyproject.toml", groups=(), extras=("coverage",))
    return tuple(distribution(one, target) for one in select(lock, wanted, target, groups=()))


def coverage_mount(
    target: Target,
    *,
    cache: Path,
    fetch: Callable[[Sequence[Distribution]], Mapping[Distribution, Path]],
) -> Mount:
    """What makes the cells of a target measure: mounted beside the harness, made once.

    Args:
        target: what the images are made for.
        cache: the user's.
        fetch: gives each distribution's file.
    """
    wheels = coverage_distributions(target)
    folder = cache / "harness" / f"coverage-{wheels[0].sha256[:32]}"
    if not folder.is_dir():
        files = fetch(wheels)
        with atomic_directory(folder) as scratch:
            for wheel in wheels:
                with zipfile.ZipFile(files[wheel]) as archive:
                    archive.extractall(scratch)  # refuses names that leave the folder
            for path in (scratch, *scratch.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
    return Mount(source=folder, target=COVERAGE)


@dataclass(frozen=True, kw_only=True)
class FileCoverage:
    """A file of the repository: what ran of it in any cell."""

    path: str
    """Relative to the repository, with ``/``."""
    lines: Lines
    by: Mapping[str, Lines]
    """The same of each component's cells."""

    @property
    def owner(self) -> str:
        """The component whose file it is; empty for a helper module."""
        parts = self.path.split("/")
        component = parts[1] if len(parts) > 2 else ""  # noqa: PLR2004 - components/NAME/file
        return component if component in self.by else ""

    @property
    def missing(self) -> tuple[int, ...]:
        """Lines with statements that ran in no cell."""
        return tuple(sorted(self.lines.statements - self.lines.covered))


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What ran, over all cells that were measured."""

    files: tuple[FileCoverage, ...]
    """By path."""
    cells: Mapping[str, int]
    """Component to how many of its cells were measured."""
    silent: tuple[str, ...] = ()
    """Cells that were run and told nothing: they ended before their tests did."""


def combine(results: Iterable[CellResult]) -> Coverage:
    """Put together what cells told."""
    files: dict[str, dict[str, Lines]] = {}
    cells: dict[str, int] = {}
    silent = []
    for result in results:
        if not result.proofs:
            continue
        told = [proof.evidence.lines for proof in (*result.earlier, *result.proofs)]
        component = result.cell.component
        if not any(told):
            silent.append(str(result.cell))
            continue
        cells[component] = cells.get(component, 0) + 1
        for path, lines in (item for one in told for item in one.items()):
            by = files.setdefault(path, {})
            by[component] = by.get(component, _NOTHING) | lines
    return Coverage(
        files=tuple(
            FileCoverage(path=path, lines=_union(by.values()), by=dict(sorted(by.items())))
            for path, by in sorted(files.items())
        ),
        cells=dict(sorted(cells.items())),
        silent=tuple(silent),
    )


def _union(every: Iterable[Lines]) -> Lines:
    found = _NOTHING
    for one in every:
        found |= one
    return found
