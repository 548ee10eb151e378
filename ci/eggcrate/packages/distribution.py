"""One file to install: the value that passes from locks to caches to layers."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    """What kind of file a distribution is."""

    WHEEL = "wheel"
    SDIST = "sdist"


@dataclass(frozen=True, kw_only=True, order=True)
class Distribution:
    """The one file chosen for a locked package on a target."""

    name: str
    """Normalised (PEP 503) project name."""
    version: str
    filename: str
    sha256: str
    """Of the file, in hexadecimal, from the lock."""
    url: str | None = None
    """Where the lock says the file is, for packages locked from a URL."""
    index: str | None = None
    """The simple index that the lock names for it; ``None``: those pip is configured with."""

    @property
    def kind(self) -> Kind:
        """Wheel or sdist, by its name."""
        return Kind.WHEEL if self.filename.endswith(".whl") else Kind.SDIST

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
