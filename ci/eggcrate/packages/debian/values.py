"""What is locked and fetched of Debian, as frozen values."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - dataclass fields are inspected at run time
from pathlib import Path  # noqa: TC003
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, kw_only=True, order=True)
class LockedDeb:
    """One Debian package, exactly."""

    name: str
    version: str
    architecture: str
    """``amd64``, ``arm64`` or ``all``."""
    path: str
    """Under the archive's root, such as ``pool/main/t/tzdata/tzdata_2025b-0_all.deb``."""
    sha256: str
    size: int
    """Bytes of the ``.deb``."""

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.architecture})"


@dataclass(frozen=True, kw_only=True)
class BaseLock:
    """``base.lock``: a base's packages, or those that something adds to a base."""

    base: str
    """Name of the base, or of the environment whose system packages these are."""
    suite: str
    """Codename of the Debian release, such as ``bookworm``; empty for a registry image."""
    python: str
    """Exact version of the base's CPython, such as ``3.11.2``."""
    glibc: tuple[int, int]
    extends: str = ""
    """Name of the base that these packages come on top of."""
    parent: str = ""
    """Key of that base's lock when this one was made."""
    roots: tuple[str, ...] = ()
    """The packages that were asked for; the rest are their dependencies."""
    exclude: tuple[str, ...] = ()
    releases: dict[str, datetime] = field(default_factory=dict)
    """Each suite with the date of the signed release file that was read."""
    packages: dict[str, tuple[LockedDeb, ...]] = field(default_factory=dict)
    """Platform, such as ``linux/amd64``, to its packages by name."""

    @property
    def key(self) -> str:
        """Identity of its packages on all platforms; dates and paths do not count."""
        parts = [f"{name}={lock_key(debs)}" for name, debs in sorted(self.packages.items())]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def is_pool_path(path: str) -> bool:
    """Whether a path is a plain one under an archive's root."""
    parts = path.split("/")
    return parts[0] == "pool" and path.endswith(".deb") and not {"", ".", ".."} & set(parts)


def lock_key(debs: Iterable[LockedDeb]) -> str:
    """SHA-256 over name, version, architecture and hash of each package, in any order."""
    rows = sorted([deb.name, deb.version, deb.architecture, deb.sha256] for deb in debs)
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class FetchedDeb:
    """A ``.deb`` on this machine, its hash checked."""

    deb: LockedDeb
    """What the file is: the pinned package or its successor."""
    file: Path
    replaces: LockedDeb | None = None
    """The pinned package that has left the mirror, when this is its successor."""


@dataclass(frozen=True, kw_only=True)
class FetchedDebs:
    """All packages that were asked for, in their order."""

    debs: tuple[FetchedDeb, ...]

    @property
    def successors(self) -> tuple[FetchedDeb, ...]:
        """Those that are not what the lock pins."""
        return tuple(deb for deb in self.debs if deb.replaces)

    @property
    def key(self) -> str:
        """Identity of what was really fetched: :func:`lock_key` of it."""
        return lock_key(deb.deb for deb in self.debs)

    @property
    def size(self) -> int:
        """Bytes, all files together."""
        return sum(deb.deb.size for deb in self.debs)
