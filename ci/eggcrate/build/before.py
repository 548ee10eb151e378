"""The repository before a change: as it was where its branch left the one that it goes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.build.resolve import resolve
from eggcrate.build.states import contents_of
from eggcrate.errors import EggcrateError, HistoryError
from eggcrate.packages.difference import EMPTY
from eggcrate.packages.target import Platform
from eggcrate.repo.monorepo import read_monorepo
from eggcrate.repo.revision import opened, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.resolve import Resolved
    from eggcrate.packages.difference import Contents
    from eggcrate.repo.git import Git
    from eggcrate.repo.values import Component

_CI_BASES = ("CI_MERGE_REQUEST_DIFF_BASE_SHA",)
"""Commits that GitLab tells: https://docs.gitlab.com/ci/variables/predefined_variables/."""
_CI_BRANCHES = ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "_BASE_BRANCH")
"""Branches that GitHub, GitLab and Cloud Build triggers tell."""


@dataclass(frozen=True, kw_only=True)
class Before:
    """What there was."""

    revision: str
    """What the change is compared with, as it was asked for."""
    commit: str
    """The commit that both come from."""
    changed: frozenset[str]
    """Files that differ from it in the working tree."""
    environments: frozenset[str]
    """All that there were."""
    components: Mapping[str, Component]
    resolved: Mapping[tuple[str, str], Resolved]
    """Environment and platform, of those whose files or bases were others."""
    contents: Mapping[tuple[str, str], Contents]
    """The same, and new environments: they held nothing."""
    errors: Mapping[str, EggcrateError]
    """Environments that could not be resolved then."""


def base_revision(git: Git, environ: Mapping[str, str]) -> str:
    """What a change is compared with when nobody says: what CI tells, else the main branch."""
    for name in _CI_BASES:
        if (told := environ.get(name)) and git.resolve(told):
            return told
    for name in _CI_BRANCHES:
        if branch := environ.get(name):
            return f"origin/{branch}" if git.resolve(f"origin/{branch}") else branch
    return git.default_branch() or "HEAD"


def merge_base(git: Git, revision: str) -> str:
    """The commit that the working tree and a revision come from.

    Raises:
        HistoryError: git does not know it here.
    """
    commit = git.resolve(revision)
    if commit is None:
        raise unknown(git, revision)
    start = git.merge_base(commit)
    if start is None:
        raise HistoryError(
            f"git knows no common history with {revision} here",
            why="this clone is shallow: it lacks most of the history"
            if git.shallow()
            else "the branches have nothing in common",
            hint="fetch the rest: git fetch --unshallow (GitHub: fetch-depth: 0; GitLab: "
            "GIT_DEPTH: 0), or name another --base",
        )
    return start


def read_before(
    git: Git, revision: str, now: Sequence[Resolved], *, cache: Path
) -> Before:
    """Read the repository as it was before the change.

    Args:
        git: of the checkout.
        revision: what the change goes to, such as ``origin/main``.
        now: the environments as they are, for the platforms to look at.
        cache: the user's.

    Raises:
        HistoryError: git does not know it here.
    """
    commit = merge_base(git, revision)
    changed = git.changed(commit)
    if changed is None:
        raise unknown(git, revision)
    bases = any(path.startswith("bases/") for path in changed)
    touched = {path.split("/")[1] for path in changed if path.startswith("environments/")}
    platforms: dict[str, list[str]] = {}
    for one in now:
        platforms.setdefault(one.environment.name, []).append(str(one.recipe.target.platform))
    resolved: dict[tuple[str, str], Resolved] = {}
    contents: dict[tuple[str, str], Contents] = {}
    errors: dict[str, EggcrateError] = {}
    # Of environments that nothing touched the files need not be read: nothing is told of them.
    wanted = None if bases else sorted(touched)
    with opened(git, commit, environments=wanted) as then:
        monorepo = read_monorepo(then.root)
        existed = frozenset(
            path.split("/")[1]
            for path in then.files
            if path.startswith("environments/") and path.endswith("/pyproject.toml")
            and not path.startswith(("environments/_", "environments/."))
        )
        components = dict(monorepo.components)
        for name in sorted(existed if bases else existed & touched):
            try:
                environment = monorepo.environments.get(name)
                if environment is None:
                    raise monorepo.broken[f"environments/{name}"]
                for text in platforms.get(name, environment.platforms):
                    found = resolve(
                        environment, monorepo.bases, Platform.parse(text), cache=cache
                    )
                    resolved[name, text] = found
                    contents[name, text] = contents_of(found)
            except EggcrateError as error:
                errors[name] = then.told(error)
    contents |= {
        (name, text): EMPTY
        for name, mine in platforms.items()
        if name not in existed
        for text in mine
    }
    return Before(
        revision=revision,
        commit=commit,
        changed=changed,
        environments=existed,
        components=components,
        resolved=resolved,
        contents=contents,
        errors=errors,
    )
