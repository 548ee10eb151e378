"""The terminal that we run on, lent to a program inside an image."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import threading
import tty
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHUNK = 1 << 16
_LOOK = 0.5
"""Seconds between two looks at the terminal's size."""


def there() -> bool:
    """Whether a person sits at a terminal in front of us."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextlib.contextmanager
def raw() -> Iterator[None]:
    """Give every key to the program, Ctrl-C too, for the length of the block."""
    keys = sys.stdin.fileno()
    before = termios.tcgetattr(keys)
    tty.setraw(keys)
    try:
        yield
    finally:
        termios.tcsetattr(keys, termios.TCSAFLUSH, before)


@contextlib.contextmanager
def pair() -> Iterator[int]:
    """A new terminal connected with ours: its descriptor, for a program to run on."""
    master, slave = pty.openpty()

    def resize(columns: int, lines: int) -> None:
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    resize(*os.get_terminal_size(sys.stdout.fileno()))
    os.fchmod(slave, 0o666)  # the program is another user
    thread = threading.Thread(target=relay, args=(master, resize), name="terminal", daemon=True)
    try:
        with raw():
            thread.start()
            try:
                yield slave
            finally:
                os.close(slave)  # then the relay ends, once everything was shown
                thread.join()
    finally:
        os.close(master)


def relay(stream: int, resize: Callable[[int, int], None]) -> None:
    """Carry keys to a stream, and what comes from it to the screen, until it ends.

    Args:
        stream: descriptor of a terminal's other side, or of a socket.
        resize: told columns and lines when the screen gets another size, and at first.
    """
    keys, screen = sys.stdin.fileno(), sys.stdout.fileno()
    listening = [stream, keys]
    size = None
    while True:
        with contextlib.suppress(OSError):
            if (now := tuple(os.get_terminal_size(screen))) != size:
                size = now
                resize(*now)
        ready, _, _ = select.select(listening, [], [], _LOOK)
        if keys in ready:
            typed = _read(keys)
            if typed:
                _write(stream, typed)
            else:
                listening.remove(keys)
        if stream in ready:
            shown = _read(stream)
            if not shown:
                return
            _write(screen, shown)


def _read(descriptor: int) -> bytes:
    """What is there; nothing at the end, which a terminal tells by an error."""
    try:
        return os.read(descriptor, _CHUNK)
    except OSError:
        return b""


def _write(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(OSError):  # it has ended: reading will tell
        while data:
            data = data[os.write(descriptor, data) :]
