"""A layer back into the units that it was made of, as if they had been made here.

A joined layer keeps every file of its units in order, and lacks only what it would have held
twice. A unit is written again from its files: what was compressed for it by us is compressed
again, what a wheel held deflated is copied once more. Its digest tells whether it is the same.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import deflate

from eggcrate.build import gzip_members, units
from eggcrate.build.archive import UnitFile
from eggcrate.build.gzip_members import COPY_FROM, Payload
from eggcrate.errors import EggcrateError, IntegrityError
from eggcrate.packages.entries import Entry, EntryKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from eggcrate.build.archive import UnitWriter
    from eggcrate.build.units import UnitRecord
    from eggcrate.build.values import Layer, Unit

_CHUNK = 1 << 20
_KINDS = {tarfile.SYMTYPE: EntryKind.SYMLINK, tarfile.LNKTYPE: EntryKind.HARDLINK}


def split_layer(layer: Layer, *, cache: Path) -> list[UnitRecord]:
    """Bring the units of a layer, whose blob is in the cache, into the cache.

    Raises:
        IntegrityError: they are not in it as its annotations say.
    """
    path = units.blob_path(cache, layer.digest)
    try:
        if len(layer.units) == 1:
            return [_alone(layer.units[0], layer, path, cache)]
        return _apart(layer, path, cache)
    except (tarfile.TarError, zlib.error, EOFError, ValueError) as error:
        raise _other(layer, str(error)) from error


def _other(layer: Layer, why: str) -> IntegrityError:
    return IntegrityError(
        f"layer {layer.digest} does not hold what its annotations say",
        why=why,
        hint="its packages are made from their wheels instead",
    )


def _alone(unit: Unit, layer: Layer, path: Path, cache: Path) -> UnitRecord:
    """A layer of one unit is the unit's blob."""
    if (unit.digest, unit.size) != (layer.digest, layer.size):
        raise _other(layer, f"{unit.name} should be {unit.digest}")
    files = []
    with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            if member.isdir():
                continue
            crc = 0
            content = archive.extractfile(member) if member.isreg() else None
            while content and (piece := content.read(_CHUNK)):
                crc = deflate.crc32(piece, crc)
            files.append(_file(member, crc if content else deflate.crc32(b"")))
        end = stream.seek(0, io.SEEK_END)
    if len(files) != unit.files:
        raise _other(layer, f"{unit.name} has {len(files)} files, it should have {unit.files}")
    whole = replace(unit, diff_id=layer.diff_id, tar_size=end)
    return units.remember(cache, whole, files, published=True)


def _file(member: tarfile.TarInfo, crc32: int) -> UnitFile:
    size = member.size if member.isreg() else 0
    return UnitFile(
        path=member.name, mode=member.mode, size=size, crc32=crc32, link=member.linkname
    )


def _apart(layer: Layer, path: Path, cache: Path) -> list[UnitRecord]:
    members: dict[int, tuple[bytes, bytes]] = {}
    position = 0
    for compressed, inflated in gzip_members.split(path.read_bytes()):
        members[position] = (compressed, inflated)
        position += len(inflated)
    content = b"".join(inflated for _, inflated in members.values())
    found = []
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        entries = (member for member in archive if not member.isdir())
        for unit in layer.units:

            def write(writer: UnitWriter, unit: Unit = unit) -> None:
                for _ in range(unit.files):
                    member = next(entries, None)
                    if member is None:
                        raise _other(layer, "it holds fewer files")
                    _copy(member, content, members, writer)

            try:
                found.append(_made(unit, write, cache))
            except EggcrateError as error:
                raise _other(layer, str(error)) from error
    return found


def _made(unit: Unit, write: Callable[[UnitWriter], None], cache: Path) -> UnitRecord:
    return units.make(
        cache,
        kind=unit.kind,
        name=unit.name,
        version=unit.version,
        source=unit.source,
        key=unit.key,
        write=write,
        claims=lambda _: unit.claims,
        digest=unit.digest,
        published=True,
    )


def _copy(
    member: tarfile.TarInfo,
    content: bytes,
    members: Mapping[int, tuple[bytes, bytes]],
    writer: UnitWriter,
) -> None:
    start, size = member.offset_data, member.size
    if not member.isreg():
        kind = _KINDS[member.type]
        writer.add(Entry(path=member.name, kind=kind, mode=member.mode, link=member.linkname))
        return
    file = content[start : start + size]
    compressed, inflated = members.get(start, (b"", b""))
    if size >= COPY_FROM and len(inflated) == size:
        raw = gzip_members.raw(compressed)
        payload = Payload(
            source=io.BytesIO(raw),
            offset=0,
            compressed_size=len(raw),
            size=size,
            crc32=deflate.crc32(file),
            deflated=True,
            name=member.name,
        )
        writer.add_payload(member.name, member.mode, payload)
    else:
        writer.add(Entry(path=member.name, mode=member.mode, content=file))
