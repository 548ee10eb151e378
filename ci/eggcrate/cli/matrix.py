"""``eggcrate matrix``: prove every component in every compatible image."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.cli.build import add_locked, workshop
from eggcrate.cli.elsewhere import add_elsewhere, child_of, tell_parent
from eggcrate.cli.matrix_parts import (
    Parts,
    failed_before,
    only_affected,
    only_failed,
    part_of,
    released,
    selection,
    tell_durations,
    unasked,
)
from eggcrate.cli.matrix_pipeline import add_pipeline, run_compile, run_sent
from eggcrate.cli.matrix_terminal import prove
from eggcrate.cli.plan import add_registry, tell_on_request
from eggcrate.cli.trust_parts import add_verified, open_verifier
from eggcrate.cloud.handed_in import HandedIn
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, UsageError
from eggcrate.matrix.coverage import combine
from eggcrate.matrix.session import decide
from eggcrate.packages.modules import provided_modules
from eggcrate.progress import terminal_size
from eggcrate.report import matrix as report
from eggcrate.report.document import SCHEMA
from eggcrate.report.folder import write_all
from eggcrate.report.suggestions import suggestions_of
from eggcrate.report.suggestions import text as suggestions_text

if TYPE_CHECKING:
    import argparse

    from eggcrate.build.verify import Verifier
    from eggcrate.cli.context import Context
    from eggcrate.matrix.session import Matrix, Selection, Session
    from eggcrate.registry.remote import Remote


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "matrix",
        help="prove every component in every compatible image",
        description="Build what is missing, then run the tests of each component inside each "
        "image whose lock satisfies what the component needs. What passed before, with all that "
        "it depends on as it is now, is not run again.",
        epilog="Arguments after -- are pytest's: eggcrate matrix -- -k name",
    )
    _add_selection(verb)
    _add_memory(verb)
    verb.add_argument(
        "--runtime", choices=("auto", "sandbox", "docker"), help="where cells run (default: auto)"
    )
    verb.add_argument(
        "--list",
        action="store_true",
        help="show which component fits where, and why others do not; run nothing",
    )
    verb.add_argument(
        "--shell",
        nargs=2,
        metavar=("COMPONENT", "ENV"),
        help="open a shell where this cell runs: the same image, files and limits but for time",
    )
    add_pipeline(verb)
    add_registry(verb)
    add_verified(verb)
    add_locked(verb)
    verb.add_argument(
        "--dry-run", action="store_true", help="with --on: show who would do what; run nothing"
    )
    verb.add_argument("--json", action="store_true", help=f"print {SCHEMA}")
    add_elsewhere(verb)
    verb.set_defaults(run=run, takes_rest=True)


def _add_selection(verb: argparse.ArgumentParser) -> None:
    for name, told in (
        ("component", "only this one"),
        ("environment", "only here"),
        ("flavour", "only as this"),
    ):
        verb.add_argument(
            f"--{name}", action="append", default=[], metavar="NAME", help=f"{told}; repeatable"
        )
    verb.add_argument(
        "--released",
        action="store_true",
        help="also in published images in use: tag stable, and what compiled pipelines pin",
    )
    verb.add_argument(
        "--affected", action="store_true", help="only what did not pass before as it is now"
    )
    verb.add_argument(
        "--base", metavar="REF", help="with --affected: tell what changed since this git revision"
    )
    verb.add_argument("--failed", action="store_true", help="only what was not good last time")
    verb.add_argument(
        "--cells",
        metavar="FILE",
        help="only the cells that the file (- for standard input) lists, one a line, as reports "
        "name them: train[sklearn] in sklearn-1-5",
    )
    verb.add_argument(
        "--shard",
        metavar="N/OF",
        help="only this part, such as 2/8, of all that is selected by name; parts have about as "
        "many cells",
    )
    verb.add_argument(
        "--durations",
        type=Path,
        metavar="matrix.json",
        help="with --shard: parts that take about as long, by these; give all machines the same",
    )


def _add_memory(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--rerun", action="store_true", help="run what passed before as well")
    verb.add_argument(
        "--no-memory", action="store_true", help="neither use what passed before nor remember it"
    )
    verb.add_argument(
        "--prove",
        type=int,
        default=0,
        metavar="N",
        help="run N of the cells that passed before once more, at random; fail when one does "
        "not pass",
    )
    verb.add_argument(
        "--coverage",
        action="store_true",
        help="measure which lines tests run, over all cells; runs them all and remembers none",
    )
    verb.add_argument("--seed", type=int, metavar="N", help="with --prove: choose the same again")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read, match, build, prove, report."""
    if arguments.shell:
        from eggcrate.cli.matrix_shell import run as shell  # noqa: PLC0415 - rarely needed

        return shell(arguments, context)
    if arguments.sent:
        return run_sent(arguments, context)
    if arguments.dry_run and not arguments.on:
        raise UsageError(
            "--dry-run shows how --on divides the work", hint="add --on, or say --list"
        )
    with (
        child_of(arguments, context),
        context.open_remote(arguments.registry) as remote,
        open_verifier(arguments, context, remote) as verifier,
    ):
        return _run(arguments, context, remote, verifier)


