"""``eggcrate policy``: hold environments to the repository's rules and budgets."""

from __future__ import annotations

import functools
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eggcrate.build.before import base_revision, read_before
from eggcrate.build.judgement import Judgement, judge, subjects_of
from eggcrate.cli.diff import size_asker
from eggcrate.cli.plan import read_locks
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, HistoryError
from eggcrate.packages.licences import licences
from eggcrate.repo.git import Git
from eggcrate.repo.monorepo import pick
from eggcrate.report import policy as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from eggcrate.build.policy import Subject
    from eggcrate.build.resolve import Resolved
    from eggcrate.cli.context import Context
    from eggcrate.errors import EggcrateError
    from eggcrate.packages.difference import Contents
    from eggcrate.packages.distribution import Distribution


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "policy",
        help="judge environments by the repository's rules and budgets",
        description="Rules are [tool.eggcrate.policy] in the root pyproject.toml and in those of "
        "environments; a package of your own may add more. An entry "
        "[[tool.eggcrate.exceptions]] in an environment's pyproject.toml lets it break one, "
        "until a day.",
    )
    verb.add_argument("environments", nargs="*", metavar="ENV", help="default: all of them")
    add_base(verb)
    verb.add_argument("--offline", action="store_true", help="ask no index for sizes and licences")
    verb.add_argument("--json", action="store_true", help="print eggcrate.policy/1")
    verb.set_defaults(run=run)


def add_base(verb: argparse.ArgumentParser) -> None:
    """Add ``--base``."""
    verb.add_argument(
        "--base",
        metavar="REF",
        help="what the change goes to (default: what CI tells, else the main branch)",
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read, judge, print."""
    names = pick("environment", arguments.environments, context.monorepo.environment_folders)
    resolved, failed = read_locks(context, ())
    before = _before(arguments.base, resolved, context)
    chosen = [one for one in resolved if one.environment.name in names]
    judged, unread = subjects(chosen, resolved, before, context, offline=arguments.offline)
    found = judge(judged)
    errors = {
        **unread,
        **found.errors,
        **{f"environments/{name}": error for name, error in failed.items() if name in names},
    }
    found = Judgement(violations=found.violations, errors=errors)
    today = datetime.now(UTC).date()
    if arguments.json:
        context.show_json("eggcrate.policy/1", report.document(found, names, today))
    else:
        context.show(report.text(found, names, today))
    return EXIT_OK if found.good else EXIT_FAILURE


def subjects(
    chosen: Sequence[Resolved],
    everyone: Sequence[Resolved],
    before: Mapping[tuple[str, str], Contents],
    context: Context,
    *,
    offline: bool,
) -> tuple[list[Subject], dict[str, EggcrateError]]:
    """Environments as rules look at them today; what cannot be judged is told beside."""
    return subjects_of(
        chosen,
        everyone,
        root=context.root,
        before=before,
        sizes=size_asker(context, offline),
        licences=licence_asker(context, offline),
        today=datetime.now(UTC).date(),
    )


def licence_asker(
    context: Context, offline: bool
) -> Callable[[Iterable[Distribution]], Mapping[Distribution, str | None]]:
    """What gives the licences of files."""
    return functools.partial(
        licences, cache=context.settings.cache, config=None if offline else lambda: context.pip
    )


def _before(
    revision: str | None, resolved: Sequence[Resolved], context: Context
) -> Mapping[tuple[str, str], Contents]:
    """What environments held before the change; growth is not judged where git cannot tell."""
    git = Git(root=context.root)
    try:
        return read_before(
            git,
            revision or base_revision(git, os.environ),
            resolved,
            cache=context.settings.cache,
        ).contents
    except HistoryError as error:
        if revision:
            raise
        context.progress.warn(f"growth is not judged: {error.what}")
        return {}
