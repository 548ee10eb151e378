"""``eggcrate merge-lock``: what git runs to merge a ``poetry.lock`` (``eggcrate setup-git``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import EXIT_FAILURE, EXIT_OK, LockError
from eggcrate.files import atomic_write
from eggcrate.packages.lock_merge import merged_lock

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "merge-lock",
        help="merge three versions of a lock (git runs it)",
        description="A git merge driver: writes the lock of both sides over ours. Nothing is "
        "resolved; when pins of both sides do not go together, ours stays and the exit code is 1.",
    )
    for name, told in (
        ("base", "the common ancestor's"),
        ("ours", "ours, and the result"),
        ("theirs", "theirs"),
        ("path", "what it is called in the repository"),
    ):
        verb.add_argument(name, type=Path, help=told)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Merge the three files."""
    name = arguments.path.parent.name
    versions = (arguments.base, arguments.ours, arguments.theirs)
    try:
        merged = merged_lock(*(path.read_bytes().decode() for path in versions))
    except (LockError, UnicodeDecodeError) as error:
        context.progress.info(f"{arguments.path}: {error}")
        return EXIT_FAILURE
    if merged.sound:
        atomic_write(arguments.ours, merged.text)
        context.progress.info(
            f"{arguments.path}: merged by packages; `eggcrate lock {name}` lets the resolver agree"
        )
        return EXIT_OK
    for reason in (*(f"both sides pin {one} anew" for one in merged.both), *merged.unmet):
        context.progress.info(f"{arguments.path}: {reason}")
    context.progress.info(f"next: eggcrate lock --resolve {name}")
    return EXIT_FAILURE
