"""A layer's tar into a folder, as whoever runs this, trusting nothing the tar says.

Files belong to the user who unpacks; set-user-ID bits and device nodes are left out; no entry
may lie outside the folder, or under a symbolic link of the same layer.
"""

# ruff: noqa: PTH101, PTH102, PTH108, PTH112, PTH211 - text paths: ten thousands of Path objects are slow

from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - dataclass fields are inspected at run time
from typing import TYPE_CHECKING, Any, cast

from eggcrate.errors import StoreError

if TYPE_CHECKING:
    from eggcrate.runtimes.inflate import LayerStream

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_CHUNK = 1 << 20


@dataclass(kw_only=True)
class Changes:
    """What a layer does beside bringing files."""

    whiteouts: list[str] = field(default_factory=list)
    """Paths of lower layers that it removes."""
    opaque: list[str] = field(default_factory=list)
    """Directories whose content in lower layers it removes."""
    implied: list[str] = field(default_factory=list)
    """Directories that stand in its paths, but not as entries of their own."""

    def to_json(self) -> dict[str, list[str]]:
        """The value as :meth:`from_json` reads it."""
        return {"whiteouts": self.whiteouts, "opaque": self.opaque, "implied": self.implied}

    @classmethod
    def from_json(cls, value: dict[str, list[str]]) -> Changes:
        """Read what :meth:`to_json` wrote."""
        return cls(**value)


def extract(stream: LayerStream, target: Path, layer: str) -> Changes:
    """Unpack the tar in ``stream`` into the empty folder ``target``.

    Raises:
        StoreError: it is not a tar, or an entry is refused; the message names it.
    """
    return _Extraction(target, layer).run(stream)


class _Extraction:
    def __init__(self, target: Path, layer: str) -> None:
        self._target = str(target)
        self._layer = layer
        self._made: dict[str, int | None] = {"": 0o755}
        """Each directory with its mode; ``None`` while no entry has told it."""

    def run(self, stream: LayerStream) -> Changes:
        changes = Changes()
        try:
            with tarfile.TarFile(fileobj=cast("Any", stream), errorlevel=2) as tar:
                for member in tar:
                    # The archive would otherwise remember every member it has read.
                    tar.members = []  # type: ignore[attr-defined] # missing in typeshed
                    self._member(stream, member, changes)
        except tarfile.TarError as error:
            raise StoreError(f"layer {self._layer} is not a tar archive", why=str(error)) from error
        for path, mode in sorted(self._made.items(), reverse=True):
            if mode is None:
                changes.implied.append(path)
            os.chmod(self._at(path), 0o755 if mode is None else mode)
        return changes

    def _member(self, stream: LayerStream, member: tarfile.TarInfo, changes: Changes) -> None:
        path = self._clean(member.name, member.name)
        parent, _, name = path.rpartition("/")
        if name.startswith(_WHITEOUT):
            if name == _OPAQUE:
                changes.opaque.append(parent)
            elif name != _WHITEOUT and not name.startswith(".wh..wh."):
                gone = name.removeprefix(_WHITEOUT)
                changes.whiteouts.append(f"{parent}/{gone}" if parent else gone)
            return
        if not path:
            return
        if parent not in self._made:
            self._make_parents(parent)
        place = self._at(path)
        if member.isdir():
            self._directory(path, place, member.mode)
        elif member.isreg():
            self._file(stream, member, path, place)
        elif member.issym():
            self._clear(path, place)
            os.symlink(member.linkname, place)
        elif member.islnk():
            self._hard_link(member, path, place)
        # What is left are devices and pipes, which a runtime provides itself or does without.

    def _clean(self, name: str, entry: str) -> str:
        """The path relative to the root, with neither ``.`` nor empty parts."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in name:
            raise self._refuse(entry, "its path leads out of the image")
        return "/".join(parts)

    def _refuse(self, entry: str, why: str) -> StoreError:
        return StoreError(
            f"layer {self._layer} is refused: entry {entry!r}",
            why=why,
            hint="it was not made by a well-behaved builder; use another base or image",
        )

    def _at(self, path: str) -> str:
        return f"{self._target}/{path}" if path else self._target

    def _make_parents(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent not in self._made:
            self._make_parents(parent)
        try:
            os.mkdir(self._at(path), 0o700)
        except FileExistsError:
            raise self._refuse(path, "it is a directory and something else at once") from None
        self._made[path] = None

    def _directory(self, path: str, place: str, mode: int) -> None:
        if path not in self._made:
            self._clear(path, place)
            os.mkdir(place, 0o700)
        self._made[path] = (mode & 0o1777) | 0o700

    def _file(self, stream: LayerStream, member: tarfile.TarInfo, path: str, place: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(place, flags, 0o600)
        except FileExistsError:
            self._clear(path, place)
            descriptor = os.open(place, flags, 0o600)
        try:
            if member.size:
                self._copy(stream, member, descriptor)
            os.fchmod(descriptor, member.mode & 0o777)
            os.utime(descriptor, (member.mtime, member.mtime))
        finally:
            os.close(descriptor)

    def _copy(self, stream: LayerStream, member: tarfile.TarInfo, descriptor: int) -> None:
        if member.issparse():
            raise self._refuse(member.name, "it is a sparse file in GNU tar's own format")
        stream.seek(member.offset_data)
        left = member.size
        while left:
            data = stream.read(min(left, _CHUNK))
            if not data:
                raise StoreError(f"layer {self._layer} ends in the middle of {member.name!r}")
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            left -= len(data)

    def _hard_link(self, member: tarfile.TarInfo, path: str, place: str) -> None:
        link = self._clean(member.linkname, member.name)
        if link == path:
            return
        source = self._at(link)
        # A parent that is a symbolic link is no directory we made: that refuses traversal.
        inside = link.rpartition("/")[0] in self._made
        if not inside or not os.path.lexists(source) or os.path.isdir(source):
            raise self._refuse(member.name, f"{link!r}, its target, is no file of this layer")
        self._clear(path, place)
        os.link(source, place, follow_symlinks=False)

    def _clear(self, path: str, place: str) -> None:
        """Make room for an entry that stands in the layer a second time."""
        if path in self._made:
            raise self._refuse(path, "it is a directory and something else at once")
        if os.path.lexists(place):
            os.unlink(place)
