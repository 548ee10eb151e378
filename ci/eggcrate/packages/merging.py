"""An environment after a git merge with conflicts: what both sides ask for, locked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.errors import ConflictError, EggcrateError, LockError
from eggcrate.files import atomic_write_all
from eggcrate.packages.changes import Change, compare
from eggcrate.packages.lock_merge import merged_lock
from eggcrate.packages.relock import locked_folder, locked_versions, resolve_project
from eggcrate.repo.merge import merged_pyproject

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eggcrate.packages.relock import Locker
    from eggcrate.repo.git import Git

FILES = ("pyproject.toml", "poetry.lock")
_OURS, _THEIRS = 2, 3


@dataclass(frozen=True, kw_only=True)
class Settled:
    """An environment whose conflicts were taken apart and locked."""

    name: str
    folder: Path
    ours: str
    """``pyproject.toml`` of our side."""
    pyproject: str
    """Of both sides."""
    changes: tuple[Change, ...]
    """Of the lock, against our side's."""
    against_theirs: tuple[Change, ...]
    both: tuple[str, ...]
    """Packages that both sides pinned anew: the newer pin was kept where it could be."""


def in_conflict(git: Git) -> dict[str, frozenset[str]]:
    """Names of environments that a merge left in conflict, with the files that are."""
    found: dict[str, frozenset[str]] = {}
    for path in git.unmerged() or {}:
        match path.split("/"):
            case ["environments", name, file] if file in FILES:
                found[name] = found.get(name, frozenset()) | {file}
    return found


def settle(name: str, *, git: Git, locker: Locker, dry_run: bool = False) -> Settled:
    """Merge what both sides ask for and lock it, keeping each pin that can be kept.

    Files are written, and not staged: looking at the result and ``git add`` is the person's.

    Args:
        name: of an environment in conflict.
        git: of the checkout.
        locker: of this run.
        dry_run: write nothing.

    Raises:
        ConflictError: both sides changed the same thing, each to something else; the files are
            left as git left them.
        LockError: nothing satisfies what both sides ask for.
    """
    folder = git.root / "environments" / name
    pyproject, lock = folder / "pyproject.toml", folder / "poetry.lock"
    with locked_folder(folder, locker):
        ours, text = _pyproject(pyproject, name, git)
        stages = _sides(f"environments/{name}/poetry.lock", git)
        pins, both = _pins(stages, lock)
        found = resolve_project(
            folder, locker=locker, pyproject=text, lock=pins.encode() if pins else None
        )
        if not dry_run:
            contents: dict[Path, bytes | str] = {lock: found.lock}
            if not pyproject.is_file() or pyproject.read_bytes() != text.encode():
                contents[pyproject] = text
            atomic_write_all(contents)
    return Settled(
        name=name,
        folder=folder,
        ours=ours,
        pyproject=text,
        changes=compare(_versions(stages.get(_OURS, "")), found.versions),
        against_theirs=compare(_versions(stages.get(_THEIRS, "")), found.versions),
        both=both,
    )


def _stages(path: str, git: Git) -> Mapping[int, str]:
    """A file as each side has it; nothing for one that is not in conflict."""
    numbers = (git.unmerged() or {}).get(path, frozenset())
    return {number: git.stage(path, number) or "" for number in numbers}


def _sides(path: str, git: Git) -> Mapping[int, str]:
    """A lock as each side has it, from the commits that are merged when it is not in conflict.

    Git's own merge of it is not believed: where each side added a package it takes the lines of
    both, and a lock with two versions of it comes of that without a conflict.
    """
    if stages := _stages(path, git):
        return stages
    for name in ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD"):
        if git.resolve(name):
            base = git.merge_base(name) if name == "MERGE_HEAD" else git.resolve(f"{name}^")
            revisions = {1: base or "", _OURS: "HEAD", _THEIRS: name}
            return {
                number: git.read(revision, path) or ""
                for number, revision in revisions.items()
                if revision
            }
    return {}


def _pyproject(path: Path, name: str, git: Git) -> tuple[str, str]:
    """Our side's text, and that of both sides."""
    stages = _stages(f"environments/{name}/pyproject.toml", git)
    if not stages:  # git has merged it, or only one side changed it
        try:
            text = path.read_bytes().decode()
        except FileNotFoundError as error:
            raise ConflictError(
                f"{path} does not exist",
                why="one side removed the environment",
                hint=f"git rm -r {path.parent} agrees with it",
            ) from error
        return text, text
    if not stages.get(_OURS) or not stages.get(_THEIRS):
        raise ConflictError(
            f"{path} was changed by one side and removed by the other",
            hint=f"git rm -r {path.parent} removes the environment, "
            f"git add {path.parent} keeps it; then run: eggcrate lock {name}",
        )
    merged = merged_pyproject(stages.get(1, ""), stages[_OURS], stages[_THEIRS], path=path)
    if merged.clashes:
        raise ConflictError(
            f"{path}: both sides changed the same",
            why="\n        ".join(map(str, merged.clashes)),
            hint=f"choose in the file, git add it, then run: eggcrate lock --resolve {name}",
        )
    return stages[_OURS], merged.text


def _pins(stages: Mapping[int, str], lock: Path) -> tuple[str, tuple[str, ...]]:
    """The lock to start from: both sides' pins; without a conflict the file as it is."""
    if not stages:
        text = lock.read_bytes().decode() if lock.is_file() else ""
        return (text, ()) if _versions(text) else ("", ())
    base, ours, theirs = (stages.get(number, "") for number in (1, _OURS, _THEIRS))
    if not ours or not theirs:
        return ours or theirs, ()
    try:
        merged = merged_lock(base, ours, theirs)
    except LockError:
        return ours, ()
    return merged.text, merged.both


def _versions(text: str) -> dict[str, str]:
    try:
        return locked_versions(text.encode())
    except (ValueError, KeyError, TypeError):
        return {}


def settle_all(
    names: list[str], *, git: Git, locker: Locker, dry_run: bool = False
) -> dict[str, Settled | EggcrateError]:
    """Settle environments one after the other; one that cannot be does not stop the others."""
    found: dict[str, Settled | EggcrateError] = {}
    for name in names:
        try:
            found[name] = settle(name, git=git, locker=locker, dry_run=dry_run)
        except EggcrateError as error:
            found[name] = error
    return found
