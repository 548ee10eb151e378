"""A zip on a server, of which only the parts that are read are fetched."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
from typing import TYPE_CHECKING, Any, TypeVar

from eggcrate.errors import PackageIndexError

if TYPE_CHECKING:
    from collections.abc import Callable

    from unearth.link import Link

    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.indexes import Indexes

T = TypeVar("T")
_PART = 1 << 16
_LONGEST = 64 << 20
"""A part longer than this is not fetched: then the whole file is as good."""
_PARTIAL_CONTENT = 206


def read_remotely(
    link: Link, distribution: Distribution, indexes: Indexes, read: Callable[[zipfile.ZipFile], T]
) -> T | None:
    """Read something from a zip on an index; most is in its last kilobytes.

    Args:
        link: where it is.
        distribution: what it is, for messages.
        indexes: gives the client and the patience.
        read: is given the open zip.

    Returns:
        What ``read`` gives; nothing when the server does not give parts of files, or they are
        not those of a zip.

    Raises:
        PackageIndexError: the server does not answer.
    """
    if link.is_file:
        return None

    def part(wanted: str) -> tuple[int, int, bytes]:
        return _part(link.url_without_fragment, wanted, distribution, indexes)

    try:
        with zipfile.ZipFile(_RemoteFile(part)) as archive:
            return read(archive)
    except (_NoPartsError, zipfile.BadZipFile, ValueError, KeyError, NotImplementedError):
        return None


def _part(
    url: str, wanted: str, distribution: Distribution, indexes: Indexes
) -> tuple[int, int, bytes]:
    """A part of a file: where it begins, how long the whole is, and its bytes."""
    from eggcrate.packages.web import (  # noqa: PLC0415 - slow, and rarely needed
        check_status,
        retrying,
        transient_network,
    )

    def attempt() -> tuple[int, int, bytes]:
        headers = {"Accept-Encoding": "identity", "Range": wanted}
        with transient_network(url), indexes.client.get_stream(url, headers=headers) as response:
            told = response.headers.get("Content-Range", "")
            if response.status_code == _PARTIAL_CONTENT:
                if match := re.match(r"bytes (\d+)-\d+/(\d+)", told):
                    return int(match[1]), int(match[2]), response.read()
                raise _NoPartsError
            with contextlib.suppress(PackageIndexError):
                check_status(response, url, distribution.filename)
            raise _NoPartsError

    return retrying(attempt, what=distribution.filename, url=url, retries=indexes.retries)


class _NoPartsError(Exception):
    """The server does not give just the part that was asked for."""


class _RemoteFile(io.RawIOBase):
    """A file of which the end is known, and anything before it is fetched when it is read."""

    def __init__(self, part: Callable[[str], tuple[int, int, bytes]]) -> None:
        super().__init__()
        self._fetch = part
        self._start, self._size, self._content = part(f"bytes=-{_PART}")
        self._position = 0
        if self._start + len(self._content) != self._size:
            raise _NoPartsError

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("before the file begins")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:  # the stdlib's own Buffer is newer than Python 3.11
        if len(buffer):
            self._have(self._position, len(buffer))
        begin = self._position - self._start
        part = self._content[begin : begin + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def _have(self, position: int, length: int) -> None:
        """Hold the bytes from ``position`` on; what is held is one piece of the file."""
        end = self._start + len(self._content)
        wanted = min(max(length, _PART), self._size - position)
        if self._start <= position and position + min(length, wanted) <= end:
            return
        meets = position < self._start <= position + wanted
        stop = self._start if meets else position + wanted
        if stop - position > _LONGEST:
            raise _NoPartsError
        start, _, content = self._fetch(f"bytes={position}-{stop - 1}")
        if (start, len(content)) != (position, stop - position):
            raise _NoPartsError
        self._start, self._content = start, content + (self._content if meets else b"")
