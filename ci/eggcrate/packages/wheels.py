"""Wheels as they lie on disk: what is in the zip, and what the metadata says.

Nothing is unpacked here. Formats: https://packaging.python.org/specifications/binary-distribution-format
and https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.
"""

from __future__ import annotations

import posixpath
import stat
import struct
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import IO, TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from eggcrate.errors import IntegrityError, UnsupportedPackageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path

_ENCRYPTED = 0x1
LARGEST_TEXT = 16 << 20
"""Bytes of metadata that are read into memory: a few kilobytes can hold gigabytes."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_NEWEST_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class WheelMember:
    """One file in a wheel's zip."""

    name: str
    """As the zip and ``RECORD`` spell it."""
    path: str
    """The same, normalised: ``a/b``, never ``./a//b``."""
    executable: bool
    offset: int
    """Where its bytes begin in the wheel."""
    compressed_size: int
    size: int
    """Bytes, inflated, as the zip says; not checked yet."""
    crc32: int
    deflated: bool
    """Whether it is a raw deflate stream; else it is stored as it is."""


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """An open wheel whose directory was read and found sound."""

    filename: str
    file: IO[bytes]
    name: str
    """Normalised project name."""
    version: str
    dist_info: str
    """``<name>-<version>.dist-info``, as the zip spells it."""
    members: dict[str, WheelMember]
    """By normalised path."""
    texts: dict[str, str]
    """``RECORD`` and ``entry_points.txt`` (empty when there is none)."""


@contextmanager
def open_wheel(path: Path, *, name: str, version: str) -> Iterator[Wheel]:
    """Open a wheel and read what an installer must know.

    Args:
        path: the wheel.
        name: the project it should hold, as the lock says.
        version: the version it should hold.

    Raises:
        IntegrityError: it is damaged, or holds another project or version.
        UnsupportedPackageError: it breaks a rule of the wheel format or uses a part of zip
            that wheels do not use.
    """
    with path.open("rb") as file:
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise IntegrityError(
                f"{path.name} is not a wheel",
                why=f"it cannot be read as a zip archive: {error}",
                hint="lock the environment again, or choose another version",
            ) from error
        with archive:
            members = _members(path.name, archive, file)
            dist_info = _dist_info(path.name, members, name)
            texts = {
                item: _text(path.name, archive, members, f"{dist_info}/{item}", required=needed)
                for item, needed in (
                    ("WHEEL", True),
                    ("METADATA", True),
                    ("RECORD", True),
                    ("entry_points.txt", False),
                )
            }
        _check_format(path.name, HeaderParser().parsestr(texts["WHEEL"]))
        _check_identity(path.name, HeaderParser().parsestr(texts["METADATA"]), name, version)
        yield Wheel(
            filename=path.name,
            file=file,
            name=canonicalize_name(name),
            version=version,
            dist_info=dist_info,
            members=members,
            texts=texts,
        )


def _members(filename: str, archive: zipfile.ZipFile, file: IO[bytes]) -> dict[str, WheelMember]:
    found: dict[str, WheelMember] = {}
    for info in archive.infolist():
        path = _checked_path(filename, info)
        if info.filename.endswith("/"):
            continue
        member = _member(filename, info, path, file)
        other = found.get(path)
        if other and (other.crc32, other.size) != (member.crc32, member.size):
            raise _unsupported(filename, f"{path} stands in it twice, with different content")
        found[path] = member
    end = file.seek(0, 2)
    if sum(member.compressed_size for member in found.values()) > end:
        raise _unsupported(filename, "its files overlap in the zip archive")
    return found


