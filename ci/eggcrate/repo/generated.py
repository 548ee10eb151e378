"""What a company's own generators make with ``eggcrate new``: checked before it is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from eggcrate.errors import PluginError, UsageError
from eggcrate.files import atomic_write_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.plugins import Plugin


@dataclass(frozen=True, kw_only=True)
class Generated:
    """New files of the repository."""

    kind: str
    name: str
    contents: dict[Path, str | bytes]
    """Text or bytes of each."""


def generate(plugin: Plugin, name: str, arguments: Sequence[str], root: Path) -> Generated:
    """Have a plugin of the group ``eggcrate.generators`` tell what it would make.

    Args:
        plugin: called with the name, the repository's folder and the arguments; gives back a
            mapping from paths in the repository to text or bytes.
        name: of what is made.
        arguments: more words of the command line.
        root: of the repository.

    Raises:
        PluginError: it fails, or gives back something else.
        UsageError: a file is there already.
    """
    told = plugin.call(name, root, list(arguments))
    if not isinstance(told, dict) or not told:
        raise _odd(plugin, f"it is of type {type(told).__name__}" if told else "it is empty")
    contents: dict[Path, str | bytes] = {}
    for key, content in told.items():
        path = PurePosixPath(str(key))
        if path.is_absolute() or not path.parts or {"..", ".git"} & set(path.parts):
            raise _odd(plugin, f"{str(key)!r} is no path in the repository")
        if not isinstance(content, str | bytes):
            raise _odd(plugin, f"what stands under {str(key)!r} is neither text nor bytes")
        contents[root / path] = content
    # A link may lead out of the repository: nothing is written through one.
    inside = root.resolve()
    for file in contents:
        if not file.resolve().is_relative_to(inside):
            raise _odd(plugin, f"{file.relative_to(root)} leads out of the repository")
        if file.exists():
            raise UsageError(
                f"there is {file.relative_to(root)} already",
                why="nothing is overwritten",
                hint="choose another name",
            )
    return Generated(kind=plugin.name, name=name, contents=contents)


def write_generated(generated: Generated) -> None:
    """Write them, all or none."""
    atomic_write_all(generated.contents)


def _odd(plugin: Plugin, why: str) -> PluginError:
    return PluginError(
        f"the plugin {plugin.name} of {plugin.distribution} gave back what is no set of files",
        why=why,
        hint="a generator gives back a dict: path in the repository to text or bytes",
    )
