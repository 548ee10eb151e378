"""Tar entries into gzip members: the bytes of units and layers.

A unit's blob is a run of whole gzip members followed by one constant trailer; joining units
is dropping every trailer but the last, and every path that an earlier unit has already. All
digests are taken in the pass that writes.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import deflate

from eggcrate.build import gzip_members, tar
from eggcrate.build.gzip_members import COPY_FROM, MEMBER_SIZE, TRAILER, Payload
from eggcrate.errors import BuildError, IntegrityError
from eggcrate.packages.entries import Entry, EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written: the figures that a manifest needs."""

    digest: str
    """``sha256:...`` of the blob."""
    size: int
    """Bytes, compressed."""
    diff_id: str
    """``sha256:...`` of the inflated tar."""
    tar_size: int
    """Bytes, inflated."""


@dataclass(frozen=True, kw_only=True, order=True)
class UnitFile:
    """A file or link of a unit, with enough to tell whether another one is the same."""

    path: str
    """Relative to the image's root."""
    mode: int
    size: int
    crc32: int
    link: str = ""
    """Target of a symbolic or hard link."""


class UnitWriter:
    """Writes one unit. Parent directories are added where they are needed.

    Args:
        file: takes the blob.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._blob_hash = hashlib.sha256()
        self._tar_hash = hashlib.sha256()
        self._size = 0
        self._tar_size = 0
        self._pending = bytearray()
        self._kinds: dict[str, EntryKind] = {}
        self.files: list[UnitFile] = []
        """Every file and link written so far."""

    def add(self, entry: Entry) -> None:
        """Write an entry that is held in memory.

        Raises:
            BuildError: its path is taken, or leads through something that is no directory.
        """
        size = len(entry.content)
        self._claim(entry.path, entry.kind)
        self._tar(
            tar.header(
                entry.path,
                kind=entry.kind,
                mode=0o777 if entry.kind is EntryKind.SYMLINK else entry.mode,
                size=size,
                link=entry.link,
                owner=entry.owner,
            )
        )
        if entry.kind is not EntryKind.DIRECTORY:
            crc = deflate.crc32(entry.content)
            file = UnitFile(path=entry.path, mode=entry.mode, size=size, crc32=crc, link=entry.link)
            self.files.append(file)
        self._tar(entry.content)
        self._tar(tar.padding(size))

    def add_payload(self, path: str, mode: int, payload: Payload) -> None:
        """Write a file whose content stands in a zip archive.

        Raises:
            BuildError: as :meth:`add`.
            IntegrityError: the archive is damaged.
        """
        if payload.size < COPY_FROM:
            content = gzip_members.read(payload)
            self.add(Entry(path=path, mode=mode, content=content))
            return
        self._claim(path, EntryKind.FILE)
        self._tar(tar.header(path, mode=mode, size=payload.size))
        self.files.append(UnitFile(path=path, mode=mode, size=payload.size, crc32=payload.crc32))
        if payload.deflated:
            self._flush()
            gzip_members.copy(payload, compressed=self._out, inflated=self._inflated)
        else:
            for piece in gzip_members.chunks(payload):
                self._tar(piece)
        self._tar(tar.padding(payload.size))

    def finish(self) -> Written:
        """Write what is pending and the trailer."""
        self._flush()
        self._inflated(tar.END)
        self._out(TRAILER)
        return Written(
            digest=f"sha256:{self._blob_hash.hexdigest()}",
            size=self._size,
            diff_id=f"sha256:{self._tar_hash.hexdigest()}",
            tar_size=self._tar_size,
        )

    def _claim(self, path: str, kind: EntryKind) -> None:
        parent = path.rpartition("/")[0]
        if parent and parent not in self._kinds:
            self.add(Entry(path=parent, kind=EntryKind.DIRECTORY, mode=0o755))
        parts = path.split("/")
        if "" in parts or "." in parts or ".." in parts or "\0" in path:
            raise BuildError(f"{path!r} cannot be a path of an image")
        if path in self._kinds or (parent and self._kinds[parent] is not EntryKind.DIRECTORY):
            raise BuildError(
                f"{path} stands twice in one layer, or under something that is no folder"
            )
        self._kinds[path] = kind

    def _tar(self, data: bytes) -> None:
        self._pending += data
        if len(self._pending) >= MEMBER_SIZE:
            self._flush(keep=len(self._pending) % MEMBER_SIZE)

    def _flush(self, *, keep: int = 0) -> None:
        end = len(self._pending) - keep
        content = bytes(self._pending[:end])
        del self._pending[:end]
        for start in range(0, end, MEMBER_SIZE):
            piece = content[start : start + MEMBER_SIZE]
            self._inflated(piece)
            self._out(gzip_members.member(piece))

    def _inflated(self, data: bytes) -> None:
        self._tar_hash.update(data)
        self._tar_size += len(data)

    def _out(self, data: bytes) -> None:
        self._blob_hash.update(data)
        self._size += len(data)
        self._file.write(data)


def write_unit(entries: Iterable[Entry], file: IO[bytes]) -> tuple[Written, tuple[UnitFile, ...]]:
    """Write entries as a unit, sorted by path, hard links last.

    Raises:
        BuildError: a path stands twice, or under something that is no directory.
    """
    writer = UnitWriter(file)
    for entry in sorted(entries, key=_order):
        writer.add(entry)
    return writer.finish(), tuple(writer.files)


def _order(entry: Entry) -> tuple[bool, list[str]]:
    return entry.kind is EntryKind.HARDLINK, entry.path.split("/")


def join_units(blobs: Sequence[tuple[Path, str]], file: IO[bytes]) -> Written:
    """Write one layer that holds all units, in order, each path once.

    Docker refuses a layer in which a path stands twice, be it a directory. Of several entries
    the first stays: they are the same, or a layer above has the one that counts.

    Args:
        blobs: path and digest of each unit's blob.
        file: takes the layer.

    Raises:
        IntegrityError: a blob is not what its digest says.
    """
    blob_hash, tar_hash = hashlib.sha256(), hashlib.sha256()
    size = tar_size = 0
    seen: set[str] = set()

    def put(compressed: bytes, inflated: bytes) -> None:
        nonlocal size, tar_size
        blob_hash.update(compressed)
        tar_hash.update(inflated)
        size += len(compressed)
        tar_size += len(inflated)
        file.write(compressed)

    for path, digest in blobs:
        content = path.read_bytes()
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise damaged_blob(path, digest)
        if content[-len(TRAILER) :] != TRAILER:
            raise BuildError(f"{path} is not the blob of a unit")
        members = list(gzip_members.split(content[: -len(TRAILER)]))
        taken = _taken(b"".join(inflated for _, inflated in members), seen)
        start = 0
        for compressed, inflated in members:
            kept = _without(inflated, start, taken)
            start += len(inflated)
            if len(kept) == len(inflated):
                put(compressed, inflated)
            elif kept:
                put(gzip_members.member(kept), kept)
    put(TRAILER, tar.END)
    return Written(
        digest=f"sha256:{blob_hash.hexdigest()}",
        size=size,
        diff_id=f"sha256:{tar_hash.hexdigest()}",
        tar_size=tar_size,
    )


def _taken(content: bytes, seen: set[str]) -> list[tuple[int, int]]:
    """Where entries begin and end whose path was seen; the others are seen from now on."""
    spans = []
    with tarfile.open(fileobj=io.BytesIO(content + tar.END), mode="r:") as archive:
        for entry in archive:
            if entry.name in seen:
                end = entry.offset_data + (entry.size if entry.isreg() else 0)
                spans.append((entry.offset, end + len(tar.padding(end))))
            seen.add(entry.name)
    return spans


def _without(content: bytes, offset: int, spans: Sequence[tuple[int, int]]) -> bytes:
    """Content that stands at ``offset``, without what these spans cover."""
    kept, position = [], 0
    for start, end in spans:
        if start - offset < len(content) and end > offset:
            kept.append(content[position : max(start - offset, position)])
            position = max(end - offset, position)
    return b"".join((*kept, content[position:])) if kept else content


def damaged_blob(path: Path, digest: str) -> IntegrityError:
    """The error for a blob in the cache that does not have its digest."""
    return IntegrityError(
        f"{path} is damaged",
        why=f"its bytes are not those of {digest}",
        hint="run the same command again: it will be made anew",
    )
