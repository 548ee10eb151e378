"""Gzip members: a gzip file may be any number of them, one after the other (RFC 1952).

Content of ours is compressed by libdeflate, whose exact version is part of every key; content
that a wheel holds deflated already is copied as it is, and inflated only to be checked.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import deflate

from eggcrate.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CODEC = f"libdeflate/{deflate.__version__}"
"""What makes the bytes of members; part of every unit's key."""
LEVEL = 6
MEMBER_SIZE = 1 << 20
"""Bytes of tar that go into one member of our own."""
COPY_FROM = 1 << 16
"""Bytes, inflated: from here on a file that is deflated already becomes a member as it is.
Smaller ones compress better in the company of their neighbours (docs/decisions/0004)."""

_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_LENGTHS = 8
_IN_MEMORY = 1 << 27
_CHUNK = 1 << 20

TRAILER = _HEADER + bytes.fromhex("631805a360148c580000") + struct.pack("<II", 0xEFB5AF2E, 1024)
"""Inflates to the 1,024 zeros that end a tar archive. A constant, so that it can be cut off."""


@dataclass(frozen=True, kw_only=True)
class Payload:
    """A file's content as a zip archive holds it."""

    source: IO[bytes]
    offset: int
    """Where its bytes begin in ``source``."""
    compressed_size: int
    size: int
    """Bytes, inflated, as the archive's directory says; checked."""
    crc32: int
    """Of the inflated bytes, as the archive's directory says; checked."""
    deflated: bool
    """Whether it is a raw deflate stream; else the bytes stand there as they are."""
    name: str
    """What errors call it."""


def member(content: bytes | memoryview) -> bytes:
    """Compress content of ours into one member."""
    trailer = struct.pack("<II", deflate.crc32(content), len(content))
    return b"".join((_HEADER, deflate.deflate_compress(content, LEVEL), trailer))


def raw(whole: bytes) -> bytes:
    """The deflate stream inside a member of ours."""
    return whole[len(_HEADER) : -_LENGTHS]


def split(blob: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each member of a gzip file, as it is and inflated."""
    start = 0
    while start < len(blob):
        inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        inflated = inflater.decompress(memoryview(blob)[start:])
        end = len(blob) - len(inflater.unused_data)
        yield blob[start:end], inflated
        start = end


def read(payload: Payload) -> bytes:
    """The inflated content of a payload, checked.

    Raises:
        IntegrityError: it is not what the archive's directory says.
    """
    raw = _read(payload, payload.offset, payload.compressed_size)
    if not payload.deflated:
        content = raw
    else:
        try:
            content = bytes(deflate.deflate_decompress(raw, payload.size))
        except deflate.DeflateError as error:
            raise _damaged(payload, "it does not inflate to the size it should have") from error
    if len(content) != payload.size or deflate.crc32(content) != payload.crc32:
        raise _damaged(payload, "its size or its CRC-32 is not the one it should have")
    return content


def chunks(payload: Payload) -> Iterator[bytes]:
    """The content of a stored payload, piece by piece, checked at the end."""
    crc = 0
    for start in range(0, payload.size, _CHUNK):
        piece = _read(payload, payload.offset + start, min(_CHUNK, payload.size - start))
        crc = deflate.crc32(piece, crc)
        yield piece
    if crc != payload.crc32 or payload.compressed_size != payload.size:
        raise _damaged(payload, "its size or its CRC-32 is not the one it should have")


def copy(
    payload: Payload, *, compressed: Callable[[bytes], None], inflated: Callable[[bytes], None]
) -> None:
    """Make a member of a deflated payload without compressing it again.

    Args:
        payload: what to copy.
        compressed: takes the member's bytes.
        inflated: takes the content's bytes.

    Raises:
        IntegrityError: it does not inflate to what the archive's directory says. What was
            passed on by then must not be used.
    """
    trailer = struct.pack("<II", payload.crc32, payload.size & 0xFFFFFFFF)
    if payload.size <= _IN_MEMORY:
        raw = _read(payload, payload.offset, payload.compressed_size)
        whole = b"%b%b%b" % (_HEADER, raw, trailer)
        # libdeflate checks the trailer where the stream ends, but not that nothing follows:
        # a stream that ends early passes only if the trailer's bytes stand there, too.
        if whole.find(trailer, len(_HEADER)) == len(_HEADER) + len(raw):
            compressed(whole)
            inflated(_inflate(payload, whole))
            return
    compressed(_HEADER)
    _copy_streaming(payload, compressed=compressed, inflated=inflated)
    compressed(trailer)


def _inflate(payload: Payload, whole: bytes) -> bytes:
    try:
        content = deflate.gzip_decompress(whole, payload.size)
    except deflate.DeflateError as error:
        raise _damaged(payload, "it does not inflate to the size and CRC-32 it should") from error
    if len(content) != payload.size:
        raise _damaged(payload, "it does not inflate to the size it should have")
    return content  # type: ignore[return-value] # a bytearray, which hashes as bytes do


def _copy_streaming(
    payload: Payload, *, compressed: Callable[[bytes], None], inflated: Callable[[bytes], None]
) -> None:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    crc = size = 0
    for start in range(0, payload.compressed_size, _CHUNK):
        length = min(_CHUNK, payload.compressed_size - start)
        rest = _read(payload, payload.offset + start, length)
        compressed(rest)
        while rest:
            try:
                content = inflater.decompress(rest, _CHUNK)
            except zlib.error as error:
                raise _damaged(payload, str(error)) from error
            size += len(content)
            if size > payload.size or inflater.unused_data:
                raise _damaged(payload, "it inflates to another size than it should have")
            crc = deflate.crc32(content, crc)
            inflated(content)
            rest = inflater.unconsumed_tail
    # A full last piece may leave content behind, with no input left to ask for it.
    content = inflater.flush()
    size += len(content)
    crc = deflate.crc32(content, crc)
    inflated(content)
    if not inflater.eof or size != payload.size or crc != payload.crc32:
        raise _damaged(payload, "its size or its CRC-32 is not the one it should have")


def _read(payload: Payload, offset: int, length: int) -> bytes:
    payload.source.seek(offset)
    data = payload.source.read(length)
    if len(data) != length:
        raise _damaged(payload, "the archive ends before it")
    return data


def _damaged(payload: Payload, why: str) -> IntegrityError:
    return IntegrityError(
        f"{payload.name} is damaged",
        why=why,
        hint="the file was published like this: choose another version, or tell its maintainers",
    )
