"""``eggcrate remove``: ask for packages no longer, and see what becomes smaller and what breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.cli.add import change, options
from eggcrate.matrix.addition import decide_removal

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "remove",
        help="remove packages from an environment, and see what that breaks",
        description="Ask for packages no longer in environments/ENV/pyproject.toml and lock it, "
        "moving no other pin. Shows what the lock loses and which components no longer fit.",
    )
    options(verb, "names of packages that it asks for", "eggcrate.remove/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Remove the packages."""
    return change(arguments, context, decide_removal, "eggcrate.remove/1")
