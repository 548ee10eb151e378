"""What git adds to a plan: how locks differ from a revision's, and what was deleted."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import EggcrateError
from eggcrate.files import atomic_write, sealed, unsealed
from eggcrate.packages.changes import compare

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eggcrate.repo.git import Git
    from eggcrate.repo.values import Environment


def deleted_environments(git: Git, *, cache: Path) -> frozenset[str]:
    """Names of environments that history knows and the working tree lacks.

    Reading all of a long history takes seconds, so that what it said is remembered, in
    ``deleted/<hash of the checkout's path>.json`` of the user's cache, and only the commits
    since are read. After a rewrite of history, names of the abandoned one stay known. A shallow
    clone's history grows without a new commit and is read every time.

    Args:
        git: of the checkout.
        cache: the user's cache.
    """
    head = git.resolve("HEAD")
    if head is None:
        return frozenset()
    record = cache / "deleted" / f"{hashlib.sha256(bytes(git.root)).hexdigest()[:32]}.json"
    before, names = ("", frozenset[str]()) if git.shallow() else _remembered(record)
    if before != head:
        start = git.resolve(before) if before else None
        found = git.deleted_environments(since=start)
        if found is None:
            return frozenset()
        names |= found
        if not git.shallow():
            with contextlib.suppress(OSError):  # it is read again, no more
                atomic_write(
                    record, sealed({"commit": head, "deleted": sorted(names)}), flush=False
                )
    folder = git.root / "environments"
    return frozenset(name for name in names if not (folder / name).is_dir())


def _remembered(record: Path) -> tuple[str, frozenset[str]]:
    try:
        document = unsealed(record.read_bytes())
        return str(document["commit"]), frozenset(map(str, document["deleted"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return "", frozenset()


def git_sentences(
    environments: Iterable[Environment], git: Git, revision: str, *, root: Path
) -> dict[str, tuple[str, ...]]:
    """For each environment whose files differ from a revision's, what differs.

    Against the commit that both come from, where this clone knows it; else against the revision
    itself, and then it says so.

    Args:
        environments: of the working tree.
        git: of the checkout.
        revision: such as ``origin/main``.
        root: the checkout.
    """
    commit = git.resolve(revision)
    if commit is None:
        return {"git": (f"git does not know {revision} here; the plan does not depend on it.",)}
    start = git.merge_base(revision)
    changed = git.changed(start or commit)
    if changed is None:
        return {"git": (f"git cannot compare with {revision}; the plan does not depend on it.",)}
    known = "" if start else f" (no common history with {revision} in this clone)"
    told: dict[str, tuple[str, ...]] = {}
    for environment in environments:
        folder = environment.path.relative_to(root).as_posix()
        files = sorted(path for path in changed if path.startswith(f"{folder}/"))
        if files:
            names = ", ".join(path.removeprefix(f"{folder}/") for path in files)
            head = f"git: since {(start or commit)[:12]}{known} changed: {names}"
            told[environment.name] = (
                head,
                *_lock_changes(environment, folder, git, start or commit),
            )
    return told


def _lock_changes(environment: Environment, folder: str, git: Git, commit: str) -> list[str]:
    text = git.read(commit, f"{folder}/poetry.lock")
    if text is None:
        return ["git: there was no lock then"]
    try:
        before = _versions_of(text)
        after = _locked(environment.lock_path)
    except EggcrateError:
        return []
    return [
        f"git: {change.package} {change.before or 'absent'} -> {change.after or 'absent'}"
        for change in compare(before, after)
    ]


def _versions_of(text: str) -> Mapping[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "poetry.lock"
        path.write_text(text)
        return _locked(path)


def _locked(path: Path) -> Mapping[str, str]:
    from eggcrate.packages.poetry_lock import read_lock  # noqa: PLC0415 - slow, not always needed

    found: dict[str, set[str]] = {}
    for package in read_lock(path).packages:
        found.setdefault(package.name, set()).add(package.version)
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}
