"""What git adds to a plan: how an environment's locks differ from those of a revision."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import EggcrateError
from eggcrate.packages.changes import compare
from eggcrate.packages.poetry_lock import read_lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eggcrate.repo.git import Git
    from eggcrate.repo.values import Environment


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
    found: dict[str, set[str]] = {}
    for package in read_lock(path).packages:
        found.setdefault(package.name, set()).add(package.version)
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}
