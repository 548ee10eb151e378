"""One file, directory or link of a layer, whatever package it comes from."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class EntryKind(enum.Enum):
    """What a tar entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file, directory or link of a layer. Its group is always 0, its time always 1980-01-01."""

    path: str
    """Relative to the image's root, with ``/`` between parts and none at either end."""
    kind: EntryKind = EntryKind.FILE
    mode: int = 0o644
    link: str = ""
    """Target of a link; a hard link's is relative to the root, like ``path``."""
    content: bytes = b""
    owner: int = 0
    """User whose it is."""
