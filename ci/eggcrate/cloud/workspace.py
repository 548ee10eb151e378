"""What a build finds in ``/workspace``: a clone of one commit, with the changes made since."""

from __future__ import annotations

import contextlib
import shutil
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.errors import ConfigError
from eggcrate.repo.git import Git

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "/builder/origin"
"""Where the clone's ``origin`` is, inside the build."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is built."""

    workspace: Path
    """Archive of ``/workspace``."""
    origin: Path
    """Archive of the repository that it was cloned from."""
    commit: str
    branch: str
    repository: str
    """Its name."""


def read_source(root: Path, scratch: Path) -> Source:
    """Clone the repository around a checkout as Cloud Build does, one commit deep.

    What is not committed yet goes with it: a change to CI is tried before it is pushed.

    Args:
        root: the checkout.
        scratch: an empty folder, for the clones and archives.

    Raises:
        ConfigError: it is no git repository, or has no commit.
    """
    top = Git(root=root).top()
    git = Git(root=top or root)
    commit = git.resolve("HEAD") if top else None
    clone, bare = scratch / "clone", scratch / "origin"
    if not (top and commit and git.clone_shallow(clone) and git.clone_bare(bare)):
        raise ConfigError(
            f"{root} cannot be cloned: it is no git repository, or has no commit yet",
            hint="git init && git add --all && git commit",
        )
    Git(root=clone).set_origin(ORIGIN)
    for path in sorted(git.changed(commit) or ()):
        _copy(top / path, clone / path)
    return Source(
        workspace=_archive(clone, scratch / "workspace.tar"),
        origin=_archive(bare, scratch / "origin.tar"),
        commit=commit,
        branch=git.branch(),
        repository=top.name,
    )


def _copy(source: Path, target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    if source.is_symlink() or source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def _archive(folder: Path, target: Path) -> Path:
    """Pack a folder's content; in the build it belongs to root, as everything there."""

    def owned(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(target, "w") as tar:
        tar.add(folder, ".", filter=owned)
    return target
