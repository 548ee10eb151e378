"""What a disk may hold after the power was cut: only what was flushed is sure to be there.

The order of names is that of a journal: a kill before the n-th change gives what was named then.
Contents that were not flushed are another matter, and so is, on file systems that are less kind,
a name in a folder that was not flushed (Pillai and others, OSDI 2014).
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from support.operations import WRITES

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.operations import Operation

LOSSES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "nothing of it": lambda _, flushed: flushed,
    "zeros": lambda content, flushed: flushed + bytes(max(0, len(content) - len(flushed))),
    "half of it": lambda content, flushed: content[: max(len(flushed), len(content) // 2)],
}
"""What may be left of a file that was not flushed, from what it held and what was flushed."""
SOME, NAMES = "some of it", "names"
"""Nothing of some of the files; some of the names."""


@dataclass(kw_only=True)
class Disk:
    """Sees the changes of a job, before each is made."""

    root: Path
    flushed: dict[int, bytes] = field(default_factory=dict)
    """By file: what was there before, and what was flushed since."""
    written: set[int] = field(default_factory=set)
    named: dict[Path, bytes | None] = field(default_factory=dict)
    """Names given since, with the file that had the name before."""

    def __post_init__(self) -> None:
        self._old = {path.stat().st_ino: path for path in self.root.rglob("*") if _is_file(path)}

    def see(self, operation: Operation) -> None:
        """Keep what the operation makes sure of, or puts at risk."""
        if operation.name in WRITES or operation.name in ("ftruncate", "fsync", "fdatasync"):
            link = Path(f"/proc/{operation.process}/fd/{operation.descriptor}")
            with suppress(OSError):
                number = link.stat().st_ino
                if link.is_dir():
                    self._settle(lambda path: path.parent == operation.paths[0])
                elif "sync" in operation.name:
                    self.flushed[number] = link.read_bytes()
                else:
                    self._keep(number)
                    self.written.add(number)
        elif operation.name == "syncfs":
            for path in filter(_is_file, self.root.rglob("*")):
                self.flushed[path.stat().st_ino] = path.read_bytes()
            self.named.clear()
        elif operation.name in ("openat", "open", "creat", "truncate"):
            [path] = operation.paths
            if _is_file(path):
                self._keep(path.stat().st_ino)
                self.written.add(path.stat().st_ino)
        elif operation.name in ("rename", "renameat", "renameat2", "link", "linkat"):
            target = operation.paths[-1]
            before = target.read_bytes() if _is_file(target) else None
            self.named.setdefault(target, before)

    def _keep(self, number: int) -> None:
        if number in self._old and number not in self.flushed:
            self.flushed[number] = self._old[number].read_bytes()

    def _settle(self, settled: Callable[[Path], bool]) -> None:
        self.named = {path: old for path, old in self.named.items() if not settled(path)}

    def cut(self, loss: str, seed: int) -> None:
        """Make the folder what the disk may hold now."""
        chance = random.Random(seed)  # noqa: S311 - the same losses each time
        if loss == NAMES:
            self._forget(chance)
            return
        for path in list(filter(_is_file, sorted(self.root.rglob("*")))):
            number = path.stat().st_ino
            content = path.read_bytes() if number in self.written else b""
            flushed = self.flushed.get(number, b"")
            spared = loss == SOME and chance.random() < 0.5
            if number in self.written and content != flushed and not spared:
                mode = path.stat().st_mode
                path.chmod(mode | 0o600)
                with path.open("r+b") as file:
                    file.truncate()
                    file.write(flushed if loss == SOME else LOSSES[loss](content, flushed))
                path.chmod(mode)
                self.written.discard(number)  # its other names show the same

    def _forget(self, chance: random.Random) -> None:
        there = [path for path in self.named if _is_file(path)]
        for path in there[-1:] if len(there) < 2 else chance.sample(there, len(there) // 2):
            before = self.named[path]
            path.unlink()
            if before is not None:
                path.write_bytes(before)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
