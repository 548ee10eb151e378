"""What runs that were killed left behind: scratch files and folders under names of no meaning.

Nothing ever reads them (:mod:`eggcrate.files`), but they take room. Those older than a day are
removed, at most once a day. Partial downloads are no leftovers: a later run goes on with them.
"""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING

from eggcrate.files import remove_tree

if TYPE_CHECKING:
    from pathlib import Path

CACHE = ("*/*", "blobs/sha256/*", "files/*/*/*", "selections/*/*", "units/*/*")
"""Where in the user's cache scratch is made; never inside of what was unpacked."""
CHECKOUT = ("*", "runs/*/*", "tasks/*")
STORE = ("*", "blobs/sha256/*")

_DAY = 24 * 3600.0
_STAMP = ".swept"
# Eight letters of tempfile's, or a process and four random bytes, after what was to be made.
_SCRATCH = re.compile(r"\..+\.[a-z0-9_]{8}|(?:stage\.|build-|project-)[a-z0-9_]{8}")


def sweep(root: Path, places: tuple[str, ...], *, age: float = _DAY) -> int:
    """Remove old leftovers below a folder of ours, unless that was done within ``age``.

    Args:
        root: the folder; it may be missing.
        places: patterns below it.
        age: seconds since the last change after which nobody can be at work on it.

    Returns:
        How many were removed.
    """
    removed = 0
    before = time.time() - age
    with contextlib.suppress(OSError):
        stamp = root / _STAMP
        if not root.is_dir() or (stamp.exists() and stamp.stat().st_mtime > before):
            return 0
        stamp.touch()
        for place in places:
            for path in root.glob(place):
                if _SCRATCH.fullmatch(path.name) and path.lstat().st_mtime < before:
                    removed += 1
                    if path.is_dir() and not path.is_symlink():
                        remove_tree(path)
                    else:
                        path.unlink(missing_ok=True)
    return removed
