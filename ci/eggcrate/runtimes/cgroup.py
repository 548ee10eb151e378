"""Memory and process limits by control groups, version 2 or 1, where we may make one.

Root usually may; an ordinary user only below a delegated group. Where no group can be made,
the sandbox counts memory by itself.
Kernel documentation: admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/memory.rst.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eggcrate.runtimes.protocol import Limits

_PREFIX = "eggcrate-"
_V2 = 2
_NO_LIMIT = 1 << 60
"""Version 1 writes a number about as large as a page count can be."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """A control group for one program: one folder in version 2, one a controller in version 1."""

    version: int
    memory: Path
    pids: Path | None
    """``None`` where processes are not limited apart."""

    @property
    def entrances(self) -> tuple[Path, ...]:
        """Files that a process writes ``0`` to, to enter."""
        folders = {self.memory, self.pids} if self.pids else {self.memory}
        return tuple(sorted(folder / "cgroup.procs" for folder in folders))

    def killed(self) -> bool:
        """Whether the kernel has killed a process in it for want of memory."""
        name = "memory.events" if self.version == _V2 else "memory.oom_control"
        with contextlib.suppress(OSError):
            for line in (self.memory / name).read_text().splitlines():
                field, _, value = line.partition(" ")
                if field == "oom_kill":
                    return int(value) > 0
        return False

    def peak(self) -> int | None:
        """The most memory that was in use, in bytes, file cache included."""
        name = "memory.peak" if self.version == _V2 else "memory.max_usage_in_bytes"
        with contextlib.suppress(OSError, ValueError):
            return int((self.memory / name).read_text())
        return None

    def remove(self) -> None:
        """Remove it; its processes must have ended."""
        for folder in {self.memory, self.pids or self.memory}:
            for _ in range(50):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)


def create(limits: Limits) -> Group | None:
    """Make a group with these limits; ``None`` where that is not possible."""
    name = f"{_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
    for version, parents in _parents():
        group = _create_in(version, parents, name, limits)
        if group is not None:
            return group
    return None


def _create_in(version: int, parents: dict[str, Path], name: str, limits: Limits) -> Group | None:
    pids = parents["pids"] / name if "pids" in parents else None
    group = Group(version=version, memory=parents["memory"] / name, pids=pids)
    try:
        group.memory.mkdir()
        if pids is not None and pids != group.memory:
            pids.mkdir()
        if version == _V2:
            _write(group.memory / "memory.max", limits.memory)
            _write(group.memory / "memory.swap.max", 0, optional=True)
            _write(group.memory / "memory.oom.group", 1, optional=True)
        else:
            _write(group.memory / "memory.limit_in_bytes", limits.memory)
            _write(group.memory / "memory.memsw.limit_in_bytes", limits.memory, optional=True)
        if pids is not None:
            _write(pids / "pids.max", limits.processes, optional=True)
    except OSError:
        group.remove()
        return None
    return group


def _write(path: Path, value: int, *, optional: bool = False) -> None:
    # Opened without O_CREAT: a controller that is not there must not become an error of its own.
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        if optional:
            return
        raise
    try:
        os.write(descriptor, str(value).encode())
    finally:
        os.close(descriptor)


@functools.cache
def _parents() -> tuple[tuple[int, dict[str, Path]], ...]:
    """Where groups can be made, best first: version, and the folder for each controller."""
    own = _own_groups()
    found = [*_parents_v2(own), *_parents_v1(own)]
    for _, parents in found:
        for folder in set(parents.values()):
            _sweep(folder)
    return tuple(found)


def _parents_v2(own: dict[str, str]) -> Iterator[tuple[int, dict[str, Path]]]:
    for version, _, point, root in _hierarchies():
        for folder in _upwards(point, root, own.get("", "/")) if version == _V2 else ():
            with contextlib.suppress(OSError):
                controlled = (folder / "cgroup.subtree_control").read_text().split()
                if "memory" in controlled and os.access(folder, os.W_OK):
                    yield 2, {"memory": folder, "pids": folder}


def _parents_v1(own: dict[str, str]) -> Iterator[tuple[int, dict[str, Path]]]:
    writable: dict[str, list[Path]] = {}
    for version, controllers, point, root in _hierarchies():
        for name in controllers & {"memory", "pids"} if version == 1 else ():
            folders = _upwards(point, root, own.get(name, "/"))
            writable[name] = [folder for folder in folders if os.access(folder, os.W_OK)]
    pids = writable.get("pids")
    for folder in writable.get("memory", ()):
        yield 1, {"memory": folder, "pids": pids[0]} if pids else {"memory": folder}


def headroom() -> int | None:
    """Bytes that our own groups, and those above them, still let us use; ``None``: no limit.

    File cache that the kernel would give up counts as free.
    """
    own = _own_groups()
    left: list[int] = []
    for version, controllers, point, root in _hierarchies():
        if version == _V2:
            names = ("memory.max", "memory.current", "inactive_file")
            folders = _upwards(point, root, own.get("", "/"))
        elif "memory" in controllers:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            folders = _upwards(point, root, own.get("memory", "/"))
        else:
            continue
        left += [room for folder in folders if (room := _room(folder, *names)) is not None]
    return min(left, default=None)


def _room(folder: Path, limit: str, usage: str, cached: str) -> int | None:
    """What one group's limit leaves; nothing where it has none."""
    with contextlib.suppress(OSError, ValueError):  # version 2 writes "max" for no limit
        most, used = (int((folder / name).read_text()) for name in (limit, usage))
        if most >= _NO_LIMIT:
            return None
        for line in (folder / "memory.stat").read_text().splitlines():
            field, _, value = line.partition(" ")
            if field == cached:
                used -= int(value)
        return max(0, most - used)
    return None


def _hierarchies() -> Iterator[tuple[int, set[str], Path, str]]:
    """Each mounted hierarchy: version, controllers, where, and which of its folders."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            left, _, right = line.partition(" - ")
            fields, kind = left.split(), right.split()
            if kind[0] == "cgroup2":
                yield 2, set(), Path(fields[4]), fields[3]
            elif kind[0] == "cgroup":
                yield 1, set(kind[2].split(",")), Path(fields[4]), fields[3]


def _own_groups() -> dict[str, str]:
    """Our own group for each version 1 controller; version 2's under the empty name."""
    groups: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            groups.update(dict.fromkeys(names.split(","), path))
    return groups


def _upwards(point: Path, root: str, own: str) -> list[Path]:
    """The folder of our own group, then those above it, up to the mount point."""
    inside = own.removeprefix(root.rstrip("/")).strip("/") if own.startswith(root) else ""
    folder = point / inside if ".." not in inside else point
    if not folder.is_dir():
        folder = point
    above = [folder, *folder.parents]
    return above[: above.index(point) + 1]


def _sweep(folder: Path) -> None:
    """Remove groups of processes that were killed before they could."""
    for path in folder.glob(f"{_PREFIX}*-*"):
        pid = path.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path("/proc", pid).exists():
            with contextlib.suppress(OSError):
                path.rmdir()
