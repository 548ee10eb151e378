"""Folders of many files that are made once, and trusted from then on.

Their files are not flushed one by one, which would take longer than making them. So after a cut
of power the disk may have the folder and not what is in it. Each has a mark beside it that says
in which boot of this machine it was made; in another boot the folder is made again, unless it
was found to have been flushed meanwhile, which costs nothing when some time has passed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.files import atomic_directory, atomic_write, exclusive, remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_FLUSHED = "flushed"
_SETTLING = 60.0
"""Seconds after which the kernel has written nearly everything by itself."""
_LIBC = ctypes.CDLL(None, use_errno=True)
_flushed: dict[int, float] = {}
"""When this process flushed a file system, by its device."""


@contextlib.contextmanager
def made_once(folder: Path) -> Iterator[Path | None]:
    """Yield a scratch folder that becomes ``folder``, or nothing when it is there already.

    Others that want the same folder wait.
    """
    if is_whole(folder):
        yield None
        return
    with exclusive(folder.with_name(f"{folder.name}.lock")):
        if is_whole(folder):
            yield None
            return
        _forget(folder)
        with atomic_directory(folder) as scratch:
            yield scratch
            scratch.chmod(0o755)
        atomic_write(_mark(folder), f"{_boot()} {_since_boot():.0f}", flush=False)


def is_whole(folder: Path) -> bool:
    """Whether a folder is there and holds what was put into it."""
    try:
        mark = _mark(folder).read_text(encoding="ascii")
    except (OSError, ValueError):
        return False
    if mark == _FLUSHED:
        return folder.is_dir()
    boot, _, made = mark.partition(" ")
    if boot != _boot() or not made.isdigit() or not folder.is_dir():
        return False
    if _since_boot() - int(made) > _SETTLING:
        _settle(folder, int(made))
    return True


def _forget(folder: Path) -> None:
    _mark(folder).unlink(missing_ok=True)
    remove_tree(folder)


def _settle(folder: Path, made: int) -> None:
    """Write down that the disk has a folder."""
    with contextlib.suppress(OSError):  # then it is made again in the next boot
        device = folder.stat().st_dev
        if _flushed.get(device, 0.0) <= made:
            before = _since_boot()
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                if _LIBC.syncfs(descriptor) != 0:
                    return
            finally:
                os.close(descriptor)
            _flushed[device] = before
        atomic_write(_mark(folder), _FLUSHED, flush=False)


def _mark(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.made")


def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _since_boot() -> float:
    """Seconds of a clock that nobody sets, suspension included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
