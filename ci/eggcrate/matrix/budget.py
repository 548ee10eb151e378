"""How many cells run at once: as many as processors and memory allow."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.runtimes import cgroup

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SHARE = 0.9
"""Of the memory that is free, what cells may have."""


class Budget:
    """Memory that cells share out among themselves.

    Args:
        total: bytes.
    """

    def __init__(self, total: int) -> None:
        self._left = total
        self._running = 0
        self._changed = threading.Condition()
        self._closed = False

    @contextlib.contextmanager
    def room(self, need: int) -> Iterator[bool]:
        """Wait until there is room for a cell; one alone gets it even when it needs more.

        Yields:
            Whether there is: not when the budget was closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or need <= self._left or self._running == 0)
            if open_ := not self._closed:
                self._left -= need
                self._running += 1
        try:
            yield open_
        finally:
            if open_:
                with self._changed:
                    self._left += need
                    self._running -= 1
                    self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def side_by_side(needs: Iterable[int], total: int, workers: int) -> int:
    """How many cells there can be at once, when the smallest come together; at least one."""
    count = 0
    for need in sorted(needs)[: max(1, workers)]:
        total -= need
        if total < 0:
            break
        count += 1
    return max(1, count)


def for_cells() -> int:
    """Bytes of memory that cells may have in all."""
    return int(available_memory() * _SHARE)


def available_memory() -> int:
    """Bytes of memory that this machine, and a container around us, could give to cells now."""
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                free = int(line.split()[1]) * 1024
    room = cgroup.headroom()
    return free if room is None else min(free, room)
