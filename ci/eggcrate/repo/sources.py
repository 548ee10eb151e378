"""A repository's files as one run sees them: each folder listed, each file read once."""

from __future__ import annotations

import enum
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import SourceError
from eggcrate.repo.imports import Scan, scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from eggcrate.repo.reach import Edges

_PASSING = re.compile(
    r"__pycache__|.*\.pyc|\.(pytest|mypy|ruff)_cache|\.hypothesis|\.ipynb_checkpoints|\.DS_Store"
)
_scans: dict[tuple[bytes, frozenset[str]], Scan] = {}


class Kind(enum.Enum):
    """What a dotted name leads to."""

    NOTHING = enum.auto()
    NAMESPACE = enum.auto()
    """A folder without ``__init__.py``."""
    PACKAGE = enum.auto()
    MODULE = enum.auto()
    """A file."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a dotted name leads, as Python would follow it from the repository's root."""

    kind: Kind = Kind.NOTHING
    files: tuple[str, ...] = ()
    """What is run on the way, the packages' ``__init__.py`` included."""
    folder: str = ""
    """Of the package or namespace."""
    regular: bool = False
    """Whether the way leads through a package or module, which no other place can add to."""


class Sources:
    """Files below a folder, by paths relative to it. What was seen is kept: one for each run.

    Args:
        root: the repository.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.edges: dict[tuple[str, str], Edges] = {}
        """What files lead to, by path and home; kept by :class:`eggcrate.repo.reach.Reach`."""
        self._listings: dict[str, Mapping[str, bool]] = {}
        self._contents: dict[str, bytes] = {}
        self._prints: dict[str, tuple[bool, str]] = {}
        self._scanned: dict[str, Scan] = {}
        self._followed: dict[str, Place] = {}
        self._tops: frozenset[str] | None = None

    def listing(self, folder: str) -> Mapping[str, bool]:
        """Names in a folder, and whether each is a folder; links are followed.

        By-products of tools are left out, and links that lead nowhere.
        """
        known = self._listings.get(folder)
        if known is None:
            try:
                with os.scandir(self.root / folder) as entries:
                    found = {
                        entry.name: entry.is_dir()
                        for entry in entries
                        if (entry.is_dir() or entry.is_file())
                        and not _PASSING.fullmatch(entry.name)
                    }
            except (FileNotFoundError, NotADirectoryError):
                found = {}
            except OSError as error:
                raise _unreadable(folder, error) from error
            known = self._listings[folder] = dict(sorted(found.items()))
        return known

    def folders(self, folder: str, *, above: tuple[str, ...] = ()) -> Iterator[str]:
        """A folder and every folder below it."""
        real = os.path.realpath(self.root / folder)
        if real in above:  # a link to a folder that it is in
            return
        yield folder
        for name, is_folder in self.listing(folder).items():
            if is_folder:
                yield from self.folders(join(folder, name), above=(*above, real))

    def walk(self, folder: str) -> Iterator[str]:
        """Every file below a folder."""
        for inner in self.folders(folder):
            yield from (
                join(inner, name)
                for name, is_folder in self.listing(inner).items()
                if not is_folder
            )

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            SourceError: it cannot be read.
        """
        content = self._contents.get(path)
        if content is None:
            try:
                content = self._contents[path] = (self.root / path).read_bytes()
            except OSError as error:
                raise _unreadable(path, error) from error
        return content

    def fingerprint(self, path: str) -> tuple[bool, str]:
        """Whether a file is executable, and the SHA-256 of its content.

        Raises:
            SourceError: it cannot be read.
        """
        known = self._prints.get(path)
        if known is None:
            try:
                with (self.root / path).open("rb") as file:
                    executable = bool(os.fstat(file.fileno()).st_mode & stat.S_IXUSR)
                    content = self._contents.get(path)
                    digest = (
                        hashlib.file_digest(file, "sha256")
                        if content is None
                        else hashlib.sha256(content)
                    )
            except OSError as error:
                raise _unreadable(path, error) from error
            known = self._prints[path] = (executable, digest.hexdigest())
        return known

    @property
    def tops(self) -> frozenset[str]:
        """Names that an import of the repository's own can begin with."""
        if self._tops is None:
            self._tops = frozenset(
                name if is_folder else name.partition(".")[0]
                for name, is_folder in self.listing("").items()
                if name.partition(".")[0].isidentifier()
                and (is_folder or name.endswith((".py", ".so")))
            )
        return self._tops

    def scan(self, path: str) -> Scan:
        """What a file imports; each content is parsed once in a process.

        Raises:
            SourceError: it is not Python that we can read; the message names the line.
        """
        known = self._scanned.get(path)
        if known is None:
            content = b"" if path.endswith(".so") else self.read(path)
            key = (hashlib.sha256(content).digest(), self.tops)
            known = _scans.get(key)
            if known is None:
                try:
                    known = _scans[key] = scan(content, self.tops)
                except SyntaxError as error:
                    raise _unparsed(path, error) from error
            self._scanned[path] = known
        return known

    def locate(self, folder: str, name: str) -> Place:
        """What a name in a package's folder is: a package before a module before a namespace."""
        names = self.listing(folder)
        path = join(folder, name)
        if names.get(name) and names_file(self.listing(path), "__init__.py"):
            init = f"{path}/__init__.py"
            return Place(kind=Kind.PACKAGE, files=(init,), folder=path, regular=True)
        files = tuple(
            join(folder, other)
            for other, is_folder in names.items()
            if not is_folder
            and other.startswith(f"{name}.")
            and (other == f"{name}.py" or other.endswith(".so"))
        )
        if files:
            return Place(kind=Kind.MODULE, files=files, regular=True)
        if names.get(name):
            return Place(kind=Kind.NAMESPACE, folder=path)
        return Place(kind=Kind.NOTHING)

    def follow(self, dotted: str) -> Place:
        """Where an absolute dotted name leads; the files on the way even when it leads nowhere."""
        known = self._followed.get(dotted)
        if known is None:
            known = self._followed[dotted] = self._follow(dotted)
        return known

    def _follow(self, dotted: str) -> Place:
        files: tuple[str, ...] = ()
        place = Place(kind=Kind.NAMESPACE)
        regular = False
        for name in dotted.split("."):
            if place.kind is Kind.MODULE:  # nothing is below a file
                return Place(kind=Kind.NOTHING, files=files, regular=True)
            place = self.locate(place.folder, name)
            files += place.files
            regular = regular or place.regular
            if place.kind is Kind.NOTHING:
                break
        return Place(kind=place.kind, files=files, folder=place.folder, regular=regular)


def join(folder: str, name: str) -> str:
    """A path below a folder, ``""`` being the root."""
    return f"{folder}/{name}" if folder else name


def names_file(listing: Mapping[str, bool], name: str) -> bool:
    """Whether a listing holds a file of that name."""
    return listing.get(name) is False


def relative(path: Path, root: Path) -> str:
    """A path relative to the repository, with ``/``."""
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return Path(os.path.realpath(path)).relative_to(os.path.realpath(root)).as_posix()


def _unreadable(path: str, error: OSError) -> SourceError:
    return SourceError(f"{path} cannot be read", why=error.strerror or str(error))


def _unparsed(path: str, error: SyntaxError) -> SourceError:
    import platform  # noqa: PLC0415 - for this message alone

    return SourceError(
        f"{path}:{error.lineno or 1}: this is not Python that can be read",
        why=error.msg,
        hint=f"mend it; if it is syntax newer than Python {platform.python_version()}, "
        "run Eggcrate with a newer Python",
    )
