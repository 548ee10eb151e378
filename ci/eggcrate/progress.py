"""What a person sees while work goes on: lines on standard error.

On a terminal one line at the bottom tells what is under way and is redrawn in place;
elsewhere (CI logs, files) every event is one plain line. Standard output is for results.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from typing import Protocol, TextIO


class Progress(Protocol):
    """Where work reports to. Every method may be called from any thread."""

    def info(self, line: str) -> None:
        """Tell something that stays on the screen."""

    def warn(self, line: str) -> None:
        """Tell something that the user should act on some day."""

    def status(self, line: str) -> None:
        """Tell what is under way now; replaced by the next one."""


class Silent:
    """Says nothing: for tests and for library use."""

    def info(self, line: str) -> None:
        """Say nothing."""

    def warn(self, line: str) -> None:
        """Say nothing."""

    def status(self, line: str) -> None:
        """Say nothing."""


class Console:
    """Progress for people. Colours and redrawing only on a terminal, and not with NO_COLOR."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self._live and "NO_COLOR" not in os.environ
        self._shown = False

    def info(self, line: str) -> None:
        """Print a line that stays."""
        self._line(line)

    def warn(self, line: str) -> None:
        """Print a warning that stays."""
        self._line(f"\x1b[33mwarning:\x1b[0m {line}" if self._colour else f"warning: {line}")

    def status(self, line: str) -> None:
        """Redraw the line at the bottom; elsewhere than on a terminal say nothing."""
        if not self._live:
            return
        with self._lock:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[2K{line[:width]}")
            self._stream.flush()
            self._shown = True

    def _line(self, line: str) -> None:
        with self._lock:
            if self._shown:
                self._stream.write("\r\x1b[2K")
                self._shown = False
            self._stream.write(line + "\n")
            self._stream.flush()


def human_size(size: int) -> str:
    """A number of bytes as people read it, in powers of ten: ``51.3 MB``."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":  # noqa: PLR2004 - powers of ten
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError
