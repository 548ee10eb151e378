"""Since which commit environments hold a version of a package: the history of their locks."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from eggcrate.errors import EggcrateError, UsageError
from eggcrate.packages.poetry_lock import parse_lock
from eggcrate.packages.selection import allows
from eggcrate.repo.revision import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.repo.git import Commit, Git

_LOCK = "poetry.lock"


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A time in which an environment held what was asked for, without a break."""

    environment: str
    versions: tuple[str, ...]
    """Of the package, when it began."""
    begin: Commit
    begin_known: bool
    """Whether this clone knows what was before: a shallow one may not."""
    end: Commit | None = None
    """The commit that ended it; ``None``: it goes on."""


def version_range(text: str) -> str:
    """What a version stands for: ``2.0`` for every 2.0, ``2.0.1`` for itself, ``>=2`` as it is.

    Raises:
        UsageError: it is neither a version nor a specifier.
    """
    try:
        Version(text)
    except InvalidVersion:
        try:
            return str(SpecifierSet(text))
        except InvalidSpecifier as error:
            raise UsageError(
                f"{text!r} is not a version",
                hint="write for example 2.0 (every 2.0), '==2.0.1' or '>=2'",
            ) from error
    return f"=={text}.*" if Version(text).base_version == text else f"=={text}"


def stretches(
    git: Git, package: str, specifier: str, environments: Sequence[str] = ()
) -> tuple[Stretch, ...]:
    """When environments held a version, the latest first; each version of a lock is read once.

    A lock counts as a whole: a package that it holds for another platform counts as well.

    Args:
        git: of the checkout.
        package: its normalised name.
        specifier: which versions, PEP 440.
        environments: only of these; of all without.

    Raises:
        HistoryError: git does not tell the history.
    """
    names = environments or ("*",)
    commits = git.history(*(f"environments/{name}/{_LOCK}" for name in names))
    if commits is None:
        raise unknown(git, "HEAD")
    contents = git.blobs(
        blob for commit in commits for blob in commit.files.values() if blob
    )
    held = functools.cache(functools.partial(_held, contents, package, specifier, git.root))
    moments: dict[str, list[tuple[Commit, tuple[str, ...]]]] = {}
    for commit in reversed(commits):
        for path, blob in commit.files.items():
            if path.startswith("environments/_"):  # templates
                continue
            moments.setdefault(path, []).append((commit, held(blob) if blob else ()))
    shallow = git.shallow()
    found = [
        stretch
        for path, told in moments.items()
        for stretch in _stretches(path.split("/")[1], told, whole=not shallow)
    ]
    newest = {commit.id: number for number, commit in enumerate(commits)}
    return tuple(
        sorted(found, key=lambda one: (one.end is not None, newest[one.begin.id], one.environment))
    )


def _stretches(
    environment: str, moments: Iterable[tuple[Commit, tuple[str, ...]]], *, whole: bool
) -> list[Stretch]:
    """Those of one environment, from its moments in the order of time."""
    found: list[Stretch] = []
    begun: tuple[Commit, tuple[str, ...], bool] | None = None
    first = True
    for commit, versions in moments:
        if versions and begun is None:
            begun = (commit, versions, whole or not first)
        elif not versions and begun is not None:
            found.append(_stretch(environment, begun, commit))
            begun = None
        first = False
    if begun is not None:
        found.append(_stretch(environment, begun, None))
    return found


def _stretch(
    environment: str, begun: tuple[Commit, tuple[str, ...], bool], end: Commit | None
) -> Stretch:
    begin, versions, known = begun
    return Stretch(
        environment=environment, versions=versions, begin=begin, begin_known=known, end=end
    )


def _held(
    contents: Mapping[str, bytes], package: str, specifier: str, root: Path, blob: str
) -> tuple[str, ...]:
    """The matching versions in a lock; none in one that cannot be read or is not here."""
    text = contents.get(blob, b"").decode("utf-8", "replace")
    if f'name = "{package}"' not in text.lower().replace("_", "-").replace(".", "-"):
        return ()
    try:
        lock = parse_lock(text, root / blob / _LOCK)
    except EggcrateError:
        return ()
    return tuple(
        one.version for one in lock.named(package) if allows(specifier, one.version)
    )
