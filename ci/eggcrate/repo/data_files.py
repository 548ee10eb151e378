"""Files that travel with a component beside its code: its ``data`` patterns."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from eggcrate.errors import ConfigError
from eggcrate.repo.sources import join

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eggcrate.repo.sources import Sources
    from eggcrate.repo.values import Component

_NOT_DATA = ("tests", "examples")


def data_files(
    sources: Sources, component: Component, *, own: str, modules: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The files beside modules that a component's patterns match, and patterns that match none.

    A pattern is matched in the component's folder and in the folder of every module that
    travels with it: ``*.sql``, ``queries/*.sql``, ``**/*.json``; one that matches a folder
    means all files in it. In the folders above the component, which hold others too, folders
    of a pattern must be spelt out. No component's tests and examples are data.

    Args:
        sources: the repository.
        component: whose patterns.
        own: its folder, relative to the repository.
        modules: what travels with it.

    Raises:
        ConfigError: a pattern leads out of the repository.
    """
    folders = sorted({own, *(path.rpartition("/")[0] for path in modules)})
    home = own.rpartition("/")[0]
    found: set[str] = set()
    unmatched: list[str] = []
    for pattern in component.data:
        parts = _parts(component, pattern)
        spelt = not any(_is_wild(part) for part in parts[:-1])
        matched = {
            path
            for folder in folders
            if spelt or not (folder == "" or f"{own}/".startswith(f"{folder}/")) or folder == own
            for path in _match(sources, folder, parts)
            if not _is_of_tests(path, home)
        }
        if not matched:
            unmatched.append(pattern)
        found |= matched
    return tuple(sorted(found.difference(modules))), tuple(unmatched)


def _parts(component: Component, pattern: str) -> tuple[str, ...]:
    path = PurePosixPath(pattern)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ConfigError(
            f"{component.path / 'pyproject.toml'}: data: {pattern!r} is not a pattern of files "
            "beside the code",
            hint='write a relative one, such as "*.sql" or "queries/*.sql"',
        )
    return path.parts


def _is_wild(part: str) -> bool:
    return any(sign in part for sign in "*?[")


def _match(sources: Sources, folder: str, parts: tuple[str, ...]) -> Iterator[str]:
    head, rest = parts[0], parts[1:]
    if head == "**":
        for inner in sources.folders(folder) if rest else ():
            yield from _match(sources, inner, rest)
        if not rest:
            yield from sources.walk(folder)
        return
    for name, is_folder in sources.listing(folder).items():
        if not fnmatchcase(name, head) or (name.startswith(".") and not head.startswith(".")):
            continue
        path = join(folder, name)
        if not is_folder:
            if not rest:
                yield path
        elif rest:
            yield from _match(sources, path, rest)
        else:
            yield from sources.walk(path)


def _is_of_tests(path: str, home: str) -> bool:
    """Whether a file is of the tests or examples of a component."""
    inside = path.removeprefix(f"{home}/") if home else path
    return inside != path and inside.split("/")[1:2] in ([name] for name in _NOT_DATA)
