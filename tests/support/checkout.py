"""This repository, as a newcomer finds it: a bare repository to clone."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    """What git says."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def bare_copy(root: Path, folder: Path) -> Path:
    """A bare repository, as on a forge, with the files of a checkout as they are now.

    Args:
        root: the checkout.
        folder: where it is made, as ``origin.git``.
    """
    listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    work = folder / "work"
    for name in filter(None, listed.split("\0")):
        source, target = root / name, work / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode)
    bare = folder / "origin.git"
    git(folder, "init", "-q", "--bare", "-b", "main", str(bare))
    git(work, "init", "-q", "-b", "main")
    git(work, "add", "-A")
    git(work, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "-m", "start")
    git(work, "push", "-q", str(bare), "main")
    return bare


def newcomer(**more: str) -> dict[str, str]:
    """The environment of somebody whom git knows by name, and of no test nor of its make."""
    ours = ("PYTEST", "MAKE", "MFLAGS", "ARGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **kept,
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "A Newcomer",
        "GIT_CONFIG_KEY_1": "user.email",
        "GIT_CONFIG_VALUE_1": "newcomer@example.com",
        **more,
    }
