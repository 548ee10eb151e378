"""What files hold, as one hash; and copies of them with plain modes."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from eggcrate.files import link_or_copy, sha256_file

_NOTHING = hashlib.sha256(b"nothing").hexdigest()


def tree_digest(path: Path) -> str:
    """The SHA-256 of a file or of a folder with all that is in it: names, kinds and bytes."""
    if path.is_symlink():
        return hashlib.sha256(f"link {path.readlink()}".encode()).hexdigest()
    if path.is_file():
        return sha256_file(path)
    if not path.is_dir():
        return _NOTHING
    total = hashlib.sha256(b"folder")
    for item in sorted(path.rglob("*")):
        name = item.relative_to(path).as_posix()
        if item.is_symlink():
            told = f"link {item.readlink()}"
        else:
            told = sha256_file(item) if item.is_file() else "folder"
        total.update(f"\0{len(name)} {name}\0{told}".encode())
    return total.hexdigest()


def link_tree(source: Path, target: Path) -> None:
    """The same files in another folder, by hard links where that is possible."""
    target.mkdir(parents=True, exist_ok=True)
    for folder, _, names in os.walk(source):
        there = target / Path(folder).relative_to(source)
        there.mkdir(exist_ok=True)
        for name in names:
            item = Path(folder, name)
            if item.is_symlink():
                (there / name).symlink_to(item.readlink())
            else:
                link_or_copy(item, there / name)


def copy_plain(source: Path, target: Path) -> None:
    """Copy a file or folder so that every user of the machine can read it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile)
        for path in (target, *target.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    else:
        shutil.copyfile(source, target)
        target.chmod(0o644)
