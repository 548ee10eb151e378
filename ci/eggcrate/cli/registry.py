"""``eggcrate registry``: make the repository of images, list it, scan it, clean it up."""

from __future__ import annotations

import contextlib
import functools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.cli import registry_scan
from eggcrate.cli.lineage import add_sources
from eggcrate.cli.plan import add_registry, no_registry
from eggcrate.cli.registry_parts import read_registry
from eggcrate.cloud.artifact_registry import ArtifactRegistry, Place
from eggcrate.cloud.cleanup import Fate, carry_out, decide, earlier
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, UsageError
from eggcrate.report import registry as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from eggcrate.cli.context import Context
    from eggcrate.cloud.cleanup import Decision
    from eggcrate.registry.remote import Remote

_DAYS = 30


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "registry",
        help="make the repository of images, list it, scan it, clean it up by use",
        description="What is about the registry as a whole.",
    )
    actions = verb.add_subparsers(dest="action", metavar="ACTION", required=True)
    ensure = actions.add_parser(
        "ensure", help="have the repository in Artifact Registry, with these settings"
    )
    ensure.add_argument(
        "--immutable-tags",
        action="store_true",
        help="tags can be neither moved nor deleted, none excepted: promote and cleanup then fail",
    )
    ensure.add_argument(
        "--no-scanning", action="store_true", help="do not look for vulnerabilities"
    )
    ensure.add_argument("--dry-run", action="store_true", help="show what would be done")
    ensure.set_defaults(act=_ensure)
    listing = actions.add_parser("list", help="show every image, and who uses it")
    listing.set_defaults(act=_list)
    cleanup = actions.add_parser(
        "cleanup",
        help="delete images that nothing uses",
        description="Delete what no tag of people's (stable among them), no lock of the working "
        "tree, no compiled pipeline and, with --vertex or --kubeflow, no run or schedule there "
        "refers to, and what is older than --keep-days. What is used is never deleted, nor what it "
        "is made of, nor what is about it.",
    )
    cleanup.add_argument(
        "--keep-days",
        type=float,
        default=_DAYS,
        metavar="N",
        help=f"keep what came in the last N days (default: {_DAYS})",
    )
    cleanup.add_argument(
        "--unknown-age",
        action="store_true",
        help="also delete what the registry tells no age of: all of it, where that is no Artifact "
        "Registry",
    )
    cleanup.add_argument("--dry-run", action="store_true", help="show what would be deleted")
    cleanup.set_defaults(act=_cleanup)
    scan = registry_scan.add(actions)
    for action in (listing, cleanup, scan):
        action.add_argument(
            "--used-by",
            type=Path,
            action="append",
            default=[],
            metavar="PATH",
            help="a file or folder of compiled pipelines that are not in this repository, such as "
            "those in a bucket; may be repeated",
        )
        add_sources(action)
    for action in (ensure, listing, cleanup, scan):
        add_registry(action)
        action.add_argument("--json", action="store_true", help="print JSON")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do what the action says."""
    return int(arguments.act(arguments, context))


def _ensure(arguments: argparse.Namespace, context: Context) -> int:
    prefix = arguments.registry or context.settings.registry
    place = Place.parse(prefix)
    if place is None:
        raise UsageError(
            f"{prefix or 'no registry'} is not in Artifact Registry",
            hint="--registry LOCATION-docker.pkg.dev/PROJECT/REPOSITORY; others make "
            "repositories by themselves",
        )
    with ArtifactRegistry() as api:
        done = api.ensure(
            place,
            immutable=arguments.immutable_tags,
            scanning=not arguments.no_scanning,
            dry_run=arguments.dry_run,
        )
    if arguments.json:
        context.show_json("eggcrate.registry-ensure/1", report.ensure_document(done))
    else:
        context.show(report.ensured(done))
    return EXIT_OK


def _list(arguments: argparse.Namespace, context: Context) -> int:
    with context.open_remote(arguments.registry) as remote:
        if remote is None:
            raise no_registry("list")
        found = read_registry(arguments, context, remote)
    if arguments.json:
        context.show_json("eggcrate.registry-list/1", report.list_document(found.items, found.used))
    else:
        context.show(report.listing(found.items, found.used, datetime.now(UTC)))
    return EXIT_OK


def _cleanup(arguments: argparse.Namespace, context: Context) -> int:
    with context.open_remote(arguments.registry) as remote:
        if remote is None:
            raise no_registry("clean up")

        def now() -> datetime:
            return earlier(datetime.now(UTC), remote.session.date)

        def decided() -> tuple[Decision, ...]:
            found = read_registry(arguments, context, remote)
            return decide(
                found.items,
                found.used,
                now=now(),
                keep_for=timedelta(days=arguments.keep_days),
                unknown_age=arguments.unknown_age,
            )

        decisions = decided()
        if not arguments.dry_run:
            with _deleter(remote) as delete:
                decisions = carry_out(
                    decisions, delete, lambda: {one.item.named: one.fate for one in decided()}
                )
    if arguments.json:
        document = report.cleanup_document(decisions, dry_run=arguments.dry_run)
        context.show_json("eggcrate.registry-cleanup/1", document)
    else:
        context.show(report.cleanup(decisions, now()))
    failed = any(one.fate is Fate.FAILED for one in decisions)
    return EXIT_FAILURE if failed else EXIT_OK


@contextlib.contextmanager
def _deleter(remote: Remote) -> Iterator[Callable[[str, str], bool]]:
    place = Place.parse(str(remote))
    if place is None:
        yield remote.delete
        return
    with ArtifactRegistry() as api:
        yield functools.partial(api.delete, place)
