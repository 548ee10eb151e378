"""Results that tasks of a pipeline have sent home, as a run of the matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.errors import ConfigError, UsageError
from eggcrate.matrix.cells import Grid
from eggcrate.matrix.results_file import SCHEMA, read
from eggcrate.matrix.session import Matrix, Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from eggcrate.matrix.cells import Cell, CellResult

_START = f'{{"schema":"{SCHEMA}"'.encode()


def files_in(path: Path) -> dict[str, bytes]:
    """Every file with results of cells, by name: this one, or those below a folder.

    Raises:
        UsageError: there is none.
    """
    every = sorted(path.rglob("*")) if path.is_dir() else [path]
    found: dict[str, bytes] = {}
    for file in every:
        try:
            with file.open("rb") as opened:
                if opened.read(len(_START)) == _START:
                    found[str(file)] = _START + opened.read()
        except (IsADirectoryError, PermissionError):
            continue
        except OSError as error:
            raise UsageError(f"{file} cannot be read", why=error.strerror or "") from error
    if not found:
        raise UsageError(
            f"{path} holds no results of cells",
            hint="name the folder of a run, or the artifact `results` of its task `report`",
        )
    return found


def results_in(files: Mapping[str, bytes]) -> tuple[CellResult, ...]:
    """The results of all files: what a cell's own task has written stands above the report's.

    Raises:
        ConfigError: a file is damaged, or two tasks tell different things of one cell.
    """
    own: dict[Cell, CellResult] = {}
    gathered: dict[Cell, CellResult] = {}
    for name, content in sorted(files.items()):
        results = read(content, name)
        if len(results) != 1:
            gathered |= {one.cell: one for one in results}
            continue
        [result] = results
        if own.setdefault(result.cell, result) != result:
            raise ConfigError(
                f"{result.cell} was proven more than once there",
                hint="name the folder of one run",
            )
    merged = gathered | own
    return tuple(merged[cell] for cell in sorted(merged))


def session_of(results: Iterable[CellResult]) -> Session:
    """These results as a run of their own."""
    told = tuple(results)
    cells = tuple(result.cell for result in told)
    return Session(
        matrix=Matrix(
            components={},
            resolved=(),
            grid=Grid(cells=cells, incompatible=()),
            cells=cells,
            errors={},
        ),
        images=(),
        results=told,
        image_seconds=0.0,
        cell_seconds=sum(result.seconds for result in told),
    )
