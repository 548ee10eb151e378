"""The whole repository as one value. What is broken is kept beside what is not."""

from __future__ import annotations

import difflib
import functools
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from eggcrate.errors import EggcrateError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from eggcrate.repo.values import Base, Component, Environment

T = TypeVar("T")
_MARK = "environments"
_BESIDE = ("bases", "components")
_NOT_COMPONENTS = ("shared",)


@dataclass(frozen=True, kw_only=True)
class Monorepo:
    """Everything that stands in a repository, each kind read when it is first asked for."""

    root: Path
    warn: Callable[[str], None] | None = field(default=None, compare=False, repr=False)
    """Told of each base that cannot be read."""

    @functools.cached_property
    def bases(self) -> dict[str, Base]:
        """By name."""
        return self._bases[0]

    @functools.cached_property
    def broken_bases(self) -> dict[str, EggcrateError]:
        """Those of :attr:`broken` that are bases."""
        return self._bases[1]

    @functools.cached_property
    def environments(self) -> dict[str, Environment]:
        """By name."""
        return self._environments[0]

    @functools.cached_property
    def components(self) -> dict[str, Component]:
        """By name."""
        return self._components[0]

    @functools.cached_property
    def broken(self) -> dict[str, EggcrateError]:
        """Folders that cannot be read (``environments/x``), each with its own error.

        One broken environment, base or component does not stop the others.
        """
        return {**self._bases[1], **self._environments[1], **self._components[1]}

    @functools.cached_property
    def environment_folders(self) -> dict[str, Path]:
        """Folders of all environments by name, readable or not."""
        return {path.name: path for path in _folders(self.root / "environments")}

    @functools.cached_property
    def on_request(self) -> tuple[str, ...]:
        """Environments that are built and proven only when they are named."""
        return tuple(name for name, one in self.environments.items() if one.on_request)

    @functools.cached_property
    def _bases(self) -> tuple[dict[str, Base], dict[str, EggcrateError]]:
        from eggcrate.repo.bases import base_folders, read_base  # noqa: PLC0415 - on demand

        found, broken = _read_all(base_folders(self.root), read_base)
        for error in broken.values():
            if self.warn:
                self.warn(str(error))
        return found, broken

    @functools.cached_property
    def _environments(self) -> tuple[dict[str, Environment], dict[str, EggcrateError]]:
        from eggcrate.repo.environments import read_environment  # noqa: PLC0415 - slow, on demand

        return _read_all(self.environment_folders.values(), read_environment)

    @functools.cached_property
    def _components(self) -> tuple[dict[str, Component], dict[str, EggcrateError]]:
        from eggcrate.repo.components import read_component  # noqa: PLC0415 - slow, on demand

        return _read_all(_folders(self.root / "components"), read_component)


def find_root(start: Path) -> Path:
    """The repository that a folder lies in.

    Raises:
        UsageError: neither it nor a folder above is an Eggcrate repository.
    """
    for folder in (start, *start.parents):
        if (folder / _MARK).is_dir() and any((folder / name).is_dir() for name in _BESIDE):
            return folder
    raise UsageError(
        f"{start} is not in an Eggcrate repository",
        why="no folder from here upwards has environments/ and bases/ or components/ in it",
        hint="change to the repository's folder, or name it: eggcrate --repo DIR …",
    )


def read_monorepo(root: Path, *, warn: Callable[[str], None] | None = None) -> Monorepo:
    """The repository at ``root``; folders whose names start with ``_`` or ``.`` are templates."""
    return Monorepo(root=root, warn=warn)


def _folders(parent: Path) -> list[Path]:
    """Every folder that is neither hidden, nor a template, nor the helpers'."""
    try:
        with os.scandir(parent) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        parent / name
        for name in names
        if not name.startswith(("_", ".")) and name not in _NOT_COMPONENTS
    ]


def _read_all(
    folders: Iterable[Path], read: Callable[[Path], T]
) -> tuple[dict[str, T], dict[str, EggcrateError]]:
    found: dict[str, T] = {}
    broken: dict[str, EggcrateError] = {}
    for path in folders:
        try:
            found[path.name] = read(path)
        except EggcrateError as error:
            broken[f"{path.parent.name}/{path.name}"] = error
    return found, broken


def pick(kind: str, names: Sequence[str], known: Iterable[str]) -> tuple[str, ...]:
    """The names asked for, or all of them when none is; each checked.

    Raises:
        UsageError: one does not exist; the message suggests the nearest.
    """
    existing = sorted(known)
    for name in names:
        if name not in existing:
            near = difflib.get_close_matches(name, existing, n=3)
            raise UsageError(
                f"there is no {kind} {name!r}",
                hint=f"did you mean {' or '.join(near)}?"
                if near
                else f"there are: {', '.join(existing) or 'none'}",
            )
    return tuple(dict.fromkeys(names)) or tuple(existing)
