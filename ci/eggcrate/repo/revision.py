"""The repository as it was at a commit, in a folder of its own, to be read like any checkout."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import EggcrateError, HistoryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from eggcrate.repo.git import Git

FOLDERS = ("bases", "components", "environments", "pyproject.toml")
"""What environments and components are read from."""
_NAMES = ("pyproject.toml", "poetry.lock", "base.toml", "base.lock")


@dataclass(frozen=True, kw_only=True)
class Revision:
    """Some of a commit's files."""

    name: str
    """As it was asked for, such as ``HEAD~3``."""
    commit: str
    root: Path
    """Where its files are."""
    files: Mapping[str, str]
    """Blob id of each file of the commit by its path."""

    def told(self, error: EggcrateError) -> EggcrateError:
        """An error about a file of this revision, which then does not name a scratch folder."""
        where = f"{self.root}/"
        parts = (error.what, error.why, error.hint)
        what, why, hint = (part.replace(where, f"{self.name}:") for part in parts)
        return type(error)(what, why=why, hint=hint)


@contextlib.contextmanager
def opened(
    git: Git, revision: str, *, environments: Sequence[str] | None = None
) -> Iterator[Revision]:
    """Have the files that environments and components are read from as they were at a commit.

    Args:
        git: of the checkout.
        revision: such as ``HEAD~3`` or ``main``.
        environments: read these only; all without.

    Raises:
        HistoryError: git does not know the revision here.
    """
    commit = git.resolve(revision)
    files = git.files(commit, *FOLDERS) if commit else None
    if commit is None or files is None:
        raise unknown(git, revision)
    wanted = {path: blob for path, blob in files.items() if _is_read(path, environments)}
    with tempfile.TemporaryDirectory(prefix="eggcrate-") as scratch:
        root = Path(scratch).resolve()
        for folder in FOLDERS[:3]:
            (root / folder).mkdir()
        contents = git.blobs(wanted.values())
        for path, blob in wanted.items():
            if blob not in contents:
                raise HistoryError(
                    f"git does not hold {path} of {revision} here",
                    why="this clone is partial",
                    hint="fetch it: git fetch --refetch --no-filter",
                )
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(contents[blob])
        yield Revision(name=revision, commit=commit, root=root, files=files)


def _is_read(path: str, environments: Sequence[str] | None) -> bool:
    folder, _, rest = path.partition("/")
    if folder != "environments":
        return path.endswith(_NAMES)
    # What a Dockerfile is built with may be anything that lies beside it.
    return environments is None or rest.partition("/")[0] in environments


def unknown(git: Git, revision: str) -> HistoryError:
    """The error for a revision that git does not know, as a person can mend it."""
    if git.resolve("HEAD") is None:
        return HistoryError(
            f"{git.root} has no git history",
            why="git is not installed here, this is no clone, or nothing was committed",
            hint="compare with an image instead, such as @stable",
        )
    if git.shallow():
        return HistoryError(
            f"git does not know {revision} here",
            why="this clone is shallow: it lacks most of the history",
            hint="fetch the rest: git fetch --unshallow (GitHub: fetch-depth: 0; "
            "GitLab: GIT_DEPTH: 0)",
        )
    return HistoryError(
        f"git does not know {revision} here", hint="git branch --all lists what there is"
    )
