"""``eggcrate add``: ask for packages in an environment, and see what that costs and breaks."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eggcrate.build.proposal import carry_out
from eggcrate.build.proposal_policy import judge_proposal
from eggcrate.cli.diff import size_asker
from eggcrate.cli.policy import licence_asker
from eggcrate.errors import EXIT_OK
from eggcrate.matrix.addition import decide_addition
from eggcrate.packages.relock import locked_folder, locker
from eggcrate.repo.monorepo import pick
from eggcrate.report import addition as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from eggcrate.build.judgement import Judgement
    from eggcrate.cli.context import Context
    from eggcrate.matrix.addition import Addition
    from eggcrate.repo.values import Environment


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "add",
        help="add packages to an environment, and see what that costs and breaks",
        description="Ask for packages in environments/ENV/pyproject.toml and lock it, moving no "
        "other pin. Shows what the lock gains, what each package takes, and which components fit "
        "now or no longer. When anything fails both files stay as they were.",
    )
    options(verb, "such as polars, 'pandas>=2.2,<3' or 'dask[array]'", "eggcrate.add/1")
    verb.set_defaults(run=run)


def options(verb: argparse.ArgumentParser, packages: str, schema: str) -> None:
    """Add what ``add`` and ``remove`` have in common."""
    verb.add_argument("environment", metavar="ENV", help="the environment")
    verb.add_argument("packages", nargs="+", metavar="PACKAGE", help=packages)
    verb.add_argument("--move", action="store_true", help="let other pins move where they must")
    verb.add_argument("--dry-run", action="store_true", help="show all of it, write nothing")
    verb.add_argument("--json", action="store_true", help=f"print {schema}")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Add the packages."""
    return change(arguments, context, decide_addition, "eggcrate.add/1")


def change(
    arguments: argparse.Namespace,
    context: Context,
    decide: Callable[..., Addition],
    schema: str,
) -> int:
    """Decide, show, and write both files unless it is a dry run."""
    environment = named_environment(arguments.environment, context)
    with (
        locker(context.pip, cache=context.settings.cache, progress=context.progress) as opened,
        locked_folder(environment.path, opened),
    ):
        context.progress.status(f"resolving {environment.name} …")
        found = decide(
            environment,
            arguments.packages,
            monorepo=context.monorepo,
            locker=opened,
            pip=functools.partial(getattr, context, "pip"),
            judge=rules(context),
            move=arguments.move,
        )
        written, today = not arguments.dry_run, datetime.now(UTC).date()
        shown = report.addition(found, written=written, today=today)
        document = report.document(found, written=written, today=today)
        if written and found.changed:
            carry_out(found.proposal)
    if arguments.json:
        context.show_json(schema, document)
    else:
        context.show(shown)
    return EXIT_OK


def rules(context: Context) -> Callable[..., Judgement]:
    """What judges a proposal by the repository's rules."""
    return functools.partial(
        judge_proposal,
        monorepo=context.monorepo,
        sizes=size_asker(context, offline=False),
        licences=licence_asker(context, offline=False),
        today=datetime.now(UTC).date(),
        cache=context.settings.cache,
    )


def named_environment(name: str, context: Context) -> Environment:
    """The environment of a name; its own error when it cannot be read."""
    monorepo = context.monorepo
    pick("environment", [name], monorepo.environment_folders)
    if (broken := monorepo.broken.get(f"environments/{name}")) is not None:
        raise broken
    return monorepo.environments[name]