def _member(filename: str, info: zipfile.ZipInfo, path: str, file: IO[bytes]) -> WheelMember:
    mode = info.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise _unsupported(filename, f"{path} is a link or a special file")
    if info.flag_bits & _ENCRYPTED:
        raise _unsupported(filename, f"{path} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _unsupported(
            filename, f"{path} is compressed in another way than deflate ({info.compress_type})"
        )
    head = b""
    if info.header_offset >= 0:  # of a zip that was cut it is before the file
        file.seek(info.header_offset)
        head = file.read(_LOCAL_HEADER.size)
    if len(head) < _LOCAL_HEADER.size or not head.startswith(b"PK\x03\x04"):
        raise IntegrityError(f"{filename} is damaged", why=f"{path} is not where the zip says")
    _, name_length, extra_length = _LOCAL_HEADER.unpack(head)
    return WheelMember(
        name=info.filename,
        path=path,
        # pip looks for a regular file's mode as well; a bare 0o755 does not count.
        executable=stat.S_ISREG(mode) and bool(mode & 0o111),
        offset=info.header_offset + _LOCAL_HEADER.size + name_length + extra_length,
        compressed_size=info.compress_size,
        size=info.file_size,
        crc32=info.CRC,
        deflated=info.compress_type == zipfile.ZIP_DEFLATED,
    )


def _checked_path(filename: str, info: zipfile.ZipInfo) -> str:
    # ZipInfo cuts a name at its first NUL; what the archive said is in orig_filename.
    name = info.orig_filename
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or not name:
        raise _unsupported(filename, f"{name!r} is not a path inside it")
    return posixpath.normpath(name)


def _dist_info(filename: str, members: dict[str, WheelMember], name: str) -> str:
    tops = {path.split("/", 1)[0] for path in members if "/" in path}
    found = sorted(top for top in tops if top.endswith(".dist-info"))
    if len(found) != 1:
        listed = ", ".join(found) or "none"
        raise _unsupported(filename, f"it should have one .dist-info folder and has: {listed}")
    project = found[0].removesuffix(".dist-info").rpartition("-")[0]
    if canonicalize_name(project) != canonicalize_name(name):
        raise _other(filename, f"its metadata is in {found[0]}", name)
    return found[0]


def _text(
    filename: str,
    archive: zipfile.ZipFile,
    members: dict[str, WheelMember],
    path: str,
    *,
    required: bool,
) -> str:
    member = members.get(path)
    if member is None:
        if required:
            raise _unsupported(filename, f"it has no {path}")
        return ""
    if archive.getinfo(member.name).file_size > LARGEST_TEXT:
        raise _unsupported(filename, f"{path} is larger than any such file")
    try:
        return archive.read(member.name).decode()
    except UnicodeDecodeError as error:
        raise _unsupported(filename, f"{path} is not UTF-8 text") from error
    except (zipfile.BadZipFile, zipfile.zlib.error, EOFError) as error:  # type: ignore[attr-defined] # zipfile's own zlib
        raise IntegrityError(f"{filename} is damaged", why=f"{path}: {error}") from error


def _check_format(filename: str, fields: Message) -> None:
    text = str(fields.get("Wheel-Version", "")).strip()
    major = text.partition(".")[0]
    if not major.isdigit():
        raise _unsupported(filename, f"WHEEL gives no Wheel-Version that can be read: {text!r}")
    if int(major) > _NEWEST_FORMAT:
        raise _unsupported(filename, f"it is in version {text} of the wheel format")


def _check_identity(filename: str, fields: Message, name: str, version: str) -> None:
    actual_name = str(fields.get("Name", "")).strip()
    actual_version = str(fields.get("Version", "")).strip()
    if canonicalize_name(actual_name) != canonicalize_name(name):
        raise _other(filename, f"METADATA says {actual_name or 'no name'}", name)
    if _version(actual_version) != _version(version):
        raise _other(
            filename, f"METADATA says version {actual_version or 'unknown'}", f"{name} {version}"
        )


def _version(text: str) -> Version | str:
    try:
        return Version(text)
    except InvalidVersion:
        return text


def _other(filename: str, why: str, expected: str) -> IntegrityError:
    return IntegrityError(
        f"{filename} does not hold {expected}",
        why=why,
        hint="the file was published like this, or the lock was edited by hand: lock again, "
        "or choose another version",
    )


def _unsupported(filename: str, why: str) -> UnsupportedPackageError:
    return UnsupportedPackageError(
        f"{filename} cannot be installed",
        why=why,
        hint="choose another version of the package, or tell its maintainers",
    )
