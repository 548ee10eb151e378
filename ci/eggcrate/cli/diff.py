"""``eggcrate diff``: what changed in an environment, and what it costs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from eggcrate.build.described import image_reader
from eggcrate.build.plan import nearest
from eggcrate.build.published import RemoteRegistry
from eggcrate.build.states import Asked, States, Where, known_files, nowhere, pair
from eggcrate.cli.plan import add_registry
from eggcrate.errors import EXIT_OK, UsageError
from eggcrate.packages.difference import compare_contents
from eggcrate.packages.sizes import sizes
from eggcrate.repo.git import Git
from eggcrate.report import diff as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping

    from eggcrate.cli.context import Context
    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.sizes import Size
    from eggcrate.registry.remote import Remote

_TWO = 2


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "diff",
        help="show what changed in an environment, and what it costs",
        description="Packages that are new, changed or gone, the one that changes the size most "
        "first. A and B are each: . (the working tree), a git revision, @stable, @sha256:… or "
        "@key-… (an image; @store: the newest that was built here), the name of another "
        "environment, NAME@TAG, or REVISION:NAME. One is compared with the working tree; none: "
        "what is published, or without a registry HEAD, is.",
    )
    verb.add_argument("environment", metavar="ENV", help="the environment")
    verb.add_argument("states", nargs="*", metavar="A B", help="what is compared; see above")
    verb.add_argument("--platform", default="", metavar="OS/ARCH", help="default: ENV's first")
    add_registry(verb)
    verb.add_argument("--offline", action="store_true", help="ask no index for sizes")
    verb.add_argument("--json", action="store_true", help="print eggcrate.diff/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read both states, compare, print."""
    if len(arguments.states) > _TWO:
        raise UsageError("diff compares two states", hint="name two at most: eggcrate diff ENV A B")
    with context.open_remote(arguments.registry) as remote:
        states = States(
            monorepo=context.monorepo,
            git=Git(root=context.root),
            platform=arguments.platform,
            cache=context.settings.cache,
            image=image_reader(remote, context.store),
        )
        known = context.monorepo.environment_folders
        if arguments.states:
            asked = pair(arguments.environment, arguments.states, known)
        else:
            asked = _changed(arguments.environment, states, remote)
        before, after = states.read_both(*asked)
    if not (before.there or after.there):
        raise nowhere(arguments.environment, known)
    found = compare_contents(
        *known_files(before.contents, after.contents), size_asker(context, arguments.offline)
    )
    if arguments.json:
        document = report.document(arguments.environment, before, after, found)
        context.show_json("eggcrate.diff/1", document)
    else:
        context.show(report.text(before, after, found))
    return EXIT_OK


def size_asker(
    context: Context, offline: bool
) -> Callable[[Iterable[Distribution]], Mapping[Distribution, Size | None]]:
    """What gives the sizes of files."""
    return functools.partial(
        sizes, cache=context.settings.cache, config=None if offline else lambda: context.pip
    )


def _changed(environment: str, states: States, remote: Remote | None) -> tuple[Asked, Asked]:
    """What is published and the working tree; without a registry HEAD and the working tree."""
    here = Asked(environment=environment, where=Where.TREE)
    there = RemoteRegistry(remote).published(environment) if remote else ()
    if there:
        chosen = nearest(there, states.read(here).contents.packages)
        asked = Asked(environment=environment, where=Where.IMAGE, reference=chosen.tag)
    else:
        asked = Asked(environment=environment, where=Where.REVISION, reference="HEAD")
    return asked, here
