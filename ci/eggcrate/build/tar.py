"""Tar headers: POSIX ustar, with pax records where a name or a size needs them.

Written here rather than taken from :mod:`tarfile`, so that no version of Python can alter a
layer's digest. Format: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html.
"""

from __future__ import annotations

from eggcrate.packages.entries import EntryKind

BLOCK = 512
MTIME = 315532800
"""1980-01-01, the first date that a zip file can hold: code zips installed files again."""
END = bytes(2 * BLOCK)
"""What ends an archive."""

_TYPES = {
    EntryKind.FILE: b"0",
    EntryKind.HARDLINK: b"1",
    EntryKind.SYMLINK: b"2",
    EntryKind.DIRECTORY: b"5",
}
_NAME = 100
_PREFIX = 155
_LARGEST = 8**11 - 1
_PAX_NAME = b"././@PaxHeader"


def header(
    path: str,
    *,
    kind: EntryKind = EntryKind.FILE,
    mode: int = 0o644,
    size: int = 0,
    link: str = "",
    owner: int = 0,
) -> bytes:
    """The header blocks of one entry; pax blocks come before the ustar one.

    Args:
        path: relative to the archive's root, without a final ``/``.
        kind: what it is.
        mode: permission bits.
        size: bytes of content, for files.
        link: target of a link.
        owner: user whose it is; its group is 0.
    """
    name = _encode(path) + (b"/" if kind is EntryKind.DIRECTORY else b"")
    target = _encode(link)
    records = b""
    split = _split(name)
    if split is None:
        records += _record(b"path", name)
        split = (b"", _ascii(name)[:_NAME])
    if len(target) > _NAME or not target.isascii():
        records += _record(b"linkpath", target)
        target = _ascii(target)[:_NAME]
    field = size
    if size > _LARGEST:
        records += _record(b"size", b"%d" % size)
        field = 0
    blocks = _ustar(split, _TYPES[kind], mode=mode, size=field, link=target, owner=owner)
    if not records:
        return blocks
    pax = _ustar((b"", _PAX_NAME), b"x", mode=0o644, size=len(records), link=b"")
    return pax + records + padding(len(records)) + blocks


def padding(size: int) -> bytes:
    """What fills the last block of ``size`` bytes."""
    return bytes(-size % BLOCK)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _ascii(name: bytes) -> bytes:
    return bytes(byte if byte < 0x80 else 0x5F for byte in name)  # noqa: PLR2004 - ASCII's end


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """The ustar prefix and name fields; ``None`` when a name does not fit into them."""
    if not name.isascii():
        return None
    if len(name) <= _NAME:
        return b"", name
    cut = name.rfind(b"/", 0, min(_PREFIX, len(name) - 2) + 1)
    if cut <= 0 or len(name) - cut - 1 > _NAME:
        return None
    return name[:cut], name[cut + 1 :]


def _record(key: bytes, value: bytes) -> bytes:
    body = b" %s=%s\n" % (key, value)
    length = len(body)
    while length != len(body) + len(b"%d" % length):
        length = len(body) + len(b"%d" % length)
    return b"%d%s" % (length, body)


def _ustar(
    name: tuple[bytes, bytes], kind: bytes, *, mode: int, size: int, link: bytes, owner: int = 0
) -> bytes:
    prefix, rest = name
    before = b"%-100b%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        _nul(rest, _NAME),
        mode,
        owner,
        0,
        size,
        MTIME,
    )
    after = b"%b%b%b%b%b%b%b" % (
        kind,
        _nul(link, _NAME),
        b"ustar\x0000",
        bytes(64),
        b"0000000\x000000000\0",
        _nul(prefix, _PREFIX),
        bytes(12),
    )
    total = sum(before) + sum(after) + 8 * 0x20
    return b"%b%06o\0 %b" % (before, total, after)


def _nul(value: bytes, width: int) -> bytes:
    return value.ljust(width, b"\0")
