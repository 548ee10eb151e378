"""``eggcrate fix``: the smallest change of locks that removes vulnerabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate import cli
from eggcrate.build.bill import PartKind
from eggcrate.build.proposal import carry_out, target_of
from eggcrate.build.remedy import Remedy, find_remedy
from eggcrate.cli.audit import judged, options
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, EggcrateError, UsageError
from eggcrate.files import atomic_write_all
from eggcrate.packages.relock import locked_folder, locker
from eggcrate.packages.severity import Severity
from eggcrate.report import audit as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from eggcrate.build.audit import Finding
    from eggcrate.cli.audit import Judged
    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "fix",
        help="propose the smallest change of locks that removes vulnerabilities",
        description="For each environment with a vulnerable Python package, lock the oldest "
        "version that has none of its vulnerabilities; other pins stay where they can. Vulnerable "
        "Debian packages are told: eggcrate lock --bases moves them.",
    )
    options(verb)
    verb.add_argument(
        "--prove",
        action="store_true",
        help="prove every component in the environments that change; when one fails their files "
        "are put back",
    )
    verb.add_argument("--dry-run", action="store_true", help="show it, write nothing")
    verb.add_argument("--json", action="store_true", help="print eggcrate.fix/1")
    verb.set_defaults(run=run, platform=None, registry=None)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Judge, propose, write, prove."""
    if any("@" in name for name in arguments.environments):
        raise UsageError("what is published cannot be changed", hint="name environments")
    if arguments.prove and (arguments.dry_run or arguments.json):
        raise UsageError(
            "--prove writes the new locks, and the matrix's own report",
            hint="leave --dry-run and --json away; build/matrix/matrix.json has its document",
        )
    least = Severity[arguments.severity.upper()]
    found = judged(arguments, context)
    failing = [one for one in found.audit.findings if one.fails(least, fixable=True)]
    rest = sorted(
        {
            f"{one.part} ({one.hit.vulnerability.id}), fixed in {one.hit.fixes[0]}: run eggcrate "
            "lock --bases"
            for one in failing
            if one.part.kind is PartKind.DEBIAN
        }
    )
    remedies, errors, before = _remedies(failing, found, arguments, context)
    shown = report.remedies(remedies, errors, rest)
    document = report.remedies_document(remedies, errors, rest)
    code = EXIT_FAILURE if errors else EXIT_OK
    if arguments.prove and remedies:
        context.show(shown)
        names = [f"--environment={one.environment}" for one in remedies]
        if cli.main(["--repo", str(context.root), "matrix", *names]) != EXIT_OK:
            atomic_write_all(before)
            context.progress.warn("a component fails with the new locks: they were put back")
            code = EXIT_FAILURE
    elif not arguments.json:
        context.show(shown)
    if arguments.json:
        context.show_json("eggcrate.fix/1", document)
    return code


def _remedies(
    failing: Sequence[Finding],
    found: Judged,
    arguments: argparse.Namespace,
    context: Context,
) -> tuple[list[Remedy], dict[str, EggcrateError], dict[Path, bytes]]:
    """A remedy for each environment, carried out unless it is a dry run; failures stop no other.

    Returns:
        Remedies, errors by environment, and files as they were before.
    """
    names = list(dict.fromkeys(item.environment.name for item in found.resolved))
    remedies: list[Remedy] = []
    errors: dict[str, EggcrateError] = {}
    before: dict[Path, bytes] = {}
    with locker(context.pip, cache=context.settings.cache, progress=context.progress) as opened:
        for name in names:
            mine = [one for one in failing if one.image.partition(" ")[0] == name]
            environment = context.monorepo.environments[name]
            try:
                with locked_folder(environment.path, opened):
                    context.progress.status(f"resolving {name} …")
                    target = target_of(environment, context.monorepo)
                    one = find_remedy(
                        environment, mine, found.records, target=target, locker=opened
                    )
                    if one is None:
                        continue
                    remedies.append(one)
                    if not arguments.dry_run:
                        for path in (environment.pyproject_path, environment.lock_path):
                            before[path] = path.read_bytes()
                        carry_out(one.proposal)
            except EggcrateError as error:
                errors[name] = error
    return remedies, errors, before
