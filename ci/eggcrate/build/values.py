"""What layers and images are made of."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.Enum):
    """What is to be done, or was done, about an environment."""

    UP_TO_DATE = "up-to-date"
    BUILD = "build"
    """Is to be built."""
    BUILT = "built"
    BLOCKED = "blocked"
    """Cannot be built as it is: its lock or its packages must change first."""
    FAILED = "failed"


class UnitKind(enum.Enum):
    """What a unit holds."""

    VENV = "venv"
    """The virtual environment's own files: ``pyvenv.cfg``, interpreter links."""
    FILES = "files"
    """A wheel's files, as an installer lays them out."""
    BYTECODE = "bytecode"
    """The compiled ``.pyc`` of a wheel's files."""
    SYSTEM = "system"
    """A base's system packages."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """The smallest thing that layers are made of, and by itself a valid layer.

    Its blob is a sequence of whole gzip members: those of its tar entries (parent directories
    included), then one constant trailer member that holds the end-of-archive marker. Units
    are joined into one layer by dropping every trailer but the last.
    """

    kind: UnitKind
    name: str
    """Normalised project name, or the name of the base."""
    version: str
    source: str
    """What it was made from: SHA-256 of the wheel, or the key of a system lock."""
    key: str
    """SHA-256 over everything that its bytes depend on; names its record in the cache."""
    digest: str
    """``sha256:...`` of the blob."""
    size: int
    """Bytes, compressed."""
    diff_id: str
    """``sha256:...`` of the inflated tar (OCI image specification, layer DiffID)."""
    tar_size: int
    """Bytes, inflated."""
    files: int
    """How many files and links it holds; with none, it is no use in an image."""
    claims: tuple[str, ...] = ()
    """What it may have in common with others, see :mod:`eggcrate.build.claims`."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer blob: one or more units between a common prelude and the end marker."""

    digest: str
    """``sha256:...`` of the compressed blob."""
    size: int
    diff_id: str
    """``sha256:...`` of the inflated tar (OCI image specification, layer DiffID)."""
    units: tuple[Unit, ...]
    """Empty for a layer of a registry image."""
    media_type: str = "application/vnd.oci.image.layer.v1.tar+gzip"
