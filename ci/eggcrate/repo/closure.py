"""All files that a component is made of: what travels with it, and what its tests need.

Found by reading source, never by running it. A module that is imported under ``if
TYPE_CHECKING`` alone is not followed: it is not there at run time either.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from eggcrate.errors import SourceError
from eggcrate.repo.data_files import data_files
from eggcrate.repo.reach import Import, Reach
from eggcrate.repo.sources import Sources, join, relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from eggcrate.repo.values import Component

__all__ = ["Closure", "Import", "closure"]

_NOT_CODE = ("tests", "examples")
_COLLECTED = ("test_*.py", "*_test.py", "conftest.py", "__init__.py")


@dataclass(frozen=True, kw_only=True)
class Closure:
    """The files of a component, each path relative to the repository, sorted."""

    modules: tuple[str, ...]
    """Python files that travel with it: its own package, and every module of the repository
    that they import, however deep, with the ``__init__.py`` of the packages above them."""
    data: tuple[str, ...]
    """Files beside those modules that its ``data`` patterns match; they travel too."""
    tests: tuple[str, ...]
    """Files of its tests folder, the ``conftest.py`` files that apply, and modules of the
    repository that only tests import."""
    examples: tuple[str, ...]
    """Files of its examples folder."""
    foreign: tuple[Import, ...]
    """Imports of travelling modules that are neither the repository's nor in the standard
    library of every Python (see :func:`eggcrate.repo.stdlib.is_standard`)."""
    test_foreign: tuple[Import, ...]
    """The same of its tests."""
    missing: tuple[Import, ...] = ()
    """Imports of travelling modules, not guarded, of what the repository should hold and does
    not: they cannot work anywhere. Without a name where the module itself is not there."""
    test_missing: tuple[Import, ...] = ()
    """The same of its tests."""
    unmatched: tuple[str, ...] = ()
    """Patterns of its ``data`` that match no file."""

    @property
    def files(self) -> tuple[str, ...]:
        """Every file, of whatever kind, sorted."""
        return tuple(sorted({*self.modules, *self.data, *self.tests, *self.examples}))

    def digest(self, root: Path, *, sources: Sources | None = None) -> str:
        """SHA-256 over path, executable bit and content of every file, and nothing else.

        Args:
            root: the repository.
            sources: when several are asked for, so that each file is read once.
        """
        sources = sources or Sources(root)
        whole = hashlib.sha256()
        for path in self.files:
            executable, content = sources.fingerprint(path)
            whole.update(os.fsencode(path))  # whatever its encoding
            whole.update(f"\0{'x' if executable else '-'}\0{content}\n".encode())
        return whole.hexdigest()


def closure(component: Component, root: Path, *, sources: Sources | None = None) -> Closure:
    """Find the files of a component.

    Args:
        component: whose.
        root: the repository.
        sources: when several are asked for, so that each file is read and parsed once. Make
            one for each run: it keeps what it saw.

    Raises:
        SourceError: a module cannot be read or parsed; the message names file and line.
        ConfigError: a ``data`` pattern leads out of the repository.
    """
    sources = sources or Sources(root)
    own = relative(component.path, root)
    home = own.partition("/")[0]
    tests = tuple(sources.walk(join(own, "tests")))
    conftests = tuple(_conftests(sources, own))
    travelling = Reach(sources=sources, home=home)
    travelling.add(_own_modules(sources, own))
    tested = Reach(sources=sources, home=home)
    tested.add([*_test_modules(sources, tests), *conftests])
    modules = tuple(sorted(travelling.files))
    data, unmatched = data_files(sources, component, own=own, modules=modules)
    return Closure(
        modules=modules,
        data=data,
        tests=tuple(sorted({*tests, *conftests, *(tested.files - travelling.files)})),
        examples=tuple(sources.walk(join(own, "examples"))),
        foreign=tuple(sorted(_deferred(travelling, join(own, "component.py")))),
        test_foreign=_beyond(tested.foreign, travelling.files),
        missing=tuple(sorted(travelling.missing)),
        test_missing=_beyond(tested.missing, travelling.files),
        unmatched=unmatched,
    )


def _own_modules(sources: Sources, own: str) -> list[str]:
    inner = [
        folder
        for name, is_folder in sources.listing(own).items()
        if is_folder and name not in _NOT_CODE and not name.startswith(".")
        for folder in sources.folders(join(own, name))
    ]
    return [
        join(folder, name)
        for folder in (own, *inner)
        for name, is_folder in sources.listing(folder).items()
        if not is_folder and name.endswith((".py", ".so")) and name != "conftest.py"
    ]


def _test_modules(sources: Sources, tests: Iterable[str]) -> Iterator[str]:
    """Python files of a tests folder; those that are there to be broken are not."""
    for path in tests:
        if not path.endswith(".py"):
            continue
        if not any(PurePosixPath(path).match(pattern) for pattern in _COLLECTED):
            try:
                sources.scan(path)
            except SourceError:
                continue
        yield path


def _deferred(reach: Reach, entry: str) -> Iterator[Import]:
    """Foreign imports, those marked that do not happen when the component is imported."""
    certain = reach.surely(entry) if entry in reach.files else reach.files
    for item in reach.foreign:
        yield item if item.path in certain else replace(item, deferred=True)


def _beyond(imports: Iterable[Import], files: set[str]) -> tuple[Import, ...]:
    return tuple(sorted(item for item in imports if item.path not in files))


def _conftests(sources: Sources, own: str) -> Iterator[str]:
    """Those above the tests folder that a cell sees."""
    parts = own.split("/")
    for depth in range(1, len(parts) + 1):
        folder = "/".join(parts[:depth])
        if sources.listing(folder).get("conftest.py") is False:
            yield f"{folder}/conftest.py"
