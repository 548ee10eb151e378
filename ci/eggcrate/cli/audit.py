"""``eggcrate audit``: known vulnerabilities of images, and whom they reach."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eggcrate.build import cyclonedx
from eggcrate.build.audit import Audit, audit, packages_of
from eggcrate.build.bill import Bill, read_bill
from eggcrate.build.holders import chain_to
from eggcrate.cli.plan import add_platform, add_registry, no_registry, read_locks
from eggcrate.cli.trust_parts import attached_bill
from eggcrate.errors import EXIT_FAILURE, EXIT_OK
from eggcrate.matrix.compatibility import compatibility
from eggcrate.packages.osv_source import read_records
from eggcrate.packages.severity import Severity
from eggcrate.packages.target import Platform
from eggcrate.repo.policy import read_exceptions
from eggcrate.report import audit as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from eggcrate.build.resolve import Resolved
    from eggcrate.cli.context import Context
    from eggcrate.packages.osv import Vulnerability
    from eggcrate.packages.target import Target

_LEVELS = tuple(one.word for one in Severity if one not in (Severity.NONE, Severity.UNKNOWN))


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "audit",
        help="judge images by a database of vulnerabilities",
        description="Judge every Debian and Python package of images by an OSV database: of ENV "
        "from its locks, of ENV@TAG by the bill of materials that is attached to the published "
        "image. A database that cannot be reached is an error.",
    )
    options(verb)
    add_platform(verb)
    add_registry(verb)
    verb.add_argument("--json", action="store_true", help="print eggcrate.audit/1")
    verb.set_defaults(run=run)


def options(verb: argparse.ArgumentParser) -> None:
    """Add what ``audit`` and ``fix`` have in common."""
    verb.add_argument("environments", nargs="*", metavar="ENV", help="default: all of them")
    verb.add_argument(
        "--database",
        metavar="FOLDER|ZIP|URL",
        help="OSV records, a mirror of OSV's bucket, or its interface, an address that ends with "
        "/v1 (default: the setting vulnerabilities)",
    )
    gate(verb, "--severity")


def gate(verb: argparse.ArgumentParser, *flags: str) -> None:
    """Add what decides which findings fail."""
    verb.add_argument(
        *flags,
        dest="severity",
        choices=_LEVELS,
        default=Severity.LOW.word,
        help="the least that fails (default: low); what is not known always does",
    )
    verb.add_argument(
        "--fixable", action="store_true", help="only what a newer version fixes fails"
    )


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An audit with what it was made of."""

    audit: Audit
    resolved: tuple[Resolved, ...]
    records: Sequence[Vulnerability]


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read, judge, print."""
    least = Severity[arguments.severity.upper()]
    found = judged(arguments, context).audit
    if arguments.json:
        document = report.document(found, least, fixable=arguments.fixable)
        context.show_json("eggcrate.audit/1", document)
    else:
        context.show(report.text(found, least, fixable=arguments.fixable))
    failing = any(one.fails(least, fixable=arguments.fixable) for one in found.findings)
    return EXIT_FAILURE if failing else EXIT_OK


def judged(arguments: argparse.Namespace, context: Context) -> Judged:
    """Environments and published images held to the database."""
    published = [name for name in arguments.environments if "@" in name]
    local = [name for name in arguments.environments if "@" not in name]
    resolved: list[Resolved] = []
    if local or not published:
        resolved, failed = read_locks(context, local, platforms=arguments.platform or ())
        for error in failed.values():
            raise error
    bills = {
        _name(item, resolved): read_bill(
            item, cache=context.settings.cache, licences=None, progress=context.progress
        )
        for item in resolved
    }
    by_name = {_name(item, resolved): item for item in resolved}
    bills |= _attached(published, arguments, context)
    context.progress.status("asking the database of vulnerabilities")
    where = arguments.database or context.settings.vulnerabilities
    records = read_records(where, packages_of(bills.values()), cache=context.settings.cache)
    names = {name: name.partition("@")[0].partition(" ")[0] for name in bills}
    folders = context.monorepo.environment_folders
    found = audit(
        bills,
        records.found,
        exceptions={
            name: read_exceptions(folders[plain], context.root)
            for name, plain in names.items()
            if plain in folders
        },
        chain=functools.cache(lambda name, package: _chain(by_name.get(name), package)),
        components={
            name: reached(item.packages, item.recipe.target, context)
            for name, item in by_name.items()
        },
        today=datetime.now(UTC).date(),
        records_in_all=records.count,
    )
    return Judged(audit=found, resolved=tuple(resolved), records=records.found)


def _name(item: Resolved, resolved: Sequence[Resolved]) -> str:
    """An environment's name, with its platform where it has several."""
    name = item.environment.name
    several = sum(other.environment.name == name for other in resolved) > 1
    return f"{name} {item.recipe.target.platform}" if several else name


def _chain(item: Resolved | None, package: str) -> tuple[str, ...]:
    return chain_to(package, item) if item else ()


def reached(packages: Mapping[str, str], target: Target, context: Context) -> tuple[str, ...]:
    """The components that run in an image with these packages."""
    return tuple(
        name
        for name, component in sorted(context.monorepo.components.items())
        if compatibility(component, packages, target).flavours
    )


def _attached(
    names: Sequence[str], arguments: argparse.Namespace, context: Context
) -> dict[str, Bill]:
    """What the bills of materials of published images say."""
    found: dict[str, Bill] = {}
    if not names:
        return found
    platform = (arguments.platform or [str(Platform.of_this_machine())])[0]
    with context.open_remote(arguments.registry) as remote:
        if remote is None:
            raise no_registry("read from")
        for word in names:
            found[word] = cyclonedx.decode(attached_bill(context, remote, word, platform)[0])
    return found
