"""How large locked files are: to download, and unpacked.

The directory of a wheel's zip tells both, see :mod:`eggcrate.packages.learned`.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.packages.learned import Subject, learn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.pip_config import PipConfig


@dataclass(frozen=True, kw_only=True)
class Size:
    """Of one file, in bytes."""

    download: int
    """Of the file itself."""
    unpacked: int
    """Of all that is in it: what it takes in an image, but for bytecode. Of an sdist it is what
    its source takes."""

    def __add__(self, other: Size) -> Size:
        return Size(
            download=self.download + other.download, unpacked=self.unpacked + other.unpacked
        )


NOTHING = Size(download=0, unpacked=0)


def sizes(
    distributions: Iterable[Distribution],
    *,
    cache: Path,
    config: Callable[[], PipConfig] | None = None,
) -> dict[Distribution, Size | None]:
    """The size of each file, as far as it is known or can be learned; never an error.

    Args:
        distributions: of one or more environments.
        cache: the user's.
        config: gives pip's configuration when an index must be asked; without it none is.

    Returns:
        ``None`` for one that is neither remembered nor in the cache, when no index can be
        asked or none can be reached.
    """
    return learn(_SIZES, distributions, cache=cache, config=config)


def _of_wheel(archive: zipfile.ZipFile) -> Size:
    file = archive.fp
    if file is None:
        raise ValueError("it is closed")
    return Size(
        download=file.seek(0, io.SEEK_END),
        unpacked=sum(member.file_size for member in archive.infolist()),
    )


def _of_sdist(_: Distribution, path: Path) -> Size:
    download = path.stat().st_size
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as zipped:
            return _of_wheel(zipped)
    with tarfile.open(path) as archive:
        return Size(
            download=download, unpacked=sum(member.size for member in archive if member.isfile())
        )


_SIZES = Subject(
    name="sizes",
    version=1,
    of_wheel=_of_wheel,
    of_sdist=_of_sdist,
    encode=lambda size: [size.download, size.unpacked],
    decode=lambda told: Size(download=int(told[0]), unpacked=int(told[1])),
)
