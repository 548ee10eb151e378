"""``eggcrate impact``: what a change does, as its pull request is told."""

from __future__ import annotations

import argparse
import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eggcrate.build.before import base_revision, read_before
from eggcrate.build.described import image_reader
from eggcrate.build.local import LocalRegistry
from eggcrate.build.published import RemoteRegistry
from eggcrate.cli.build import workshop
from eggcrate.cli.diff import size_asker
from eggcrate.cli.plan import add_registry
from eggcrate.cli.plan import decide as decide_plan
from eggcrate.cli.policy import add_base, subjects
from eggcrate.errors import EXIT_FAILURE, EXIT_OK
from eggcrate.files import atomic_write
from eggcrate.matrix.impact_from import concerned, impact_of
from eggcrate.matrix.memory import LocalMemory, Memories
from eggcrate.matrix.released import in_use
from eggcrate.matrix.session import Limits, Selection
from eggcrate.matrix.session import decide as decide_matrix
from eggcrate.matrix.shared import Link, SharedMemory
from eggcrate.matrix.standing import read_last_run, standing
from eggcrate.packages.target import Platform
from eggcrate.repo.forge import post
from eggcrate.repo.forges import github, gitlab
from eggcrate.repo.git import Git
from eggcrate.report import document as matrix_report
from eggcrate.report import impact as report
from eggcrate.report.impact_document import SCHEMA, document
from eggcrate.report.impact_sections import plugin_sections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.cli.context import Context
    from eggcrate.matrix.cells import CellResult
    from eggcrate.matrix.impact import Impact
    from eggcrate.matrix.session import Matrix
    from eggcrate.registry.remote import Remote

MARKDOWN, JSON = "build/impact.md", "build/impact.json"


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "impact",
        help="tell what a change does: the report for its pull request",
        description="Compare the working tree with the commit where it left the main branch: "
        "packages, sizes, layers, rules, and the cells that were proven, failed or no longer "
        f"apply. Writes {MARKDOWN} and {JSON}; nothing is built or run.",
    )
    add_base(verb)
    add_registry(verb)
    verb.add_argument("--offline", action="store_true", help="ask no index for sizes and licences")
    verb.add_argument(
        "--github", action="store_true", help="comment on the pull request that CI is about"
    )
    verb.add_argument(
        "--gitlab", action="store_true", help="comment on the merge request that CI is about"
    )
    verb.add_argument("--repository", default="", metavar="OWNER/NAME", help="default: CI's")
    verb.add_argument("--number", type=int, metavar="N", help="of the request (default: CI's)")
    verb.add_argument("--dry-run", action="store_true", help="post nothing; tell what would be")
    verb.add_argument(
        "--exit-code",
        action="store_true",
        help="end with 1 when something must be mended before this is merged",
    )
    verb.add_argument("--json", action="store_true", help=f"print {SCHEMA}")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read, decide, write, post, print."""
    wanted = [
        make for name, make in (("github", github), ("gitlab", gitlab)) if vars(arguments)[name]
    ]
    forges = [
        make(os.environ, repository=arguments.repository, number=arguments.number)
        for make in wanted
    ]
    with context.open_remote(arguments.registry) as remote:
        impact = _impact(arguments, context, remote)
    today = datetime.now(UTC).date()
    told = {"schema": SCHEMA, **document(impact, today)}
    extra = plugin_sections(told, context.progress.warn)
    text = report.markdown(impact, today, extra)
    atomic_write(context.root / JSON, json.dumps(told, indent=2) + "\n")
    atomic_write(context.root / MARKDOWN, text)
    for forge in forges:
        quiet = impact.nothing and not extra
        posted = post(forge, text, report.MARKER, quiet=quiet, dry_run=arguments.dry_run)
        would = "would be " if arguments.dry_run else ""
        context.progress.info(f"{forge.request}: {would}{posted.outcome} {posted.url}".rstrip())
    if arguments.json:
        context.show_json(SCHEMA, document(impact, today))
    else:
        context.show(report.for_terminal(text))
    return EXIT_FAILURE if arguments.exit_code and not impact.good else EXIT_OK


def _impact(arguments: argparse.Namespace, context: Context, remote: Remote | None) -> Impact:
    names = tuple(context.monorepo.environment_folders)
    everything = argparse.Namespace(environments=names, platform=(), force=False)
    against = RemoteRegistry(remote) if remote else LocalRegistry(context.store)
    plan = decide_plan(everything, context, against)
    git = Git(root=context.root)
    revision = arguments.base or base_revision(git, os.environ)
    before = read_before(git, revision, plan.resolved, cache=context.settings.cache)
    matrix = decide_matrix(
        context.monorepo,
        Selection(),
        cache=context.settings.cache,
        pip=None if arguments.offline else lambda: context.pip,
        released=(
            lambda keys: in_use(remote, keys, context.root, Platform.of_this_machine(), keys=keys)
        )
        if remote
        else None,
    )
    return impact_of(
        before,
        plan,
        matrix,
        _standing(matrix, context, remote),
        judged=subjects(
            concerned(plan.resolved, before),
            plan.resolved,
            before.contents,
            context,
            offline=arguments.offline,
        ),
        root=context.root,
        sizes=size_asker(context, arguments.offline),
        image=image_reader(remote, context.store),
        registry=str(remote) if remote else "",
        warn=context.progress.warn,
    )


def _standing(matrix: Matrix, context: Context, remote: Remote | None) -> Sequence[CellResult]:
    settings = context.settings
    link = Link(remote, context.progress.warn)
    far = SharedMemory(link, context.root / ".eggcrate" / "scratch") if remote else None
    return standing(
        matrix,
        read_last_run(context.root / matrix_report.FOLDER / "matrix.json"),
        root=context.root,
        workshop=workshop(context, locked=False),
        limits=Limits(memory=settings.memory, seconds=settings.timeout, workers=settings.workers),
        memory=Memories(LocalMemory(settings.cache), far),
        link=link,
    )
