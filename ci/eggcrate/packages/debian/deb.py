"""What is inside a ``.deb`` (deb(5)), read with suspicion and without running any of it."""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.errors import BaseError, IntegrityError
from eggcrate.packages.entries import Entry, EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eggcrate.packages.debian.values import FetchedDeb

_MAGIC = b"!<arch>\n"
_HEADER = 60
_UNPACKED_LIMIT = 2 << 30
_MEMBER_LIMIT = 200_000
_READ_MODES = {"": "r|", "gz": "r|gz", "xz": "r|xz"}


@dataclass(frozen=True, kw_only=True)
class Deb:
    """A package's description and files."""

    name: str
    control: str
    """Its control paragraph, as scanners read it."""
    md5sums: str
    """Lines of MD5 and path of each file."""
    entries: tuple[Entry, ...]
    """Its files as packed: modes and links untouched, paths checked."""


def read_deb(fetched: FetchedDeb) -> Deb:
    """Read a package from the cache, its hash checked once more.

    Raises:
        IntegrityError: the file has changed, or holds what no honest package does: paths that
            leave the root, device nodes, sizes that are not so.
        BaseError: it is compressed with something we cannot read.
    """
    content = fetched.file.read_bytes()
    if hashlib.sha256(content).hexdigest() != fetched.deb.sha256:
        raise IntegrityError(
            f"{fetched.file} is no longer {fetched.deb}", hint="run again to fetch it anew"
        )
    return parse_deb(content, name=fetched.deb.name)


def parse_deb(content: bytes, *, name: str) -> Deb:
    """Read the bytes of a package; ``name`` is for messages. For errors see :func:`read_deb`."""
    try:
        members = dict(_ar_members(content, name))
        if not members.get("debian-binary", b"").startswith(b"2."):
            raise _refused(name, "it is not a Debian package of format 2")
        control = {
            entry.path: entry.content for entry in _tar_entries(members, "control.tar", name)
        }
        return Deb(
            name=name,
            control=control["control"].decode("utf-8").strip() + "\n",
            md5sums=control.get("md5sums", b"").decode("utf-8"),
            entries=tuple(_tar_entries(members, "data.tar", name)),
        )
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise _refused(name, str(error)) from error
    except UnicodeError as error:
        raise _refused(name, "it holds text that is not UTF-8") from error
    except KeyError as error:
        raise _refused(name, f"it has no {error.args[0]}") from error


def _refused(name: str, why: str) -> IntegrityError:
    return IntegrityError(f"the Debian package {name} is not unpacked", why=why)


def _ar_members(content: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """The members of an ar archive; Debian uses neither long names nor a symbol table."""
    if not content.startswith(_MAGIC):
        raise _refused(name, "it is not an ar archive")
    seen: set[str] = set()
    position = len(_MAGIC)
    while position < len(content):
        header = content[position : position + _HEADER]
        digits = header[48:58].decode("ascii").strip()
        if len(header) < _HEADER or header[58:60] != b"`\n" or not digits.isdecimal():
            raise _refused(name, f"its ar header at byte {position} is damaged")
        member = header[:16].decode("ascii").rstrip().removesuffix("/")
        start, size = position + _HEADER, int(digits)
        if start + size > len(content) or member in seen:
            raise _refused(name, f"its member {member} is larger than the file, or there twice")
        seen.add(member)
        yield member, content[start : start + size]
        position = start + size + size % 2


def _tar_entries(members: dict[str, bytes], stem: str, name: str) -> Iterator[Entry]:
    member = next((key for key in members if key.split(".tar")[0] + ".tar" == stem), None)
    if member is None:
        raise _refused(name, f"it has no {stem}")
    compression = member.removeprefix(stem).lstrip(".")
    if compression not in _READ_MODES:
        raise BaseError(
            f"the Debian package {name} is compressed with {compression}, "
            "which Eggcrate does not read",
            why="Debian compresses with xz; packages of other distributions may differ",
        )
    total = 0
    with tarfile.open(
        fileobj=io.BytesIO(members[member]),
        mode=_READ_MODES[compression],  # type: ignore[call-overload]  # one of three literals
        encoding="utf-8",
        errors="strict",
    ) as tar:
        for count, info in enumerate(tar):
            total += info.size
            if total > _UNPACKED_LIMIT or count > _MEMBER_LIMIT:
                raise _refused(name, "it unpacks to more than any Debian package")
            if path := _safe_path(info.name, name):
                yield _entry(tar, info, path, name)


def _entry(tar: tarfile.TarFile, info: tarfile.TarInfo, path: str, name: str) -> Entry:
    mode = info.mode & 0o7777
    if info.isdir():
        return Entry(path=path, kind=EntryKind.DIRECTORY, mode=mode)
    if info.issym():
        return Entry(path=path, kind=EntryKind.SYMLINK, mode=0o777, link=info.linkname)
    if info.islnk():
        link = _safe_path(info.linkname, name)
        return Entry(path=path, kind=EntryKind.HARDLINK, mode=mode, link=link)
    if info.isreg():
        file = tar.extractfile(info)
        content = file.read() if file else b""
        if len(content) != info.size:
            raise _refused(name, f"{path} is cut short")
        return Entry(path=path, mode=mode, content=content)
    raise _refused(name, f"{path} is neither a file, a folder nor a link")


def _safe_path(raw: str, name: str) -> str:
    """A path relative to the root, without ``.`` parts; the root itself is empty."""
    parts = [part for part in raw.split("/") if part not in {"", "."}]
    if raw.startswith("/") or ".." in parts or "\0" in raw:
        raise _refused(name, f"its path {raw!r} leaves the root")
    return "/".join(parts)
