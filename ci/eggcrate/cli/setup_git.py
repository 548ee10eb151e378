"""``eggcrate setup-git``: let git merge locks by what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.errors import EXIT_OK
from eggcrate.repo.git import Git
from eggcrate.repo.git_setup import carry_out, decide_setup

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "setup-git",
        help="let git merge locks by what they mean",
        description="Install a merge driver for poetry.lock: a line in .gitattributes, to be "
        "committed, and a setting of this clone. Two people who each add a package to one "
        "environment then have no conflict; what the driver cannot settle stays one.",
    )
    verb.add_argument("--remove", action="store_true", help="take both out again")
    verb.add_argument("--dry-run", action="store_true", help="show it, change nothing")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Install or remove the driver."""
    git = Git(root=context.root)
    setup = decide_setup(git, remove=arguments.remove)
    if not arguments.dry_run:
        carry_out(setup, git)
    context.show("\n".join(setup.steps) or "nothing changes: it is as it should be")
    return EXIT_OK
