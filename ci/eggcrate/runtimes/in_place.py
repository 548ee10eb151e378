"""Runs programs in the very container that Eggcrate itself is in: a cell as a task of a pipeline.

What other runtimes mount below ``/eggcrate`` is put into a folder, and what a program is told of
``/eggcrate`` is told of that folder. Backends set the walls around the container; here a program
has no network of its own and can write wherever its user can.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.files import remove_tree
from eggcrate.runtimes import inside
from eggcrate.runtimes.protocol import UnpackedImage

if TYPE_CHECKING:
    from eggcrate.runtimes.protocol import Command, Mount, Result

ROOT = "/eggcrate"
_LOOK = 0.1
_OWN = ("PYTHON", "KUBERNETES_", "_KFP", "EGGCRATE_")
"""Beginnings of variables that are the backend's or ours, and no image's."""
_TOLD = "executor_output.json"


class InPlace:
    """Runs one program at a time.

    Args:
        place: an empty folder that stands for ``/eggcrate``.
        image: digest of the image that the container was made from.
    """

    name = "pipeline"

    def __init__(self, place: Path, image: str) -> None:
        self._place = place
        self._image = image
        self._lock = threading.Lock()

    def prepare(self, digest: str) -> UnpackedImage:
        """The image is there: it is the one that we are in."""
        return UnpackedImage(name=digest, digest=self._image, platform="", env={})

    def run(self, image: UnpackedImage, command: Command) -> Result:
        """Run a program to its end. Never raises for what it does."""
        if reason := inside.bad_mounts(command):
            return inside.broken(reason)
        with self._lock, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            try:
                for mount in command.mounts:
                    _put(mount, self._here(mount.target))
                result = self._run(image, command, Path(scratch))
                for mount in command.mounts:
                    if mount.writable:
                        self._give_back(mount)
            finally:
                for path in self._place.iterdir():
                    remove_tree(path) if path.is_dir() else path.unlink()
        return result

    def attend(self, image: UnpackedImage, command: Command) -> Result:
        """Nobody is there to attend it."""
        return self.run(image, command)

    def close(self) -> None:
        """The container's end is the end of all that is in it."""

    def _here(self, target: str) -> Path:
        return self._place / target.removeprefix(f"{ROOT}/")

    def _moved(self, text: str) -> str:
        return text.replace(f"{ROOT}/", f"{self._place}/")

    def _run(self, image: UnpackedImage, command: Command, scratch: Path) -> Result:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
        told = {name: self._moved(value) for name, value in (image.env | command.env).items()}
        started = time.monotonic()
        with (scratch / "output").open("w+b") as output:
            (scratch / "work").mkdir()
            try:
                process = subprocess.Popen(
                    [self._moved(word) for word in command.argv],
                    env={**kept, "HOME": str(scratch / "work"), **told},
                    cwd=scratch / "work",
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                return inside.broken(f"its program cannot be started: {error.strerror}")
            peak, why = _follow(process, command, started)
            tail = inside.Tail()
            output.seek(0)
            while data := output.read(1 << 16):
                tail.add(data)
        text = tail.text().replace(f"{self._place}/", f"{ROOT}/")
        seen = {"seconds": time.monotonic() - started, "memory_peak": peak, "output": text}
        if why == "time":
            return inside.timed_out(command, **seen)
        if why == "memory":
            return inside.out_of_memory(command, **seen)
        code = process.returncode
        return inside.signalled(-code, **seen) if code < 0 else inside.exited(code, **seen)

    def _give_back(self, mount: Mount) -> None:
        """Put what a program has written where it would have been mounted from."""
        written = self._here(mount.target)
        told = written / _TOLD
        with contextlib.suppress(OSError, ValueError):
            if told.is_file() and not told.is_symlink():
                text = told.read_text(encoding="utf-8")
                told.write_text(text.replace(f"{self._place}/", f"{ROOT}/"), encoding="utf-8")
        remove_tree(mount.source)
        shutil.move(written, mount.source)


def _put(mount: Mount, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if mount.source.is_dir():
        shutil.copytree(mount.source, target, symlinks=True)
    else:
        shutil.copy2(mount.source, target)


def _follow(
    process: subprocess.Popen[bytes], command: Command, started: float
) -> tuple[int | None, str]:
    """Wait for the end of a program, or end it: its most memory, and what it had too much of."""
    peak, why = 0, ""
    while process.poll() is None:
        peak = max(peak, _memory(process.pid))
        if time.monotonic() - started > command.limits.seconds:
            why = "time"
        elif peak > command.limits.memory:
            why = "memory"
        if why:
            break
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # what it has left behind, too
    process.wait()
    return peak or None, why


def _memory(session: int) -> int:
    """Bytes that a program and its children hold and nobody else does."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # After the name, which may hold anything: state, parent, group, session.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) != session:
                continue
            status = (folder / "status").read_text()
            anonymous = status.partition("RssAnon:")[2].split()
            total += int(anonymous[0]) << 10
    return total
