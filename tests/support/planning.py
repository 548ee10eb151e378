"""What tests of plans have in common: locked packages, git, and verdicts."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from support.repository import Package

if TYPE_CHECKING:
    from pathlib import Path


def package(name: str, version: str = "1.0") -> Package:
    """A wheel that is locked, and never fetched."""
    file = f"{name}-{version}-py3-none-any.whl"
    return Package(
        name=name, version=version, files=((file, (version * 64)[:64].replace(".", "0")),)
    )


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
        cwd=folder,
        check=check,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit(folder: Path, message: str = "m") -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message, "--allow-empty")
    return git(folder, "rev-parse", "HEAD")


def verdicts(document: dict[str, dict[str, Any]]) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {
        name: (item["verdict"], tuple(item["reasons"]))
        for name, item in document.items()
        if name not in ("retired", "git")
    }


NEW, FINE = ("build", ("new",)), ("up-to-date", ())
