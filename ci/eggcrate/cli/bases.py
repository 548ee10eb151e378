"""``eggcrate bases``: keep the bases under all images fresh."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from eggcrate.build.published import image_of, publish
from eggcrate.cli.build import workshop
from eggcrate.cli.matrix_parts import Parts
from eggcrate.cli.matrix_terminal import prove
from eggcrate.cli.plan import add_registry, no_registry
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, UsageError
from eggcrate.files import atomic_write
from eggcrate.matrix.rebase import Rebase, State, rebase
from eggcrate.matrix.refresh import refreshed, write
from eggcrate.repo.bases import families
from eggcrate.repo.monorepo import pick
from eggcrate.report import refresh as report
from eggcrate.report.folder import write_all

if TYPE_CHECKING:
    import argparse

    from eggcrate.build.workshop import Workshop
    from eggcrate.cli.context import Context
    from eggcrate.matrix.refresh import Refresh
    from eggcrate.registry.remote import Remote

SCHEMA = "eggcrate.bases-refresh/1"
_REPORT = "build/refresh"


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "bases",
        help="keep bases fresh: lock, rebuild, prove, and rebase every environment",
        description="What is about the bases under all images.",
    )
    actions = verb.add_subparsers(dest="action", metavar="ACTION", required=True)
    action = actions.add_parser(
        "refresh",
        help="take Debian's newest packages, when every component is proven on them",
        description="Lock bases, and system packages of environments, to Debian's newest "
        "packages; build every environment on them from the package layers there are; prove the "
        "matrix; then write the locks. When anything fails they stay as they were. When nothing "
        "moved, nothing is done. build/refresh.md tells it for a pull request.",
    )
    action.add_argument(
        "bases", nargs="*", metavar="BASE", help="with all that extend it (default: all of them)"
    )
    action.add_argument("--push", action="store_true", help="publish the images once proven")
    add_registry(action)
    action.add_argument(
        "--runtime", choices=("auto", "sandbox", "docker"), help="where cells run (default: auto)"
    )
    action.add_argument(
        "--dry-run", action="store_true", help="show what moved and whom it reaches; write nothing"
    )
    action.add_argument("--json", action="store_true", help=f"print {SCHEMA}")
    action.set_defaults(
        run=run,
        prove=0,
        seed=None,
        rerun=False,
        no_memory=False,
        coverage=False,
        affected=False,
        base=None,
        durations=None,
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Lock, build, prove, write, publish, report."""
    bases = context.monorepo.bases
    names = families(pick("base", arguments.bases, bases), bases)
    if arguments.push and context.settings.attest:
        raise UsageError(
            "--push would publish images that name no commit",
            why="the setting attest is on, and the new locks are in no commit yet",
            hint="leave --push away: what publishes the main branch builds them once merged",
        )
    cache, progress = context.settings.cache, context.progress
    with context.open_remote(arguments.registry) as remote:
        if arguments.push and remote is None:
            raise no_registry("push to")
        with refreshed(context.monorepo, names, cache=cache, progress=progress) as refresh:
            done = _carried_out(refresh, arguments, context, remote)
    document = report.document(done, dry_run=arguments.dry_run)
    if not arguments.dry_run and done.state is not State.UP_TO_DATE:
        _write(done, document, context)
    if arguments.json:
        context.show_json(SCHEMA, document)
    else:
        context.show(report.text(done))
    failed = done.state is State.REFUSED or any(one.error for one in done.published)
    return EXIT_FAILURE if failed else EXIT_OK


def _write(done: Rebase, document: dict[str, Any], context: Context) -> None:
    """Write the report for a pull request, and beside it the matrix's own."""
    folder = context.root / _REPORT
    if done.session:
        write_all(done.session, folder, read_blob=context.store.read_blob, previous={})
    atomic_write(folder.with_suffix(".md"), report.markdown(done))
    told = json.dumps({"schema": SCHEMA, **document}, indent=2)
    atomic_write(folder.with_suffix(".json"), f"{told}\n")


def _carried_out(
    refresh: Refresh, arguments: argparse.Namespace, context: Context, remote: Remote | None
) -> Rebase:
    if not (refresh.moved or refresh.broken):
        return Rebase(refresh=refresh, state=State.UP_TO_DATE)
    if arguments.dry_run:
        refused = bool(refresh.broken)
        return Rebase(refresh=refresh, state=State.REFUSED if refused else State.TO_REFRESH)
    there = replace(context)
    there.monorepo = refresh.monorepo
    shop = workshop(there, locked=True)
    parts = Parts.of(arguments, context, remote)

    done = rebase(
        refresh,
        shop,
        lambda matrix: prove(matrix, matrix.cells, context, parts, shop),
        remote=remote,
        push=arguments.push,
        cache=context.settings.cache,
        pip=lambda: context.pip,
    )
    if done.state is not State.REFRESHED:
        return done
    write(refresh)
    return _published(done, shop, context, remote) if arguments.push and remote else done


def _published(done: Rebase, shop: Workshop, context: Context, remote: Remote) -> Rebase:
    """With its images in the registry."""
    published = publish(
        [image_of(one.built) for one in done.images],
        layout=context.store,
        remote=remote,
        cache=context.settings.cache,
        holders=shop.shelf.holders,
        progress=context.progress,
    )
    return replace(done, published=tuple(published))
