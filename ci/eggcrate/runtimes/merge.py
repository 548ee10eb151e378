"""One tree from many unpacked layers, by hard links.

Each upper layer removes what its whiteouts say, then lays its files over what is there: a
directory over a directory merges, anything else replaces. Nothing is written before the whole
tree is known.
"""

# ruff: noqa: PTH101, PTH102, PTH115, PTH116, PTH211 - text paths: ten thousands of Path objects are slow

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.parsing import json_of
from eggcrate.runtimes.untar import Changes

if TYPE_CHECKING:
    from pathlib import Path

_MAX_SYMLINKS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class _Node:
    """What stands at a path, and where its layer is unpacked."""

    source: str
    is_directory: bool
    is_symlink: bool


def merge(layers: list[Path], target: Path) -> None:
    """Make in the empty folder ``target`` the tree of ``layers``, the lowest first.

    Args:
        layers: folders as :func:`eggcrate.runtimes.rootfs.unpack_layer` makes them.
        target: on the same file system.
    """
    tree = _Tree()
    for folder in layers:
        changes = Changes.from_json(json_of((folder / "layer.json").read_text()))
        for path in changes.opaque:
            tree.empty(path)
        for path in changes.whiteouts:
            tree.drop(path)
        tree.lay(str(folder / "tree"), "", "", frozenset(changes.implied))
    tree.write(str(target))


class _Tree:
    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._children: dict[str, set[str]] = {"": set()}

    def empty(self, path: str) -> None:
        for name in list(self._children.get(path, ())):
            self.drop(f"{path}/{name}" if path else name)

    def drop(self, path: str) -> None:
        """Take a path and everything under it away; missing is fine."""
        if self._nodes.pop(path, None) is None:
            return
        parent, _, name = path.rpartition("/")
        self._children[parent].discard(name)
        for inner in list(self._children.get(path, ())):
            self.drop(f"{path}/{inner}")
        self._children.pop(path, None)

    def lay(self, folder: str, inner: str, outer: str, implied: frozenset[str]) -> None:
        """Lay a folder, whose path in its layer is ``inner``, over the tree at ``outer``."""
        with os.scandir(folder) as entries:
            for entry in entries:
                path = f"{outer}/{entry.name}" if outer else entry.name
                name = f"{inner}/{entry.name}" if inner else entry.name
                is_directory = entry.is_dir(follow_symlinks=False)
                # Nobody said that an implied directory is one: links below it are followed.
                if is_directory and name in implied and (real := self._directory(path)) is not None:
                    self.lay(entry.path, name, real, implied)
                    continue
                below = self._nodes.get(path)
                if below is not None and not (below.is_directory and is_directory):
                    self.drop(path)
                self._nodes[path] = _Node(
                    source=entry.path, is_directory=is_directory, is_symlink=entry.is_symlink()
                )
                self._children.setdefault(outer, set()).add(entry.name)
                if is_directory:
                    self._children.setdefault(path, set())
                    self.lay(entry.path, name, path, implied)

    def write(self, target: str) -> None:
        directories = []
        for path in sorted(self._nodes):
            node = self._nodes[path]
            place = f"{target}/{path}"
            if node.is_directory:
                os.mkdir(place, 0o700)
                directories.append((place, node.source))
            elif node.is_symlink:
                os.symlink(os.readlink(node.source), place)
            else:
                os.link(node.source, place, follow_symlinks=False)
        for place, source in reversed(directories):
            os.chmod(place, os.stat(source).st_mode & 0o7777)

    def _directory(self, path: str) -> str | None:
        """The directory that a path is, or leads to inside the tree; ``None`` if none."""
        done = ""
        todo = path.split("/")
        links = 0
        while todo:
            part = todo.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                done = done.rpartition("/")[0]
                continue
            step = f"{done}/{part}" if done else part
            node = self._nodes.get(step)
            if node is None or links > _MAX_SYMLINKS:
                return None
            if node.is_symlink:
                links += 1
                link = os.readlink(node.source)
                done = "" if link.startswith("/") else done
                todo = link.split("/") + todo
            elif node.is_directory:
                done = step
            else:
                return None
        return done
