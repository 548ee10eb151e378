"""What files import, followed through the repository as far as it goes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from eggcrate.repo.imports import attributes
from eggcrate.repo.sources import Kind, Place
from eggcrate.repo.stdlib import always_standard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from eggcrate.repo.imports import Found
    from eggcrate.repo.sources import Sources

_BINDS_ANYTHING = re.compile(
    rb"__getattr__|import\s*\(?\s*\*|globals\(|locals\(|vars\(|setattr\(|exec\(|sys\.modules|"
    rb"__dict__|__path__"
)


@dataclass(frozen=True, kw_only=True, order=True)
class Import:
    """One import statement's one name, as far as it reaches outside its file."""

    path: str
    """File that imports, relative to the repository, with ``/``."""
    line: int
    module: str
    """Absolute dotted name: ``google.cloud`` for ``from google.cloud import bigquery``."""
    name: str = ""
    """What is taken from it by ``from``: ``bigquery``, or ``*``. It may be a module or not."""
    guarded: bool = False
    """Whether the program is prepared for it to fail or never does it: under ``if
    TYPE_CHECKING`` or a test of version, platform or presence, or in a ``try`` that catches
    ImportError."""
    deferred: bool = False
    """Whether it happens only sometimes: in a function, under a condition, or in a module that
    the component's own does not import in any case."""


@dataclass(kw_only=True)
class Edges:
    """What one file leads to."""

    files: set[str] = field(default_factory=set)
    """Files of the repository that it may import."""
    certain: set[str] = field(default_factory=set)
    """Those of them that it imports in any case."""
    foreign: set[Import] = field(default_factory=set)
    missing: set[Import] = field(default_factory=set)


@dataclass(kw_only=True)
class Reach:
    """All that some files of the repository import, however deep."""

    sources: Sources
    home: str
    """Top-level folder of the components: what is imported from it is the repository's."""
    files: set[str] = field(default_factory=set)

    def add(self, paths: Iterable[str]) -> None:
        """Take files, the packages that they are in, and all that they import.

        Raises:
            SourceError: one of them cannot be read or parsed.
        """
        todo = [file for path in paths for file in (path, *self.packages(path))]
        while todo:
            path = todo.pop()
            if path not in self.files:
                self.files.add(path)
                todo += self.edges(path).files

    @property
    def foreign(self) -> Iterator[Import]:
        """Imports that the repository does not serve."""
        return (item for path in self.files for item in self.edges(path).foreign)

    @property
    def missing(self) -> Iterator[Import]:
        """Imports that the repository should serve and does not."""
        return (item for path in self.files for item in self.edges(path).missing)

    def edges(self, path: str) -> Edges:
        """What a file of the repository leads to; found out once in a run."""
        known = self.sources.edges.get((path, self.home))
        if known is None:
            follower = _Follower(sources=self.sources, home=self.home, path=path)
            scanned = self.sources.scan(path)
            bound = {local: item for local, item in scanned.bound if follower.is_package(item)}
            more = attributes(self.sources.read(path), bound) if bound else ()
            for found in (*scanned.found, *more):
                follower.follow(found)
            known = self.sources.edges[path, self.home] = follower.edges
        return known

    def surely(self, path: str) -> set[str]:
        """The files that are run whenever a file is imported."""
        found: set[str] = set()
        todo = [path, *self.packages(path)]
        while todo:
            path = todo.pop()
            if path not in found:
                found.add(path)
                todo += self.edges(path).certain
        return found

    def packages(self, path: str) -> Iterator[str]:
        """The ``__init__.py`` of every package that a file is in."""
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if self.sources.listing(folder).get("__init__.py") is False:
                yield f"{folder}/__init__.py"


@dataclass(kw_only=True)
class _Follower:
    sources: Sources
    home: str
    path: str
    edges: Edges = field(default_factory=Edges)

    def follow(self, found: Found) -> None:
        """Take what an import leads to, or keep it as foreign or missing."""
        module = _absolute(self.path, found)
        imported = Import(
            path=self.path,
            line=found.line,
            module=module or "." * found.level + found.module,
            name=found.name,
            guarded=found.guarded,
            deferred=found.deferred,
        )
        place = self.sources.follow(module) if module else Place(regular=True)
        if not self.is_ours(place, module, found.name):
            if not found.loose and not always_standard(module):
                self.edges.foreign.add(imported)
        elif not found.typing:
            self.want(place.files, found)
            if not self.take(place, found):
                there = place.kind is not Kind.NOTHING
                self.edges.missing.add(imported if there else replace(imported, name=""))

    def is_package(self, found: Found) -> bool:
        """Whether what is imported may have modules in it."""
        place = self.sources.follow(_absolute(self.path, found)) if not found.typing else Place()
        for name in found.name.split(".") if found.name and place.folder else ():
            place = self.sources.locate(place.folder, name)
        return place.kind in {Kind.PACKAGE, Kind.NAMESPACE}

    def is_ours(self, place: Place, module: str, name: str) -> bool:
        """Whether the repository is meant, and not a package of the environment."""
        if place.regular or module.partition(".")[0] == self.home:
            return True
        if place.kind is not Kind.NAMESPACE or always_standard(module):
            return False
        # Any folder is a namespace: one that leads to no module means nothing.
        return bool(name) and self.sources.locate(place.folder, name.partition(".")[0]).regular

    def take(self, place: Place, found: Found) -> bool:
        """Follow what is taken from a place; whether it may be there."""
        if place.kind is Kind.NOTHING:
            return self.may_bind(place, "", found)
        if found.name == "*":
            self.star(place, found)
            return True
        for name in found.name.split(".") if found.name else ():
            inner = self.sources.locate(place.folder, name) if place.folder else None
            if inner is None or inner.kind is Kind.NOTHING:
                return self.may_bind(place, name, found)
            self.want(inner.files, found)
            place = inner
        return True

    def star(self, place: Place, found: Found) -> None:
        """Follow what ``import *`` takes from a package."""
        if place.kind is not Kind.PACKAGE:
            return
        exports = self.sources.scan(place.files[-1]).exports
        names = self.sources.listing(place.folder) if exports is None else exports
        for name in names:
            self.want(self.sources.locate(place.folder, name.partition(".")[0]).files, found)

    def want(self, files: Iterable[str], found: Found) -> None:
        """Take files that something leads to."""
        self.edges.files.update(files)
        if not (found.guarded or found.deferred or found.loose):
            self.edges.certain.update(files)

    def may_bind(self, place: Place, name: str, found: Found) -> bool:
        """Whether a module may bind a name, or give itself one by means we do not follow."""
        if found.guarded or found.loose:
            return True
        if not place.files:
            return False
        if not name.isascii() or name.startswith("__") or not place.files[-1].endswith(".py"):
            return True
        source = self.sources.read(place.files[-1])
        named = bool(name) and re.search(rb"\b%s\b" % name.encode(), source) is not None
        return named or _BINDS_ANYTHING.search(source) is not None


def _absolute(path: str, found: Found) -> str:
    """The absolute name of what is imported; empty when its dots lead out of the repository."""
    if not found.level:
        return found.module
    package = path.split("/")[:-1]
    if found.level > len(package):
        return ""
    kept = package[: len(package) + 1 - found.level]
    return ".".join([*kept, found.module] if found.module else kept)
