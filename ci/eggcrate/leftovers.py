"""What runs that were killed left behind: scratch files and folders under names of no meaning.

Nothing ever reads them (:mod:`eggcrate.files`), but they take room. Those older than a day are
removed, at most once a day, while no other run is at work in the folder: clocks can be set, and
then what is made right now looks old. Partial downloads are no leftovers: a later run goes on with
them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from typing import TYPE_CHECKING

from eggcrate.files import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CACHE = ("*/*", "blobs/sha256/*", "files/*/*/*", "selections/*/*", "units/*/*")
"""Where in the user's cache scratch is made; never inside of what was unpacked."""
CHECKOUT = ("*", "runs/*/*", "tasks/*")
STORE = ("*", "blobs/sha256/*")

_DAY = 24 * 3600.0
_STAMP = ".swept"
_AT_WORK = ".at-work"
# Eight letters of tempfile's, or a process and four random bytes, after what was to be made.
_SCRATCH = re.compile(r"\..+\.[a-z0-9_]{8}|(?:stage\.|build-|project-)[a-z0-9_]{8}")


@contextlib.contextmanager
def at_work(*roots: Path) -> Iterator[None]:
    """Keep other runs from sweeping these folders; one that is missing, or not ours, is left."""
    with contextlib.ExitStack() as stack:
        for root in roots:
            with contextlib.suppress(OSError):
                stack.enter_context(_locked(root, fcntl.LOCK_SH | fcntl.LOCK_NB))
        yield


@contextlib.contextmanager
def _locked(root: Path, how: int) -> Iterator[None]:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(root / _AT_WORK, flags, 0o644)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def sweep(root: Path, places: tuple[str, ...], *, age: float = _DAY) -> int:
    """Remove old leftovers below a folder of ours, unless that was done within ``age``.

    Args:
        root: the folder; it may be missing.
        places: patterns below it.
        age: seconds since the last change after which it is a leftover.

    Returns:
        How many were removed.
    """
    removed = 0
    now = time.time()
    with contextlib.suppress(OSError):
        stamp = root / _STAMP
        if not root.is_dir() or (stamp.exists() and not _is_old(stamp, now, age)):
            return 0
        with _locked(root, fcntl.LOCK_EX | fcntl.LOCK_NB):
            stamp.touch()
            for place in places:
                for path in root.glob(place):
                    if _SCRATCH.fullmatch(path.name) and _is_old(path, now, age):
                        removed += 1
                        if path.is_dir() and not path.is_symlink():
                            remove_tree(path)
                        else:
                            path.unlink(missing_ok=True)
    return removed


def _is_old(path: Path, now: float, age: float) -> bool:
    """Whether it was changed long ago, or in a future that a wrong clock has seen."""
    return not now - age <= path.lstat().st_mtime <= now + age
