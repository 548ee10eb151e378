"""``eggcrate when``: since which commit environments hold a version of a package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from eggcrate.build.since import stretches, version_range
from eggcrate.errors import EXIT_OK, UsageError
from eggcrate.repo.git import Git
from eggcrate.repo.monorepo import pick
from eggcrate.report import since as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context

_FEWEST, _MOST = 2, 3


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "when",
        help="show since which commit environments hold a version",
        usage="eggcrate when [-h] [--json] [ENV] PACKAGE VERSION",
        description="The commits of this branch by which environments got a version of a package, "
        "and lost it again. VERSION is such as 2.0 (every 2.0), 2.0.1 or '>=2'.",
    )
    verb.add_argument("words", nargs="+", metavar="[ENV] PACKAGE VERSION", help="see above")
    verb.add_argument("--json", action="store_true", help="print eggcrate.when/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Walk the history, print."""
    if not _FEWEST <= len(arguments.words) <= _MOST:
        raise UsageError(
            "when wants a package and a version", hint="for example: eggcrate when numpy 2.0"
        )
    *environment, name, version = arguments.words
    package, specifier = canonicalize_name(name), version_range(version)
    git = Git(root=context.root)
    found = stretches(git, package, specifier, environment)
    if environment and not found:
        pick("environment", environment, context.monorepo.environment_folders)
    if arguments.json:
        context.show_json("eggcrate.when/1", report.document(package, specifier, found))
        return EXIT_OK
    changed = git.changed("HEAD") or frozenset()
    uncommitted = {
        path.split("/")[1]
        for path in changed
        if path.startswith("environments/") and path.endswith("/poetry.lock")
    }
    context.show(
        report.text(
            f"{package}{specifier}",
            found,
            uncommitted.intersection(environment) if environment else uncommitted,
        )
    )
    return EXIT_OK
