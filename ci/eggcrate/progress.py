"""What a person sees while work goes on: lines on standard error.

On a terminal one line at the bottom tells what is under way and is redrawn in place;
elsewhere (CI logs, files) every event is one plain line. Standard output is for results.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
from typing import Protocol, TextIO

_COLOUR = re.compile("(\x1b\\[[0-9;]*m)")


class Progress(Protocol):
    """Where work reports to. Every method may be called from any thread."""

    def info(self, line: str) -> None:
        """Tell something that stays on the screen."""

    def warn(self, line: str) -> None:
        """Tell something that the user should act on some day."""

    def status(self, line: str) -> None:
        """Tell what is under way now, in one line or several; replaced by the next one."""


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
        self._shown = 0

    @property
    def live(self) -> bool:
        """Whether what is under way is redrawn in place."""
        return self._live

    @property
    def colour(self) -> bool:
        """Whether colours may be used."""
        return self._colour

    @property
    def encoding(self) -> str:
        """What the stream can show."""
        return self._stream.encoding or "ascii"

    @property
    def size(self) -> os.terminal_size:
        """Columns and lines of the terminal, as it is now."""
        return terminal_size(self._stream) or os.terminal_size((80, 24))

    def info(self, line: str) -> None:
        """Print a line that stays."""
        self._line(line)

    def warn(self, line: str) -> None:
        """Print a warning that stays."""
        self._line(f"\x1b[33mwarning:\x1b[0m {line}" if self._colour else f"warning: {line}")

    def status(self, line: str) -> None:
        """Redraw what stands at the bottom; elsewhere than on a terminal say nothing."""
        if not self._live:
            return
        with self._lock:
            columns, rows = self.size
            lines = [clipped(one, columns - 1) for one in line.split("\n")[: max(1, rows - 1)]]
            self._stream.write(self._cleared() + "\n".join(lines))
            self._stream.flush()
            self._shown = len(lines)

    def _line(self, line: str) -> None:
        with self._lock:
            cleared = self._cleared() if self._shown else ""
            self._shown = 0
            self._stream.write(f"{cleared}{line}\n")
            self._stream.flush()

    def _cleared(self) -> str:
        above = self._shown - 1
        return f"\x1b[{above}F\x1b[J" if above > 0 else "\r\x1b[2K"


def terminal_size(stream: TextIO) -> os.terminal_size | None:
    """Columns and lines of the terminal that a stream leads to; nothing when it is none."""
    if not stream.isatty():
        return None
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        size = os.terminal_size((0, 0))
    return size if size.columns and size.lines else shutil.get_terminal_size()


def clipped(line: str, width: int) -> str:
    """A line cut to what fits; colours take no place."""
    if len(line) <= width:
        return line
    parts, left = [], width
    for part in _COLOUR.split(line):
        if not part.startswith("\x1b"):
            parts.append(part[:left])
            left -= len(parts[-1])
        elif left or part == "\x1b[0m":
            parts.append(part)
    return "".join(parts)


def human_size(size: int) -> str:
    """A number of bytes as people read it, in powers of ten: ``51.3 MB``."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":  # noqa: PLR2004 - powers of ten
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError
