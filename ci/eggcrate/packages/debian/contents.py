"""From Debian packages to the entries of a layer, without maintainer scripts."""

from __future__ import annotations

import dataclasses
import posixpath
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from eggcrate.errors import IntegrityError
from eggcrate.packages.debian import made
from eggcrate.packages.debian.deb import Deb, read_deb
from eggcrate.packages.debian.paths import ALIASES, is_kept, merged, relative_link
from eggcrate.packages.entries import Entry, EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from eggcrate.packages.debian.values import FetchedDeb

CONTENTS_VERSION = 2
"""Part of the identity of what is made here: raise it when the same packages give other bytes."""

_STATUS = "var/lib/dpkg/status.d"
_THREADS = 2
_STICKY = frozenset({"tmp", "var/tmp"})


def base_entries(debs: Sequence[FetchedDeb], *, foundation: bool = True) -> list[Entry]:
    """Unpack packages into the entries of a layer: by path, parents first, always the same.

    Documentation is left out and licences stay, as do the records that vulnerability scanners
    read. Nothing is set-user-id, and nothing but the two ``tmp`` folders is world-writable.

    Args:
        debs: the packages.
        foundation: make what a base needs beside its packages (users, certificates, ``/tmp``);
            not for packages that come on top of a base.

    Raises:
        IntegrityError: a package holds what no honest one does, or two write one path
            differently.
        BaseError: a package is compressed with something we cannot read.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        return assemble(pool.map(read_deb, debs), foundation=foundation)


def assemble(debs: Iterable[Deb], *, foundation: bool = True) -> list[Entry]:
    """Put the files of unpacked packages together; see :func:`base_entries`."""
    tree = _Tree()
    for deb in debs:
        kept = {entry.path: entry for entry in _placed(deb)}
        for entry in kept.values():
            tree.add(entry, deb.name)
        for entry in _records(deb, kept):
            tree.add(entry, deb.name)
    if foundation:
        for entry in list(made.foundation(tree.files)):
            tree.add(entry, "eggcrate")
    for entry in list(made.alternatives(tree.files)):
        tree.add(entry, "eggcrate")
    return tree.entries()


class _Tree:
    """Files by path, and folders apart from them, since many packages share one."""

    def __init__(self) -> None:
        self.files: dict[str, Entry] = {}
        self._folders: dict[str, tuple[int, int]] = {}
        """Mode and owner."""
        self._writers: dict[str, str] = {}

    def add(self, entry: Entry, writer: str) -> None:
        if entry.kind is EntryKind.DIRECTORY:
            if entry.path in self.files:
                raise self._conflict(entry.path, writer)
            if entry.path not in self._folders or writer == "eggcrate":
                self._folders[entry.path] = entry.mode, entry.owner
            self._writers.setdefault(entry.path, writer)
            return
        if entry.path in self._folders or self.files.get(entry.path, entry) != entry:
            raise self._conflict(entry.path, writer)
        self.files[entry.path] = entry
        self._writers.setdefault(entry.path, writer)

    def entries(self) -> list[Entry]:
        for path in [*self.files, *self._folders]:
            for parent in _parents(path):
                if parent in self.files:
                    raise self._conflict(parent, self._writers[path])
                self._folders.setdefault(parent, (0o755, 0))
        folders = (
            Entry(path=path, kind=EntryKind.DIRECTORY, mode=mode, owner=owner)
            for path, (mode, owner) in self._folders.items()
        )
        everything = [*folders, *self.files.values()]
        return sorted(everything, key=lambda entry: entry.path.split("/"))

    def _conflict(self, path: str, writer: str) -> IntegrityError:
        return IntegrityError(
            f"/{path} is written differently by two Debian packages",
            why=f"{self._writers[path]} and {writer}",
            hint="leave one of them out of the base",
        )


def _parents(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _placed(deb: Deb) -> Iterator[Entry]:
    """A package's useful files where they belong, hard links after the file they name."""
    packed = {entry.path: entry for entry in deb.entries}
    heads: dict[str, Entry] = {}
    for entry in sorted(deb.entries, key=lambda entry: entry.path.split("/")):
        if entry.path in ALIASES:
            _check_alias(entry)
            continue
        path = merged(entry.path)
        if entry.kind is EntryKind.DIRECTORY:
            if is_kept(f"{path}/x") and not path.startswith("usr/share/doc/"):
                yield dataclasses.replace(entry, path=path, mode=_folder_mode(path, entry.mode))
        elif not is_kept(path):
            continue
        elif entry.kind is EntryKind.SYMLINK:
            yield dataclasses.replace(entry, path=path, link=relative_link(entry.path, entry.link))
        else:
            first = _first_name(entry, packed, deb.name)
            if head := heads.get(first.path):
                yield Entry(path=path, kind=EntryKind.HARDLINK, mode=head.mode, link=head.path)
                continue
            heads[first.path] = Entry(path=path, mode=_file_mode(first.mode), content=first.content)
            yield heads[first.path]


def _first_name(entry: Entry, packed: dict[str, Entry], name: str) -> Entry:
    """The file that holds the bytes of a file or a hard link."""
    target = entry
    if entry.kind is EntryKind.HARDLINK:
        target = packed.get(entry.link, entry)
    if target.kind is not EntryKind.FILE:
        raise IntegrityError(
            f"the hard link {entry.path} in the Debian package {name} names no file of it",
            why=f"it names {entry.link!r}",
        )
    return target


def _check_alias(entry: Entry) -> None:
    is_link = entry.kind is EntryKind.SYMLINK and entry.link.strip("/") == f"usr/{entry.path}"
    if not is_link and entry.kind is not EntryKind.DIRECTORY:
        raise IntegrityError(f"a Debian package puts something of its own at /{entry.path}")


def _folder_mode(path: str, mode: int) -> int:
    return 0o1777 if path in _STICKY else mode & 0o755


def _file_mode(mode: int) -> int:
    return mode & 0o755


def _records(deb: Deb, kept: dict[str, Entry]) -> Iterator[Entry]:
    """What vulnerability scanners read of packages in images without dpkg."""
    yield Entry(path=f"{_STATUS}/{deb.name}", content=deb.control.encode())
    lines = []
    for line in deb.md5sums.splitlines():
        digest, _, path = line.partition("  ")
        if merged(path) in kept:
            lines.append(f"{digest}  {merged(path)}\n")
    yield Entry(path=f"{_STATUS}/{deb.name}.md5sums", content="".join(lines).encode())
