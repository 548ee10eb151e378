"""The whole repository as one value. What is broken is kept beside what is not."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from eggcrate.errors import EggcrateError, UsageError
from eggcrate.repo.bases import base_folders, read_base
from eggcrate.repo.components import read_component
from eggcrate.repo.environments import read_environment

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
    """Everything that stands in a repository."""

    root: Path
    bases: dict[str, Base]
    environments: dict[str, Environment]
    components: dict[str, Component]
    broken: dict[str, EggcrateError]
    """Folders that cannot be read (``environments/x``), each with its own error: one broken
    environment, base or component does not stop the others."""


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


def read_monorepo(root: Path) -> Monorepo:
    """Read everything; folders whose names start with ``_`` or ``.`` are templates."""
    broken: dict[str, EggcrateError] = {}
    bases = _read_all(base_folders(root), read_base, broken)
    environments = _read_all(_folders(root / "environments"), read_environment, broken)
    components = _read_all(_folders(root / "components"), read_component, broken)
    return Monorepo(
        root=root,
        bases=bases,
        environments=environments,
        components=components,
        broken=broken,
    )


def _folders(parent: Path) -> list[Path]:
    """Every folder that is neither hidden, nor a template, nor the helpers'."""
    found = sorted(path for path in parent.glob("[!_.]*") if path.is_dir())
    return [path for path in found if path.name not in _NOT_COMPONENTS]


def _read_all(
    folders: Iterable[Path], read: Callable[[Path], T], broken: dict[str, EggcrateError]
) -> dict[str, T]:
    found: dict[str, T] = {}
    for path in folders:
        try:
            found[path.name] = read(path)
        except EggcrateError as error:
            broken[f"{path.parent.name}/{path.name}"] = error
    return found


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
