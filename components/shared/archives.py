"""Artifacts as single files: a JSON description and what it describes, in one zip.

One file, because a pipeline backend moves an artifact by its own address alone (a description
beside it would stay behind), and because a file is replaced in one step where a folder is not.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from components.shared.errors import ComponentError

_DATE = (1980, 1, 1, 0, 0, 0)
_LEVEL = 1  # tables of numbers: nine tenths of what level 6 saves, at a third of its time


def write_atomically(path: str, write: Callable[[IO[bytes]], None]) -> None:
    """Have a file written beside ``path`` and moved there when it is complete.

    Folders on the way are made. When ``write`` raises, nothing is left at ``path`` that was
    not there before.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            write(stream)
        temporary.chmod(0o644)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: str, value: object) -> None:
    """Write a JSON document with sorted keys, atomically."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
    write_atomically(path, lambda stream: _ignore(stream.write(text.encode())))


def write_archive(
    path: str, *, document: str, description: dict[str, Any], member: str, content: bytes
) -> None:
    """Write ``description`` as ``document`` and ``content`` as ``member`` into one zip.

    The same arguments make the same bytes: no clock, no user, no order of a folder is in it.
    """
    archive_of(
        path,
        document=document,
        description=description,
        member=member,
        content=lambda stream: _ignore(stream.write(content)),
    )


def archive_of(
    path: str,
    *,
    document: str,
    description: dict[str, Any],
    member: str,
    content: Callable[[IO[bytes]], None],
) -> None:
    """As :func:`write_archive`, with a content that is written bit by bit."""
    text = json.dumps(description, indent=2, sort_keys=True, allow_nan=False) + "\n"

    def write(stream: IO[bytes]) -> None:
        with zipfile.ZipFile(
            stream, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=_LEVEL
        ) as archive:
            archive.writestr(_member(document), text.encode())
            with archive.open(_member(member), "w", force_zip64=True) as inside:
                content(inside)

    write_atomically(path, write)


def read_archive(
    path: str, *, document: str, kind: str, error: type[ComponentError]
) -> tuple[dict[str, Any], Callable[[str], bytes]]:
    """Read the description of an archive, and give what reads its members.

    Raises:
        ComponentError: as ``error``, when there is no such file or it is no such archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            description = json.loads(archive.read(document))
    except FileNotFoundError:
        raise error(f"{kind} {path}: there is no such file") from None
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as cause:
        raise error(f"{kind} {path} cannot be read: {cause}") from cause
    if not isinstance(description, dict):
        raise error(f"{kind} {path}: its {document} is not an object")

    def read(member: str) -> bytes:
        try:
            with zipfile.ZipFile(path) as archive:
                return archive.read(member)
        except (OSError, zipfile.BadZipFile, KeyError) as cause:
            raise error(f"{kind} {path} is damaged: {cause}") from cause

    return description, read


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def _ignore(_value: object) -> None:
    """Drop a result, where only the effect is wanted."""
