"""``eggcrate lock``: resolve environments (or bases) and write their locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.resolve import pick_base
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, EggcrateError, LockError, UsageError
from eggcrate.packages.debian.lock import lock_bases, lock_system_packages
from eggcrate.packages.debian.lockfile import read_base_lock, write_base_lock
from eggcrate.packages.merging import in_conflict, settle_all
from eggcrate.packages.relock import lock_projects, locker
from eggcrate.repo.bases import families
from eggcrate.repo.git import Git
from eggcrate.repo.monorepo import pick
from eggcrate.report import lock_summary
from eggcrate.report.lock import changes, deb_changes

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from eggcrate.cli.context import Context
    from eggcrate.packages.debian.values import BaseLock
    from eggcrate.packages.relock import Upgrade
    from eggcrate.repo.values import Environment

_SYSTEM_LOCK = "base.lock"


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "lock",
        help="write poetry.lock of environments with Poetry's resolver",
        description="Resolve environments and write their poetry.lock. Pins that still satisfy "
        "pyproject.toml stay as they are. Package indexes are those pip is configured with.",
    )
    verb.add_argument("environments", nargs="*", metavar="ENV", help="default: all of them")
    verb.add_argument(
        "--upgrade",
        nargs="*",
        metavar="PKG",
        help="move these packages to their newest allowed version; all when none is named "
        "(name environments before it)",
    )
    verb.add_argument("--bases", action="store_true", help="lock the bases instead")
    verb.add_argument(
        "--tool", action="store_true", help="lock Eggcrate's own projects: the root, the harness, …"
    )
    verb.add_argument(
        "--dry-run", action="store_true", help="show what would change, write nothing"
    )
    verb.add_argument(
        "--resolve",
        action="store_true",
        help="after a git merge with conflicts: take what both sides ask for, and lock it",
    )
    verb.add_argument("--json", action="store_true", help="print eggcrate.lock/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Lock what was asked for."""
    if arguments.json and (arguments.bases or arguments.tool):
        raise UsageError("--json tells of environments: leave --bases and --tool away")
    if arguments.resolve:
        return _resolve(arguments, context)
    if arguments.bases:
        return _bases(arguments, context)
    upgrade: Upgrade = None
    if arguments.upgrade is not None:
        upgrade = tuple(arguments.upgrade) or "all"
    if arguments.tool:
        if arguments.environments:
            raise UsageError("--tool locks Eggcrate's own projects: name no environment with it")
        inner = (path.parent for path in sorted((context.root / "ci").rglob("poetry.lock")))
        return _projects([context.root, *inner], upgrade, arguments, context)
    monorepo = context.monorepo
    known = {path.name for path in _folders(context)}
    names = pick("environment", arguments.environments, known)
    folders = [context.root / "environments" / name for name in names]
    code = _projects(folders, upgrade, arguments, context)
    for name in names:
        environment = monorepo.environments.get(name)
        if environment is not None and environment.system_packages:
            code = max(code, _system(environment, arguments, context))
    return code


def _folders(context: Context) -> list[Path]:
    """Every environment's folder, the template's too: a template must lock."""
    found = (context.root / "environments").glob("*/pyproject.toml")
    return [path.parent for path in found if not path.parent.name.startswith(".")]


def _projects(
    folders: list[Path], upgrade: Upgrade, arguments: argparse.Namespace, context: Context
) -> int:
    with locker(context.pip, cache=context.settings.cache, progress=context.progress) as opened:
        outcomes = lock_projects(
            folders,
            locker=opened,
            upgrade=upgrade,
            dry_run=arguments.dry_run,
            progress=context.progress,
        )
    for outcome in outcomes.values():
        if isinstance(outcome, EggcrateError):
            context.progress.info(f"error: {outcome}")
        elif not arguments.json:
            context.show(changes(outcome, dry_run=arguments.dry_run))
    named = {folder.name: outcome for folder, outcome in outcomes.items()}
    if arguments.json:
        document = lock_summary.document(named, dry_run=arguments.dry_run)
        context.show_json("eggcrate.lock/1", document)
    elif len(named) > 1:
        context.show(f"\n{lock_summary.summary(named, dry_run=arguments.dry_run)}")
    failed = any(isinstance(outcome, EggcrateError) for outcome in named.values())
    return EXIT_FAILURE if failed else EXIT_OK


def _resolve(arguments: argparse.Namespace, context: Context) -> int:
    if arguments.bases or arguments.tool or arguments.upgrade is not None:
        raise UsageError("--resolve moves as little as it can: leave the other options away")
    git = Git(root=context.root)
    if git.unmerged() is None:
        raise UsageError(f"{context.root} is not in a git repository: no merge to resolve")
    folders = {path.name for path in _folders(context)} | set(in_conflict(git))
    names = pick("environment", arguments.environments, folders) if arguments.environments else ()
    names = names or tuple(sorted(in_conflict(git)))
    with locker(context.pip, cache=context.settings.cache, progress=context.progress) as opened:
        found = settle_all(list(names), git=git, locker=opened, dry_run=arguments.dry_run)
    for one in found.values():
        if isinstance(one, EggcrateError):
            context.progress.info(f"error: {one}")
        elif not arguments.json:
            context.show(lock_summary.settled(one, dry_run=arguments.dry_run))
    if arguments.json:
        document = lock_summary.settled_document(found, dry_run=arguments.dry_run)
        context.show_json("eggcrate.lock/1", document)
    elif not found:
        context.show("no environment is in conflict")
    failed = any(isinstance(one, EggcrateError) for one in found.values())
    return EXIT_FAILURE if failed else EXIT_OK


def _bases(arguments: argparse.Namespace, context: Context) -> int:
    bases = context.monorepo.bases
    names = families(pick("base", arguments.environments, bases), bases)
    locks = lock_bases(names, bases=bases, cache=context.settings.cache, progress=context.progress)
    for name, lock in locks.items():
        _write(name, bases[name].lock_path, lock, arguments, context)
    return EXIT_OK


def _system(environment: Environment, arguments: argparse.Namespace, context: Context) -> int:
    bases = context.monorepo.bases
    path = environment.path / _SYSTEM_LOCK
    lock = lock_system_packages(
        environment.system_packages,
        name=environment.name,
        base=pick_base(environment, bases),
        bases=bases,
        platforms=environment.platforms,
        cache=context.settings.cache,
        progress=context.progress,
        current=_current(path),
    )
    _write(f"{environment.name} (system packages)", path, lock, arguments, context)
    return EXIT_OK


def _write(
    name: str, path: Path, lock: BaseLock, arguments: argparse.Namespace, context: Context
) -> None:
    before = _current(path)
    if not arguments.dry_run:
        write_base_lock(path, lock)
    context.show(deb_changes(name, before, lock))


def _current(path: Path) -> BaseLock | None:
    try:
        return read_base_lock(path)
    except LockError:
        return None
