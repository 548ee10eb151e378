"""``eggcrate registry scan``: what Google's scanner found in published images."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eggcrate.build.holders import chain_to
from eggcrate.cli.audit import gate, reached
from eggcrate.cli.plan import no_registry
from eggcrate.cli.registry_parts import read_registry
from eggcrate.cloud.artifact_analysis import ArtifactAnalysis
from eggcrate.cloud.artifact_registry import Place
from eggcrate.cloud.scan import in_use, judge, look, named, read_subjects
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, UsageError
from eggcrate.packages.severity import Severity
from eggcrate.repo.monorepo import pick
from eggcrate.repo.policy import read_exceptions
from eggcrate.report import scan as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from eggcrate.build.resolve import Resolved
    from eggcrate.cli.context import Context
    from eggcrate.cloud.inventory import Name
    from eggcrate.cloud.scan import Scan, Subject
    from eggcrate.registry.remote import Remote


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to ``eggcrate registry``."""
    action = actions.add_parser(
        "scan",
        help="show the vulnerabilities that Google found in images",
        description="What Artifact Analysis found in published images, whom it reaches and what "
        "fixes it. Exceptions are those of eggcrate audit. An image whose scan is not finished, "
        "failed, or never was, is not known: that fails, whatever else is told.",
    )
    action.add_argument(
        "images",
        nargs="*",
        metavar="ENV|ENV@TAG",
        help="images in use of an environment, or one image (default: all images in use)",
    )
    gate(action, "--fail-on")
    action.add_argument(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="ask again while scans are not finished, for so long; after a push about a minute",
    )
    action.set_defaults(act=act)
    return action


def act(arguments: argparse.Namespace, context: Context) -> int:
    """Find the images, ask, judge, print."""
    least = Severity[arguments.severity.upper()]
    with context.open_remote(arguments.registry) as remote:
        if remote is None:
            raise no_registry("scan")
        found = _scan(arguments, context, remote, _place(remote))
    if arguments.json:
        document = report.document(found, least, fixable=arguments.fixable)
        context.show_json("eggcrate.registry-scan/1", document)
    else:
        context.show(report.text(found, least, fixable=arguments.fixable))
    return EXIT_OK if found.good(least, fixable=arguments.fixable) else EXIT_FAILURE


def _place(remote: Remote) -> Place:
    place = Place.parse(str(remote))
    if place is None:
        raise UsageError(
            f"{remote} is not in Artifact Registry: Google scans nothing there",
            hint="eggcrate audit judges any image by a database of vulnerabilities",
        )
    return place


def _scan(arguments: argparse.Namespace, context: Context, remote: Remote, place: Place) -> Scan:
    wanted, resolved = _wanted(arguments, context, remote)
    subjects = read_subjects(remote, wanted)
    with ArtifactAnalysis() as api:
        context.progress.status(f"asking about {len(subjects)} images")
        looked = look(
            subjects,
            lambda one: api.scanned(place.project, remote.image(one.environment, one.digest)),
            wait=arguments.wait,
            pause=min(10.0, arguments.wait / 4),
        )
    folders = context.monorepo.environment_folders
    by_key = {one.recipe.key: one for one in resolved}
    return judge(
        looked,
        exceptions={
            name: read_exceptions(folders[name], context.root)
            for name in {one.environment for one in subjects}
            if name in folders
        },
        chain=functools.partial(_chain, by_key),
        components=lambda one: reached(one.packages, one.target, context) if one.target else (),
        today=datetime.now(UTC).date(),
    )


def _wanted(
    arguments: argparse.Namespace, context: Context, remote: Remote
) -> tuple[Mapping[Name, Sequence[str]], Sequence[Resolved]]:
    """Images with who uses each, and what the working tree would make of the environments."""
    exact = [word for word in arguments.images if "@" in word]
    names = [word for word in arguments.images if "@" not in word]
    found: dict[Name, Sequence[str]] = {}
    for word in exact:
        name, _, reference = word.partition("@")
        found |= named(remote, name, reference)
    if exact and not names:
        return found, ()
    if names:
        pick("environment", names, context.monorepo.environment_folders)
    contents = read_registry(arguments, context, remote)
    used = in_use(contents.items, contents.used, names)
    if missing := sorted(set(names) - {name for name, _ in used}):
        raise UsageError(
            f"no image of {missing[0]} is in use",
            hint=f"name one: {missing[0]}@TAG; eggcrate registry list shows them",
        )
    return {**found, **used}, contents.resolved


def _chain(by_key: Mapping[str, Resolved], subject: Subject, package: str) -> tuple[str, ...]:
    """Known where the working tree names the very image."""
    resolved = by_key.get(subject.key)
    return chain_to(package, resolved) if resolved else ()
