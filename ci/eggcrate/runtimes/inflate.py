"""A layer blob as a stream of tar bytes, both of its digests taken on the way."""

from __future__ import annotations

import hashlib
import zlib
from typing import IO

from eggcrate.errors import StoreError
from eggcrate.registry import oci

_GZIP = 31
# Small enough that a layer of many short gzip members does not copy its rest again and again.
_CHUNK = 1 << 15
_READ = 1 << 20


class LayerStream:
    """Reads a layer's tar, whatever its compression: gzip of any number of members, or none.

    Args:
        blob: the open blob.
        media_type: its OCI or Docker media type.
        name: what errors call it.

    Raises:
        StoreError: the compression is one that is not read here.
    """

    def __init__(self, blob: IO[bytes], media_type: str, name: str) -> None:
        kind = oci.oci_media_type(media_type)
        if kind not in (oci.LAYER_GZIP, oci.LAYER_TAR):
            raise StoreError(
                f"layer {name} is of type {media_type or 'unknown'}",
                why="the sandbox unpacks gzip and plain tar layers only",
                hint="use the docker runtime, or a base with gzip layers",
            )
        self._blob = blob
        self._name = name
        self._gzip = kind == oci.LAYER_GZIP
        self._blob_hash = hashlib.sha256()
        self._tar_hash = hashlib.sha256()
        self._inflater = zlib.decompressobj(_GZIP)
        self._compressed = memoryview(b"")
        self._ready = b""
        self._position = 0
        self._told = 0
        self._started = False

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes of tar; fewer only at the end."""
        parts: list[bytes] = []
        while size > 0:
            if self._position == len(self._ready):
                self._ready = self._more()
                self._position = 0
                if not self._ready:
                    break
            part = self._ready[self._position : self._position + size]
            self._position += len(part)
            size -= len(part)
            parts.append(part)
            self._told += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def tell(self) -> int:
        """How many bytes of tar have been read."""
        return self._told

    def seek(self, position: int) -> int:
        """Skip forward: all that :mod:`tarfile` asks of a file that it reads in order."""
        while self._told < position and self.read(min(position - self._told, _READ)):
            pass
        return self._told

    def finish(self) -> tuple[str, str]:
        """Read to the end and tell both digests: the blob's, and the tar's (its DiffID)."""
        while self._more():
            pass
        return f"sha256:{self._blob_hash.hexdigest()}", f"sha256:{self._tar_hash.hexdigest()}"

    def _more(self) -> bytes:
        """The next bytes of tar, at least a megabyte where there is as much."""
        if not self._gzip:
            data = self._fill()
        else:
            parts: list[bytes] = []
            total = 0
            while total < _READ and (part := self._inflate()):
                parts.append(part)
                total += len(part)
            data = b"".join(parts)
        self._tar_hash.update(data)
        return data

    def _fill(self) -> bytes:
        data = self._blob.read(_READ)
        self._blob_hash.update(data)
        return data

    def _inflate(self) -> bytes:
        while True:
            if not self._compressed:
                self._compressed = memoryview(self._fill())
                if not self._compressed:
                    if not self._inflater.eof and self._started:
                        raise StoreError(f"layer {self._name} ends in the middle")
                    return b""
            chunk = self._compressed[:_CHUNK]
            if self._inflater.eof:
                self._inflater = zlib.decompressobj(_GZIP)
            try:
                data = self._inflater.decompress(chunk)
            except zlib.error as error:
                raise StoreError(f"layer {self._name} is damaged", why=str(error)) from error
            self._started = True
            self._compressed = self._compressed[len(chunk) - len(self._inflater.unused_data) :]
            if data:
                return data
