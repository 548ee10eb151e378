"""A base as it is, and the same base after a security update of one library."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from eggcrate.files import sha256_file
from eggcrate.packages.debian.fetch import fetch_debs
from eggcrate.packages.debian.lockfile import base_lock, write_base_lock
from eggcrate.packages.target import Platform
from eggcrate.process import run

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.packages.debian.values import BaseLock, FetchedDeb, LockedDeb
    from eggcrate.progress import Progress
    from eggcrate.repo.values import Base

_LIBRARY = "libssl3"


def two_bases(
    base: Base, scratch: Path, *, cache: Path, progress: Progress
) -> tuple[Path, Path, dict[str, Path]]:
    """Folders of the base and of the patched one, and the Debian packages that both need.

    The update is made here: the same package with a higher version and a changed file, so
    that it does not matter what Debian has patched lately.

    Returns:
        The two folders, and the packages by their paths under an archive's root.
    """
    platform = str(Platform.of_this_machine())
    lock = base_lock(base)
    fetched = fetch_debs(
        lock.packages[platform], lock=lock, cache=cache, locked=False, progress=progress
    ).debs
    files = {one.deb.path: one.file for one in fetched}
    old = next(one for one in fetched if one.deb.name == _LIBRARY)
    new, file = _updated(old, scratch / "update")
    files[new.path] = file
    debs = [one.deb for one in fetched]
    folders = [
        _written(scratch / "bases" / "first", base, lock, platform, debs),
        _written(
            scratch / "bases" / "patched",
            base,
            lock,
            platform,
            [new if deb is old.deb else deb for deb in debs],
        ),
    ]
    # The two kinds of archives spell a path differently; both serve all of it.
    files |= {path.replace("pool/updates/", "pool/", 1): file for path, file in files.items()}
    return folders[0], folders[1], files


def _updated(old: FetchedDeb, scratch: Path) -> tuple[LockedDeb, Path]:
    run(["dpkg-deb", "--raw-extract", str(old.file), str(scratch)], hint="apt-get install dpkg")
    control = scratch / "DEBIAN" / "control"
    version = f"{old.deb.version}+bench1"
    text = re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.MULTILINE)
    control.write_text(text)
    library = next(path for path in scratch.rglob("libssl.so.*") if path.is_file())
    library.write_bytes(library.read_bytes() + b"\0")
    path = f"pool/main/o/openssl/{_LIBRARY}_{version}_{old.deb.architecture}.deb"
    file = scratch.parent / "updated.deb"
    run(["dpkg-deb", "--build", "--root-owner-group", str(scratch), str(file)])
    size = file.stat().st_size
    return replace(old.deb, version=version, path=path, sha256=sha256_file(file), size=size), file


def _written(
    folder: Path, base: Base, lock: BaseLock, platform: str, debs: list[LockedDeb]
) -> Path:
    folder.mkdir(parents=True)
    shutil.copy(base.path / "base.toml", folder)
    packages = {**lock.packages, platform: tuple(debs)}
    write_base_lock(folder / "base.lock", replace(lock, packages=packages))
    return folder