def _run(
    arguments: argparse.Namespace,
    context: Context,
    remote: Remote | None,
    verifier: Verifier | None,
) -> int:
    asked = selection(arguments, context)
    if not asked.environments:
        tell_on_request(context)
    failed = failed_before(arguments, context)
    matrix = decide(
        context.monorepo,
        asked,
        cache=context.settings.cache,
        pip=lambda: context.pip,
        released=released(arguments, context, remote),
    )
    for warning in matrix.warnings:
        context.progress.warn(warning)
    parts = Parts.of(arguments, context, remote, verifier)
    some = bool(matrix.cells)
    matrix = part_of(matrix, arguments, context, parts)
    if arguments.failed:
        matrix = only_failed(matrix, failed, asked)
    if not (arguments.list or arguments.json):
        for error in matrix.errors.values():
            context.progress.info(f"error: {error}" if arguments.failed else f"error: {error.what}")
    if arguments.affected and (arguments.list or arguments.base or arguments.compile):
        matrix = only_affected(matrix, arguments, context, parts)
    if arguments.list:
        return _list(matrix, arguments, context)
    if not matrix.cells:
        return _nothing(matrix, arguments, context, some=some)
    if arguments.compile:
        return run_compile(matrix, arguments, context, parts)
    session = _carried(matrix, arguments, context, parts, remote)
    return _told(session, asked, arguments, context, remote)


def _carried(
    matrix: Matrix,
    arguments: argparse.Namespace,
    context: Context,
    parts: Parts,
    remote: Remote | None,
) -> Session | None:
    """Every cell proven, here or in part elsewhere; nothing of a dry run."""
    shop = workshop(context, locked=arguments.locked)
    carry = functools.partial(prove, context=context, parts=parts, shop=shop)
    if not arguments.on:
        return carry(matrix, matrix.cells)
    from eggcrate.cli.matrix_elsewhere import prove_elsewhere  # noqa: PLC0415 - rarely needed

    return prove_elsewhere(matrix, arguments, context, parts, remote=remote, carry=carry)


def _told(
    session: Session | None,
    asked: Selection,
    arguments: argparse.Namespace,
    context: Context,
    remote: Remote | None,
) -> int:
    if session is None:  # it was only shown who would do what
        return EXIT_OK
    for result in session.disagreements:
        context.progress.warn(f"{result.cell}: {result.reason}")
    if not arguments.no_memory:
        tell_durations(session.results, context)
    _report(session, asked, arguments, context)
    if arguments.coverage:
        _coverage(session, context)
    if arguments.hand_in:
        mine = set(session.matrix.cells)
        cells = tuple(result for result in session.results if result.cell in mine)
        tell_parent(arguments, context, remote, HandedIn(builds=session.images, cells=cells))
    return EXIT_OK if session.good else EXIT_FAILURE


def _report(
    session: Session, asked: Selection, arguments: argparse.Namespace, context: Context
) -> None:
    folder = context.root / report.FOLDER
    found = suggestions_of(
        session,
        read_blob=context.store.read_blob,
        provided=functools.partial(provided_modules, cache=context.settings.cache),
    )
    write_all(
        session,
        folder,
        read_blob=context.store.read_blob,
        suggestions=found,
        unasked=unasked(session.matrix, arguments, asked),
    )
    if arguments.json:
        context.progress.status("")
        print((folder / "matrix.json").read_text(), end="")
    else:
        more = suggestions_text(found)
        size = terminal_size(sys.stdout)
        if size and more:
            size = os.terminal_size((size.columns, size.lines - more.count("\n") - 2))
        context.show(f"\n{report.text(session, size=size)}" + (f"\n\n{more}" if more else ""))


def _coverage(session: Session, context: Context) -> None:
    from eggcrate.report import coverage as told  # noqa: PLC0415 - rarely needed

    found = combine(session.results)
    folder = context.root / report.FOLDER / "coverage"
    told.write_coverage(found, folder, context.root)
    context.progress.info(f"{told.text(found)}\nlines: {folder / 'index.html'}")


def _list(matrix: Matrix, arguments: argparse.Namespace, context: Context) -> int:
    if arguments.json:
        context.show_json(SCHEMA, report.document(matrix, report.listed(matrix)))
    else:
        context.show(report.overview(matrix))
    return EXIT_FAILURE if matrix.errors or matrix.homeless else EXIT_OK


def _nothing(matrix: Matrix, arguments: argparse.Namespace, context: Context, *, some: bool) -> int:
    """Tell why there is nothing to prove: that is not a proof of anything.

    Args:
        matrix: without cells.
        arguments: the command line.
        context: where to tell it.
        some: whether cells were left out for what this machine knows, or are in other parts.
    """
    if some or (arguments.failed and matrix.errors):
        where = f"in part {arguments.shard} nothing" if arguments.shard else "nothing"
        told = "is to be proven"
        if arguments.failed:
            told = "failed the last time" + " and is there" * bool(matrix.errors)
        elif arguments.affected:
            told = "is affected"
        context.progress.info(f"{where} that was asked for {told}")
        if arguments.json:
            context.show_json(SCHEMA, report.document(matrix, ()))
        return EXIT_FAILURE if matrix.errors or matrix.homeless else EXIT_OK
    if arguments.json:
        context.show_json(SCHEMA, report.document(matrix, report.listed(matrix)))
    else:
        context.show(report.overview(matrix))
    context.progress.info("error: there is no cell to prove")
    return EXIT_FAILURE
