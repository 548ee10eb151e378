"""What a lock gives for a target, remembered by content: reading locks is what planning costs.

``selections/<2>/<key>.json`` in the user's cache. The key covers every byte that the answer
depends on, so that nothing remembered can be stale; only answers are kept, never errors.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING

from eggcrate.files import atomic_write, sealed, unsealed
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.poetry_lock import read_lock
from eggcrate.packages.selection import distribution, select
from eggcrate.packages.wanted import read_wanted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eggcrate.packages.target import Target

SELECTION_VERSION = 1
"""Raised whenever the same lock would give other files for a target."""


def selected(
    folder: Path,
    target: Target,
    *,
    groups: Sequence[str],
    extras: Sequence[str],
    cache: Path | None = None,
) -> tuple[Distribution, ...]:
    """The files to install for a project on a target, by package name.

    Args:
        folder: of ``pyproject.toml`` and ``poetry.lock``.
        target: what they are for.
        groups: dependency groups to install.
        extras: extras of the project to install.
        cache: the user's cache; without it nothing is remembered.

    Raises:
        LockError: the lock is missing, stale or cannot be read.
        UnsupportedPackageError: it gives no file that the target can use.
    """
    record = _record(folder, target, groups, extras, cache) if cache else None
    if record is not None and (known := _load(record)) is not None:
        return known
    lock = read_lock(folder / "poetry.lock")
    wanted = read_wanted(folder / "pyproject.toml", groups=groups, extras=extras)
    packages = select(lock, wanted, target, groups=groups)
    found = tuple(distribution(package, target) for package in packages)
    if cache and record and not any((item.url or "").startswith("file:") for item in found):
        document = sealed({"files": [vars(item) for item in found]})
        if _record(folder, target, groups, extras, cache) == record:  # not edited meanwhile
            with contextlib.suppress(OSError):  # a cache that cannot be written is a slow one
                atomic_write(record, document, flush=False)
    return found


def _record(
    folder: Path, target: Target, groups: Sequence[str], extras: Sequence[str], cache: Path
) -> Path | None:
    identity = hashlib.sha256()
    settings = [SELECTION_VERSION, repr(target), list(groups), list(extras)]
    identity.update(json.dumps(settings).encode())
    try:
        for name in ("pyproject.toml", "poetry.lock"):
            content = (folder / name).read_bytes()
            identity.update(f"\0{len(content)}\0".encode() + content)
    except OSError:
        return None  # told in full by reading it
    key = identity.hexdigest()
    return cache / "selections" / key[:2] / f"{key}.json"


def _load(record: Path) -> tuple[Distribution, ...] | None:
    try:
        files = unsealed(record.read_bytes())["files"]
        return tuple(Distribution(**item) for item in files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
