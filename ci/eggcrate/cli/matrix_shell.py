"""``eggcrate matrix --shell COMPONENT ENV``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.cli.build import workshop
from eggcrate.cli.matrix_parts import Parts
from eggcrate.cli.trust_parts import open_verifier
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, UsageError
from eggcrate.matrix import images as pictures
from eggcrate.matrix.harness.mounted.run_cell import HARNESS
from eggcrate.matrix.run import PYTHON, Bench
from eggcrate.matrix.session import Selection, decide
from eggcrate.matrix.shell import shell_for
from eggcrate.matrix.stage import staged
from eggcrate.matrix.workbench import harness_of
from eggcrate.repo.monorepo import pick
from eggcrate.runtimes import terminal
from eggcrate.runtimes.protocol import Ending

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context
    from eggcrate.matrix.cells import Cell
    from eggcrate.matrix.session import Matrix


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Open a shell where a cell runs; its exit code is ours."""
    if not terminal.there():
        raise UsageError("--shell is for a person", why="this is not a terminal")
    name, environment = arguments.shell
    pick("component", [name], context.monorepo.components)
    pick("environment", [environment], context.monorepo.environments)
    asked = Selection(components=(name,), environments=(environment,))
    matrix = decide(context.monorepo, asked, cache=context.settings.cache)
    cell = _cell(matrix, arguments)
    item, component = matrix.resolved[0], matrix.components[name]
    if error := matrix.unreadable.get(name):
        raise error
    shop = workshop(context, locked=arguments.locked)
    with (
        context.open_remote(arguments.registry) as remote,
        open_verifier(arguments, context, remote) as verifier,
    ):
        parts = Parts.of(arguments, context, remote, verifier)
        found = pictures.find_images([item], shop, parts.link)
        image = pictures.bring([item], found, shop, parts.link)[environment]
    if image.error:
        raise image.error
    runtime = parts.runtime(tell=context.progress.status)
    files = {name: matrix.closures[name].files}
    with staged(files, context.root, context.root / ".eggcrate") as stage:
        bench = Bench(
            runtime=runtime,
            roots={name: stage / name},
            harness={environment: harness_of(item, shop)},
            images={environment: image.digest},
            unbuilt={},
            memory=parts.limits.memory,
            seconds=parts.limits.seconds,
            threads=parts.limits.workers,
        )
        ready = runtime.prepare(image.digest)
        shell = shell_for(component, cell, bench, image=ready, resolved=item, workshop=shop)
        context.progress.status("")
        context.progress.info(
            f"{cell}, image {image.digest}, in the {runtime.name} runtime\n{shell.told}\n"
            f"its tests: {PYTHON} {HARNESS}/run_cell.py "
            f"/eggcrate/repo/components/{name}/tests\n"
            "the files are a copy of the checkout's, read-only; leave with exit or Ctrl-D"
        )
        result = runtime.attend(ready, shell.command)
    if result.ending is Ending.EXITED:
        return result.exit_code or EXIT_OK
    context.progress.info(f"error: {result.reason}")
    return EXIT_FAILURE


def _cell(matrix: Matrix, arguments: argparse.Namespace) -> Cell:
    """The one cell that is meant."""
    for error in matrix.errors.values():
        if not matrix.grid.cells:
            raise error
    cells = [
        cell for cell in matrix.grid.cells if cell.flavour in (arguments.flavour or [cell.flavour])
    ]
    name, environment = arguments.shell
    if cells:
        return cells[0]
    reasons = "; ".join(f"{one.cell.row} {one.reason}" for one in matrix.grid.incompatible)
    flavours = ", ".join(cell.flavour for cell in matrix.grid.cells)
    raise UsageError(
        f"{name} does not run in {environment}"
        + (f" as {' or '.join(arguments.flavour)}" if arguments.flavour else ""),
        why=reasons,
        hint=f"its flavours there: {flavours}" if flavours else "eggcrate matrix --list shows more",
    )
