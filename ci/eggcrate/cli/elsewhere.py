"""``--on cloud-build`` on a command line, and what a child build does beside its work."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from eggcrate.cli.plan import no_registry
from eggcrate.cloud.handed_in import HandedIn, hand_in
from eggcrate.repo.git import Git

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from eggcrate.cli.context import Context
    from eggcrate.registry.remote import Remote

CLOUD_BUILD = "cloud-build"


def add_elsewhere(verb: argparse.ArgumentParser) -> None:
    """Add ``--on`` and what belongs to it."""
    group = verb.add_argument_group("on other machines")
    group.add_argument(
        "--on",
        choices=(CLOUD_BUILD,),
        help="divide the work: child builds of Cloud Build do what needs a machine of its own, "
        "and what is more than one should have",
    )
    group.add_argument(
        "--work",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="what one machine should have, by what it took before (default: 600)",
    )
    group.add_argument(
        "--machines",
        type=int,
        default=8,
        metavar="N",
        help="child builds at most for one reason (default: 8)",
    )
    group.add_argument(
        "--like",
        metavar="BUILD",
        help="id of the build whose source, account, machine and settings children have "
        "(default: $BUILD_ID, the build that this runs in)",
    )
    group.add_argument("--project", metavar="ID", help="of Google Cloud (default: $PROJECT_ID)")
    group.add_argument(
        "--region", metavar="NAME", help="where children run (default: $LOCATION, else global)"
    )
    group.add_argument(
        "--source",
        metavar="SOURCE",
        help="instead of that build's: gs://BUCKET/OBJECT, a connected repository's name with "
        "@REVISION, or https://HOST/PATH.git@REVISION",
    )
    group.add_argument(
        "--builder", metavar="IMAGE", help="of children's steps (default: that build's first one)"
    )
    group.add_argument(
        "--emulator",
        metavar="IMAGE",
        help="lets children run a Dockerfile of another architecture: an image that registers "
        "emulators, such as tonistiigi/binfmt",
    )
    group.add_argument(
        "--poll",
        type=float,
        default=15.0,
        metavar="SECONDS",
        help="between two looks at all children (default: 15)",
    )
    group.add_argument(
        "--hand-in",
        metavar="TAG",
        help="in a child build: publish what became of it under this tag",
    )
    group.add_argument(
        "--child-of",
        default="",
        metavar="BUILD",
        help="in a child build: end when this build is over",
    )


@contextlib.contextmanager
def child_of(arguments: argparse.Namespace, context: Context) -> Iterator[None]:
    """In a child build: end with the parent."""
    if not arguments.child_of:
        yield
        return
    from eggcrate.cloud.leash import leashed  # noqa: PLC0415 - rarely needed

    with leashed(arguments.child_of, context.progress):
        yield


def tell_parent(
    arguments: argparse.Namespace, context: Context, remote: Remote | None, told: HandedIn
) -> None:
    """In a child build: hand in what became of it.

    Raises:
        UsageError: there is no registry.
    """
    if not arguments.hand_in:
        return
    if remote is None:
        raise no_registry("hand results over in")
    hand_in(remote, arguments.hand_in, replace(told, commit=commit_of(context)))


def commit_of(context: Context) -> str:
    """The commit that is checked out; empty where none is."""
    git = Git(root=context.root)
    return (git.resolve("HEAD") or "") if git.top() else ""
