"""``eggcrate report``: the catalogue of a repository, as tables and as a site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.measured import FILE, fitting, measure, read_measured
from eggcrate.build.measured import document as measured_document
from eggcrate.cli.diff import size_asker
from eggcrate.cli.plan import add_registry, read_locks
from eggcrate.cli.report_site import read_site
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, ConfigError, UsageError
from eggcrate.files import atomic_write_all
from eggcrate.matrix.catalogue import catalogue_of, first_platforms
from eggcrate.report.catalogue import catalogue_files
from eggcrate.report.catalogue_document import SCHEMA, document
from eggcrate.report.site import FOLDER, check_folder, pages, write_site

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from eggcrate.build.measured import Measured
    from eggcrate.build.resolve import Resolved
    from eggcrate.cli.context import Context
    from eggcrate.errors import EggcrateError
    from eggcrate.matrix.catalogue import Catalogue

_AGAIN = "eggcrate report --catalogue (make catalogue)"


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "report",
        help="write the catalogue of environments, components and pipelines",
        description="--catalogue writes the tables between the marks of README.md and docs/*.md, "
        f"and {FILE}; with --check nothing is written, and the exit code is 1 when they are "
        "stale. Both read the repository's files only, but for sizes of new locks, which are "
        "asked of the index.",
    )
    verb.add_argument("--catalogue", action="store_true", help="write the tables")
    verb.add_argument("--check", action="store_true", help="write nothing; are the tables stale?")
    verb.add_argument(
        "--site",
        nargs="?",
        const=FOLDER,
        metavar="DIR",
        help=f"write a static site: packages, versions and cells of all (default: {FOLDER})",
    )
    add_registry(verb)
    verb.add_argument("--dry-run", action="store_true", help="write nothing; tell what would be")
    verb.add_argument("--offline", action="store_true", help="ask no index for sizes")
    verb.add_argument("--json", action="store_true", help=f"print {SCHEMA}")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read, decide, write, print."""
    if not (arguments.catalogue or arguments.check or arguments.site or arguments.json):
        raise UsageError(
            "there is nothing to do", hint="say which: --catalogue, --check, --site or --json"
        )
    everything, failed = read_locks(context, ())
    resolved = first_platforms(everything)
    kept = read_measured(context.root)
    if arguments.check:
        return _check(_catalogue(context, resolved, failed, kept), resolved, kept, context)
    measured = measure(resolved, kept, size_asker(context, arguments.offline))
    catalogue = _catalogue(context, resolved, failed, measured)
    if arguments.catalogue:
        _write(catalogue, measured, context, dry_run=arguments.dry_run)
    if arguments.site:
        _site(catalogue, arguments, context)
    if arguments.json:
        context.show_json(SCHEMA, document(catalogue))
    return EXIT_FAILURE if catalogue.errors else EXIT_OK


def _catalogue(
    context: Context,
    resolved: tuple[Resolved, ...],
    failed: dict[str, EggcrateError],
    measured: dict[str, Measured],
) -> Catalogue:
    found = {
        one.environment.name: kept.size for one in resolved if (kept := fitting(measured, one))
    }
    return catalogue_of(context.monorepo, resolved, failed, found)


def _whole(catalogue: Catalogue) -> None:
    """Refuse to tell a part for the whole."""
    for subject, error in catalogue.errors.items():
        raise ConfigError(
            f"the catalogue cannot be told: {subject} cannot be read",
            why=f"{error.what}: {error.why}" if error.why else error.what,
            hint=error.hint or "mend it first",
        ) from error


def _write(
    catalogue: Catalogue, measured: dict[str, Measured], context: Context, *, dry_run: bool
) -> None:
    _whole(catalogue)
    files: dict[Path, str] = catalogue_files(context.root, catalogue)
    files[context.root / FILE] = measured_document(measured)
    stale = {path: text for path, text in files.items() if not _is(path, text)}
    if not dry_run:
        atomic_write_all(stale)
    for path in stale:
        would = "would be " if dry_run else ""
        context.progress.info(f"{path.relative_to(context.root)}: {would}written")
    if not stale:
        context.progress.info("the catalogue is up to date")
    for name, one in measured.items():
        if one.size is None:
            context.progress.warn(f"the size of {name} is not known: no index told it")


def _site(catalogue: Catalogue, arguments: argparse.Namespace, context: Context) -> None:
    folder = context.root / arguments.site
    check_folder(folder)
    found = pages(read_site(catalogue, arguments, context))
    would = "would be " if arguments.dry_run else ""
    if not arguments.dry_run:
        write_site(found, folder)
    context.progress.info(f"{folder / 'index.html'}: {would}written, {len(found)} pages")
    for error in catalogue.errors.values():
        context.progress.warn(str(error))


def _check(
    catalogue: Catalogue,
    resolved: tuple[Resolved, ...],
    kept: dict[str, Measured],
    context: Context,
) -> int:
    _whole(catalogue)
    names = {one.environment.name for one in resolved}
    told = [
        f"{FILE}: the sizes of {one.environment.name} are not those of its lock"
        for one in resolved
        if fitting(kept, one) is None
    ]
    told += [f"{FILE}: there is no environment {name}" for name in kept if name not in names]
    told += [
        f"{path.relative_to(context.root)}: its tables are not what the repository says"
        for path, text in catalogue_files(context.root, catalogue).items()
        if not _is(path, text)
    ]
    if not told:
        context.show("the catalogue is up to date")
        return EXIT_OK
    context.show("\n".join(told) + f"\nthe catalogue is stale; run: {_AGAIN}")
    return EXIT_FAILURE


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text
