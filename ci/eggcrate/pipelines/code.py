"""The code of a component: its own, and that of the helpers that it imports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.errors import CompileError
from eggcrate.repo.closure import closure
from eggcrate.repo.sources import relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from eggcrate.repo.sources import Sources
    from eggcrate.repo.values import Component


@dataclass(frozen=True, kw_only=True)
class Code:
    """Files by their path in the repository, from which they are imported."""

    own: Mapping[str, bytes]
    """Of the component's folder, with the ``__init__.py`` files above it."""
    helpers: Mapping[str, bytes]
    """Of the repository beyond it, and data files beside them."""

    @property
    def files(self) -> Mapping[str, bytes]:
        """All of them."""
        return {**self.own, **self.helpers}

    @property
    def helper_folders(self) -> tuple[str, ...]:
        """Folders that hold helpers, the uppermost of nested ones alone."""
        folders = sorted({path.rpartition("/")[0] for path in self.helpers})
        return tuple(
            folder
            for folder in folders
            if not any(folder.startswith(f"{other}/") for other in folders if other != folder)
        )

    @property
    def helper_modules(self) -> tuple[str, ...]:
        """Dotted names of the helpers that are modules."""
        return tuple(sorted(_dotted(path) for path in self.helpers if path.endswith(".py")))


def code_of(
    component: Component, root: Path, *, sources: Sources, modules: Iterable[str] = ()
) -> Code:
    """Find a component's code.

    Args:
        component: whose.
        root: the repository.
        sources: its files, each read once.
        modules: what its author says it needs beside what its source imports.

    Raises:
        CompileError: it imports, or its author names, what the repository does not hold.
        SourceError: a module cannot be read or parsed.
    """
    found = closure(component, root, sources=sources)
    if found.missing:
        first = found.missing[0]
        raise CompileError(
            f"{first.path}:{first.line} imports {first.module}"
            + (f".{first.name}" if first.name else "")
            + ", which the repository does not hold",
            why=f"component {component.name} could not be imported where it runs",
        )
    own = relative(component.path, root)
    paths = (*found.modules, *found.data)
    known = {_dotted(path) for path in found.modules if path.endswith(".py")}
    for name in modules:
        if name not in known:
            raise CompileError(
                f"component {component.name} names the module {name!r}, which does not travel",
                why="the repository holds no module of that name",
                hint="`modules` takes dotted names from the top of the repository, such as "
                "components.shared.features, each module by itself, written out as texts",
            )
    above = {f"{'/'.join(own.split('/')[:depth])}/__init__.py" for depth in range(1, 9)}
    mine = {path for path in paths if path.startswith(f"{own}/") or path in above}
    return Code(
        own={path: sources.read(path) for path in paths if path in mine},
        helpers={path: sources.read(path) for path in paths if path not in mine},
    )


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
