"""``eggcrate whohas``: which environments and published images hold a package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.holders import Holder, Query, chain_in_image, holding
from eggcrate.build.local import LocalRegistry
from eggcrate.cli.plan import add_platform, add_registry, read_locks
from eggcrate.errors import EXIT_FAILURE, EXIT_OK
from eggcrate.matrix.released import in_use
from eggcrate.packages.target import Platform
from eggcrate.report import holders as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from eggcrate.build.resolve import Resolved
    from eggcrate.cli.context import Context
    from eggcrate.registry.remote import Remote


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "whohas",
        help="show which environments and images hold a package, and through what",
        description="Every environment of the working tree that holds a matching version, with "
        "the shortest chain of who requires it, and every image that does: published and in use "
        "(tag stable, and what compiled pipelines pin), or without a registry in the store; with "
        "the chain where the working tree's lock makes that very image.",
    )
    verb.add_argument("package", metavar="PACKAGE", help="such as protobuf, or 'protobuf<4'")
    add_platform(verb)
    add_registry(verb)
    verb.add_argument("--json", action="store_true", help="print eggcrate.whohas/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Look, print."""
    query = Query.parse(arguments.package)
    platforms = tuple(arguments.platform or ())
    resolved, failed = read_locks(context, (), platforms=platforms)
    found = list(holding(query, resolved))
    with context.open_remote(arguments.registry) as remote:
        looked = f"{len(context.monorepo.environment_folders)} environments, "
        if remote is None:
            found += _stored(query, context, resolved)
            looked += "images in the store"
        else:
            found += _published(query, context, remote, platforms, resolved)
            looked += f"images in use at {remote}"
    for error in failed.values():
        context.progress.warn(str(error))
    if arguments.json:
        context.show_json("eggcrate.whohas/1", report.document(query, found))
    else:
        context.show(report.text(query, found, looked))
    return EXIT_FAILURE if failed else EXIT_OK


def _published(
    query: Query,
    context: Context,
    remote: Remote,
    platforms: tuple[str, ...],
    resolved: Sequence[Resolved],
) -> Iterator[Holder]:
    names = frozenset(context.monorepo.environment_folders) | frozenset(remote.names() or ())
    platform = Platform.parse(platforms[0]) if platforms else Platform.of_this_machine()
    there = in_use(remote, sorted(names), context.root, platform)
    for error in there.errors.values():
        context.progress.warn(str(error))
    for one in there.images:
        if version := query.matches(one.column.packages):
            yield Holder(
                name=one.column.environment,
                version=version,
                chain=chain_in_image(query, one.key, resolved),
                digest=one.digest,
                used_by=one.used_by,
            )


def _stored(query: Query, context: Context, resolved: Sequence[Resolved]) -> Iterator[Holder]:
    local = LocalRegistry(context.store)
    for name in sorted(local.environments()):
        for one in local.published(name):
            if version := query.matches(one.packages):
                yield Holder(
                    name=f"{name}@{one.tag}",
                    version=version,
                    chain=chain_in_image(query, one.key, resolved),
                    digest=one.digest,
                )
