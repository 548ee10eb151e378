"""``eggcrate matrix``: prove every component in every compatible image."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from eggcrate.build.values import Verdict
from eggcrate.cli.build import add_locked, workshop
from eggcrate.errors import EXIT_FAILURE, EXIT_OK
from eggcrate.files import atomic_write, remove_tree
from eggcrate.matrix.session import Limits, Selection, carry_out, decide
from eggcrate.repo.monorepo import pick
from eggcrate.report import matrix as report
from eggcrate.report.build import summary as build_summary
from eggcrate.runtimes.choose import choose

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from eggcrate.build.engine import BuildResult
    from eggcrate.cli.context import Context
    from eggcrate.matrix.cells import Cell, CellResult
    from eggcrate.matrix.session import Matrix, Session
    from eggcrate.progress import Progress

_SCHEMA = "eggcrate.matrix/1"


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "matrix",
        help="prove every component in every compatible image",
        description="Build what is missing, then run the tests of each component inside each "
        "image whose lock satisfies what the component needs.",
        epilog="Arguments after -- are pytest's: eggcrate matrix -- -k name",
    )
    verb.add_argument(
        "--component", action="append", default=[], metavar="NAME", help="only this one; repeatable"
    )
    verb.add_argument(
        "--environment", action="append", default=[], metavar="NAME", help="only here; repeatable"
    )
    verb.add_argument(
        "--flavour", action="append", default=[], metavar="NAME", help="only as this; repeatable"
    )
    verb.add_argument(
        "--runtime", choices=("auto", "sandbox", "docker"), help="where cells run (default: auto)"
    )
    verb.add_argument(
        "--list",
        action="store_true",
        help="show which component fits where, and why others do not; run nothing",
    )
    add_locked(verb)
    verb.add_argument("--json", action="store_true", help=f"print {_SCHEMA}")
    verb.set_defaults(run=run, takes_rest=True)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read, match, build, prove, report."""
    matrix = decide(context.monorepo, _selection(arguments, context), cache=context.settings.cache)
    if arguments.list:
        return _list(matrix, arguments, context)
    for error in matrix.errors.values():
        context.progress.info(f"error: {error.what}")
    if not matrix.cells:
        return _nothing(matrix, arguments, context)
    runtime = choose(
        arguments.runtime or context.settings.runtime,
        store=context.store,
        cache=context.settings.cache,
        progress=context.progress,
    )
    context.progress.info(f"{len(matrix.cells)} cells to prove in the {runtime.name} runtime")
    watch = _Watch(context.progress, len(matrix.cells))
    session = carry_out(
        matrix,
        root=context.root,
        workshop=workshop(context, locked=arguments.locked),
        runtime=runtime,
        limits=Limits(
            memory=context.settings.memory,
            seconds=context.settings.timeout,
            workers=context.settings.workers,
            arguments=arguments.rest,
        ),
        built=watch.built,
        started=watch.started,
        proven=watch.proven,
    )
    _write(session, context)
    if arguments.json:
        context.show_json(_SCHEMA, report.document(matrix, session.results))
    else:
        context.show(f"\n{report.text(session)}")
    return EXIT_OK if session.good else EXIT_FAILURE


class _Watch:
    """Tells what is under way and what has ended."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._count = 0
        self._running: dict[Cell, None] = {}
        self._lock = threading.Lock()

    def built(self, images: Sequence[BuildResult]) -> None:
        """Images are there: a table when any is new, else there is nothing to tell."""
        if any(image.verdict is not Verdict.UP_TO_DATE for image in images):
            self._progress.info(f"\n{build_summary(images)}\n")
        else:
            count = len(images)
            self._progress.info(f"{count} image{' is' if count == 1 else 's are'} up to date")

    def started(self, cell: Cell) -> None:
        """A cell is begun."""
        with self._lock:
            self._running[cell] = None
            self._status()

    def proven(self, count: int, total: int, result: CellResult) -> None:
        """A cell has ended."""
        with self._lock:
            self._count = count
            self._running.pop(result.cell, None)
            self._progress.info(report.line(count, total, result))
            if self._running:
                self._status()

    def _status(self) -> None:
        running = ", ".join(str(cell) for cell in self._running)
        self._progress.status(f"{self._count}/{self._total} done; running {running}")


def _selection(arguments: argparse.Namespace, context: Context) -> Selection:
    monorepo = context.monorepo
    unreadable = [name.partition("/") for name in monorepo.broken]
    components = [*monorepo.components, *(n for kind, _, n in unreadable if kind == "components")]
    environments = [
        *monorepo.environments,
        *(n for kind, _, n in unreadable if kind == "environments"),
    ]
    flavours = {name for item in monorepo.components.values() for name in item.flavours}
    for kind, names, known in (
        ("component", arguments.component, components),
        ("environment", arguments.environment, environments),
        ("flavour", arguments.flavour, flavours),
    ):
        pick(kind, names, known)
    return Selection(
        components=tuple(arguments.component),
        environments=tuple(arguments.environment),
        flavours=tuple(arguments.flavour),
    )


def _list(matrix: Matrix, arguments: argparse.Namespace, context: Context) -> int:
    if arguments.json:
        context.show_json(_SCHEMA, report.document(matrix, report.listed(matrix)))
    else:
        context.show(report.overview(matrix))
    return EXIT_FAILURE if matrix.errors or matrix.homeless else EXIT_OK


def _nothing(matrix: Matrix, arguments: argparse.Namespace, context: Context) -> int:
    """Tell why there is nothing to prove: that is not a proof of anything."""
    if arguments.json:
        context.show_json(_SCHEMA, report.document(matrix, report.listed(matrix)))
    else:
        context.show(report.overview(matrix))
    context.progress.info("error: there is no cell to prove")
    return EXIT_FAILURE


def _write(session: Session, context: Context) -> None:
    """Leave ``build/matrix/matrix.json`` and a log for each cell that ran."""
    folder = context.root / report.FOLDER
    remove_tree(folder / "logs")
    for result in session.results:
        if result.output:
            atomic_write(folder / report.log_name(result), result.output)
    document = {"schema": _SCHEMA, **report.document(session.matrix, session.results)}
    atomic_write(folder / "matrix.json", json.dumps(document, indent=2) + "\n")
