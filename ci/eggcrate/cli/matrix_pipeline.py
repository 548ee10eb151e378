"""``eggcrate matrix --compile`` and ``--from``: cells as tasks of a pipeline, and their results."""

from __future__ import annotations

import functools
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.cli.build import workshop
from eggcrate.cli.plan import read_locks
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, CompileError
from eggcrate.files import atomic_write
from eggcrate.matrix.parcel import Packer
from eggcrate.matrix.run import limits_of
from eggcrate.matrix.sites import Sites
from eggcrate.matrix.workbench import name_of, target_of
from eggcrate.progress import human_size
from eggcrate.report import matrix as report
from eggcrate.report.folder import write_all
from eggcrate.report.sent import files_in, results_in, session_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from eggcrate.build.workshop import Workshop
    from eggcrate.cli.context import Context
    from eggcrate.cli.matrix_parts import Parts
    from eggcrate.matrix.cells import Cell
    from eggcrate.matrix.session import Matrix
    from eggcrate.packages.target import Target
    from eggcrate.pipelines.cells import CellTask

DEFAULT = "build/matrix/pipeline.yaml"
SCHEMA = "eggcrate.matrix-compile/1"
_PROVE, _GATHER = "eggcrate.matrix.task", "eggcrate.report.task"
_SPARE = 256 << 20
"""Memory of a task beside its cell's."""
_OLDEST = (3, 11)


def add_pipeline(verb: argparse.ArgumentParser) -> None:
    """Add both to the verb."""
    verb.add_argument(
        "--compile",
        nargs="?",
        const=DEFAULT,
        metavar="FILE",
        help="write the selected cells as a pipeline for Vertex AI or Kubeflow, a task each, "
        f"instead of running them (default: {DEFAULT})",
    )
    verb.add_argument(
        "--from",
        dest="sent",
        metavar="FOLDER|FILE|gs://…",
        help="report what the tasks of such a pipeline have written; run nothing",
    )


def run_compile(
    matrix: Matrix,
    arguments: argparse.Namespace,
    context: Context,
    parts: Parts,
) -> int:
    """Pack, compile, write, tell."""
    from eggcrate.pipelines.cells import (  # noqa: PLC0415 - slow, for this alone
        MOST_TASKS,
        Programs,
        cells_pipeline,
    )

    if matrix.errors or matrix.homeless:
        for line in report.problems(matrix).splitlines():
            context.progress.info(line)
        return EXIT_FAILURE
    columns = {name_of(item): target_of(item) for item in matrix.resolved}
    columns |= {name_of(item): target_of(item) for item in matrix.released}
    _check(matrix.cells, columns)
    shop = workshop(context, locked=arguments.locked)
    tasks = _tasks(matrix, context, parts, shop)
    count = -(-len(tasks) // MOST_TASKS)
    if count > 1:
        context.progress.info(
            f"{len(tasks)} cells make {count} pipelines: Kubeflow keeps a run in one object of at "
            f"most 1.5 MiB, in which {MOST_TASKS} cells have their place"
        )
    packer = Packer(
        matrix=matrix,
        root=context.root,
        limits=parts.limits,
        cache=context.settings.cache,
        fetch=shop.fetch,
        entries=(_PROVE, _GATHER),
    )
    first = Path(arguments.compile)
    written = []
    cells = list(tasks)
    for number in range(count):
        mine = cells[number::count]
        parcel = packer.pack(mine, {one.environment: columns[one.environment] for one in mine})
        name = "matrix" if count == 1 else f"matrix-{number + 1}"
        path = first if count == 1 else first.with_stem(f"{first.stem}-{number + 1}")
        compiled = cells_pipeline(
            name,
            [tasks[cell] for cell in mine],
            parcel.packed,
            Programs(prove=f"{_PROVE}:main", gather=f"{_GATHER}:main"),
            json.dumps({str(place): asdict(cell) for place, cell in enumerate(mine, 1)}),
        )
        path = path if path.is_absolute() else context.root / path
        atomic_write(path, compiled.text)
        written.append((path, len(mine), len(compiled.text), len(parcel.packed)))
    if arguments.json:
        context.show_json(
            SCHEMA,
            {
                "pipelines": [
                    {"file": str(path), "cells": cells_, "size": size, "parcel": parcel_}
                    for path, cells_, size, parcel_ in written
                ]
            },
        )
    else:
        for path, cells_, size, parcel_ in written:
            shown = path.relative_to(context.root) if path.is_relative_to(context.root) else path
            context.show(
                f"{shown}: {cells_} cell{'' if cells_ == 1 else 's'}, {human_size(size)}, of which "
                f"{human_size(parcel_ * 4 // 3)} are what travels\n"
                f"  run it: eggcrate run {shown} --vertex … | --kubeflow URL"
            )
    return EXIT_OK


def run_sent(arguments: argparse.Namespace, context: Context) -> int:
    """Read, report."""
    if arguments.sent.startswith("gs://"):
        from eggcrate.pipelines.submit.bucket import download  # noqa: PLC0415 - slow, if needed

        files = download(arguments.sent, ("result", "results"))
    else:
        files = files_in(Path(arguments.sent))
    session = session_of(results_in(files))
    folder = context.root / report.FOLDER
    write_all(session, folder, read_blob=context.store.read_blob, unasked=lambda _: True)
    if arguments.json:
        print((folder / "matrix.json").read_text(), end="")
    else:
        context.show(report.text(session))
    return EXIT_OK if session.good else EXIT_FAILURE


def _check(cells: Sequence[Cell], columns: dict[str, Target]) -> None:
    """Refuse images whose Python is too old for what travels.

    Raises:
        CompileError: one is.
    """
    for name in sorted({cell.environment for cell in cells}):
        version = columns[name].python
        if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
            raise CompileError(
                f"cells of {name} cannot be tasks of a pipeline",
                why=f"its Python is {version}, and what proves cells there needs 3.11",
                hint="leave it out: --environment names those to take",
            )


def _tasks(matrix: Matrix, context: Context, parts: Parts, shop: Workshop) -> dict[Cell, CellTask]:
    from eggcrate.pipelines.cells import CellTask  # noqa: PLC0415 - slow, for this alone

    remote = parts.link.remote
    sites = Sites(
        resolve=functools.partial(read_locks, context),
        workshop=shop,
        remote=remote,
        verifier=parts.link.verifier,
        known=frozenset(context.monorepo.environment_folders),
        dry_run=False,
        pip=lambda: context.pip,
    )
    here = {item.environment.name for item in matrix.resolved}
    wanted = {cell.environment for cell in matrix.cells}
    sites.prepare(sorted(wanted & here))
    images = {name: sites.image(name) for name in wanted & here}
    for one in matrix.released:
        if remote and one.column.environment in wanted:
            images[one.column.environment] = remote.image(one.environment, one.digest)
    found = {}
    for cell in matrix.cells:
        component = matrix.components[cell.component]
        most = limits_of(component, memory=parts.limits.memory, seconds=parts.limits.seconds).memory
        image = images[cell.environment]
        digest = image.partition("@")[2]
        found[cell] = CellTask(
            name=str(cell),
            image=image,
            word=json.dumps({"cell": asdict(cell), "image": digest}),
            memory=most + _SPARE,
        )
    return found
