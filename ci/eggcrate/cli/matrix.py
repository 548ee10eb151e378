"""``eggcrate matrix``: prove every component in every compatible image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from eggcrate.cli.build import add_locked, workshop
from eggcrate.cli.context import print_json
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
    from eggcrate.matrix.cells import CellResult
    from eggcrate.matrix.session import Matrix, Session

_SCHEMA = "eggcrate.matrix/1"


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "matrix",
        help="prove every component in every compatible image",
        description="Build what is missing, then run the tests of each component inside each "
        "image whose lock satisfies what the component needs.",
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
        "--list", action="store_true", help="show every pairing with its reason; run nothing"
    )
    add_locked(verb)
    verb.add_argument("--json", action="store_true", help=f"print {_SCHEMA}")
    verb.add_argument(
        "pytest", nargs="*", metavar="-- PYTEST", help="arguments for pytest, after --"
    )
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read, match, build, prove, report."""
    matrix = decide(context.monorepo, _selection(arguments, context))
    for error in matrix.errors.values():
        context.progress.info(f"error: {error}")
    if arguments.list:
        return _list(matrix, arguments)
    runtime = choose(
        arguments.runtime or context.settings.runtime,
        store=context.store,
        cache=context.settings.cache,
        progress=context.progress,
    )
    context.progress.info(f"{len(matrix.cells)} cells to prove in the {runtime.name} runtime")

    def built(images: Sequence[BuildResult]) -> None:
        context.progress.info(build_summary(images))

    def proven(count: int, total: int, result: CellResult) -> None:
        context.progress.info(report.line(count, total, result))

    session = carry_out(
        matrix,
        root=context.root,
        workshop=workshop(context, locked=arguments.locked),
        runtime=runtime,
        limits=Limits(
            memory=context.settings.memory,
            seconds=context.settings.timeout,
            workers=context.settings.workers,
            arguments=tuple(arguments.pytest),
        ),
        built=built,
        proven=proven,
    )
    _write(session, context)
    if arguments.json:
        print_json(_SCHEMA, report.document(session.results))
    else:
        print(report.text(session))
    return EXIT_OK if session.good else EXIT_FAILURE


def _selection(arguments: argparse.Namespace, context: Context) -> Selection:
    monorepo = context.monorepo
    flavours = {name for item in monorepo.components.values() for name in item.flavours}
    for kind, names, known in (
        ("component", arguments.component, monorepo.components),
        ("environment", arguments.environment, monorepo.environments),
        ("flavour", arguments.flavour, flavours),
    ):
        pick(kind, names, known)
    return Selection(
        components=tuple(arguments.component),
        environments=tuple(arguments.environment),
        flavours=tuple(arguments.flavour),
    )


def _list(matrix: Matrix, arguments: argparse.Namespace) -> int:
    results = report.listed(matrix)
    if arguments.json:
        print_json(_SCHEMA, report.document(results))
    else:
        print(report.reasons(results))
    return EXIT_FAILURE if matrix.errors or matrix.homeless else EXIT_OK


def _write(session: Session, context: Context) -> None:
    """Leave ``build/matrix/matrix.json`` and a log for each cell that ran."""
    folder = context.root / "build" / "matrix"
    remove_tree(folder / "logs")
    for result in session.results:
        if result.output:
            atomic_write(folder / report.log_name(result), result.output)
    document = {"schema": _SCHEMA, **report.document(session.results)}
    atomic_write(folder / "matrix.json", json.dumps(document, indent=2) + "\n")
