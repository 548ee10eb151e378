"""Every change of files that a process is about to make, held until it is decided about.

Linux's user notifications of seccomp (https://docs.kernel.org/userspace-api/seccomp_filter.html):
each system call of the process and of all that it starts waits for our answer. So a process can be
killed before its n-th change, or told that the disk is full, whatever library makes the call.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LIBC = ctypes.CDLL(None, use_errno=True)
_NO_NEW_PRIVILEGES = 38
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_AT_CWD = -100
_PATH = 4096
# name: number on x86_64, on aarch64 (none: it has no such call), what its arguments name.
_CALLS: dict[str, tuple[int | None, int | None, str]] = {
    "open": (2, None, "p"),
    "creat": (85, None, "p"),
    "openat": (257, 56, "dp"),
    "write": (1, 64, "f"),
    "pwrite64": (18, 68, "f"),
    "writev": (20, 66, "f"),
    "sendfile": (40, 71, "f"),
    "copy_file_range": (326, 285, "..f"),
    "truncate": (76, 45, "p"),
    "ftruncate": (77, 46, "f"),
    "fallocate": (285, 47, "f"),
    "fsync": (74, 82, "f"),
    "fdatasync": (75, 83, "f"),
    "syncfs": (306, 267, "f"),
    "rename": (82, None, "pp"),
    "renameat": (264, 38, "dpdp"),
    "renameat2": (316, 276, "dpdp"),
    "link": (86, None, "pp"),
    "linkat": (265, 37, "dpdp"),
    "symlink": (88, None, ".p"),
    "symlinkat": (266, 36, ".dp"),
    "unlink": (87, None, "p"),
    "unlinkat": (263, 35, "dp"),
    "rmdir": (84, None, "p"),
    "mkdir": (83, None, "p"),
    "mkdirat": (258, 34, "dp"),
    "chmod": (90, None, "p"),
    "fchmod": (91, 52, "f"),
    "fchmodat": (268, 53, "dp"),
    "utimensat": (280, 88, "dp"),
}
_OPENS = {"open": 1, "openat": 2}
"""Which argument says whether they are opened for writing."""
WRITES = frozenset({"write", "pwrite64", "writev", "sendfile", "copy_file_range", "fallocate"})
FLUSHES = frozenset({"fsync", "fdatasync", "syncfs"})
"""They are seen, and not carried out."""
GROWS = WRITES | {"open", "openat", "creat", "mkdir", "mkdirat", "symlink", "link", "linkat"}
"""What a full disk refuses."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A change that is about to be made."""

    number: int
    """From 1, of all processes together."""
    name: str
    paths: tuple[Path, ...]
    """What it changes; of a rename and a link both names."""
    process: int
    descriptor: int | None = None


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How the process ended."""

    code: int
    """Negative: the signal that ended it."""
    operations: int
    output: str


class Killed(Exception):  # noqa: N818 - an answer
    """The answer that ends everything before the operation is done."""


def available() -> str:
    """Why this machine cannot hold system calls; empty when it can."""
    if platform.machine() not in _SECCOMP or sys.platform != "linux":
        return f"system calls are not held on {platform.machine()}"
    try:
        known = Path("/proc/sys/kernel/seccomp/actions_avail").read_text(encoding="ascii").split()
    except OSError:
        known = []
    return "" if "user_notif" in known else "this kernel has no user notifications of seccomp"


def watched(
    job: Callable[[], object],
    below: Path,
    decide: Callable[[Operation], int | None] = lambda _: None,
) -> Ended:
    """Run a job in a process of its own and decide about each change below a folder.

    To be called by a process with one thread, for it forks.

    Args:
        job: what to do; what it gives, when it is a number, is the exit code.
        below: other changes are let through.
        decide: ``None`` lets it through, an ``errno`` refuses it; :class:`Killed` ends the process
            and all that it started, before it is done.
    """
    with tempfile.TemporaryFile() as output:
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            ours.close()
            _become(job, theirs, output.fileno())
        theirs.close()
        _, (listener, *_), _, _ = socket.recv_fds(ours, 1, 1)
        ours.close()
        try:
            seen = _serve(listener, child, below, decide)
        finally:
            os.close(listener)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        text = output.read().decode(errors="replace")
    return Ended(code=code, operations=seen, output=text)


def aside(job: Callable[[], object]) -> Ended:
    """Run a job in a process of its own, in peace: what it remembers does not help the next."""
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            _become(job, None, output.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        return Ended(code=code, operations=0, output=output.read().decode(errors="replace"))


def _become(job: Callable[[], object], told: socket.socket | None, output: int) -> None:
    code = 1
    try:
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        if told:
            listener = _filtered()
            socket.send_fds(told, [b"."], [listener])
            os.close(listener)
            told.close()
        answer = job()
        code = answer if isinstance(answer, int) else 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _numbers() -> dict[int, str]:
    column = 0 if platform.machine() == "x86_64" else 1
    found = {name: told[column] for name, told in _CALLS.items()}
    return {number: name for name, number in found.items() if isinstance(number, int)}


def _filtered() -> int:
    """Install the filter and give the descriptor where calls are told."""
    program = [(0x20, 0, 0, 4), (0x15, 1, 0, _ARCH[platform.machine()]), (0x06, 0, 0, _ALLOW)]
    for number, name in _numbers().items():
        program.append((0x20, 0, 0, 0))
        if (flags := _OPENS.get(name)) is None:
            program += [(0x15, 0, 1, number), (0x06, 0, 0, _NOTIFY)]
        else:  # only what may write
            program += [(0x15, 0, 3, number), (0x20, 0, 0, 16 + 8 * flags)]
            program += [(0x45, 0, 1, _WRITING), (0x06, 0, 0, _NOTIFY)]
    program.append((0x06, 0, 0, _ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    described = ctypes.create_string_buffer(
        struct.pack("H6xQ", len(program), ctypes.addressof(code))
    )
    _LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    listener = int(_LIBC.syscall(_SECCOMP[platform.machine()], 1, 1 << 3, described))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener


def _serve(
    listener: int, child: int, below: Path, decide: Callable[[Operation], int | None]
) -> int:
    names, seen, over = _numbers(), 0, False
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while True:
        [(_, event)] = poll.poll()
        if not event & select.POLLIN:
            return seen  # nobody is left
        request = bytearray(80)
        try:
            fcntl.ioctl(listener, _RECEIVE, request)
        except OSError:
            continue  # it was killed meanwhile
        mark, process, _, number, _, _, *arguments = struct.unpack("QIIiIQ6Q", request)
        answer: int | None = None
        if over:
            _kill(process, child)
        elif paths := _below(names[number], process, arguments, below):
            seen += 1
            kind = _CALLS[names[number]][2]
            operation = Operation(
                number=seen,
                name=names[number],
                paths=paths,
                process=process,
                descriptor=arguments[kind.index("f")] if "f" in kind else None,
            )
            try:
                answer = decide(operation)
            except Killed:
                over = True
                _kill(process, child)
        done = answer or names[number] in FLUSHES  # which nobody but the disk would notice
        reply = struct.pack("QqiI", mark, 0, -(answer or 0), 0 if done else 1)
        with suppress(OSError):
            fcntl.ioctl(listener, _SEND, reply)


def _kill(*processes: int) -> None:
    for process in processes:
        with suppress(OSError):
            os.killpg(process, signal.SIGKILL)
        with suppress(OSError):
            os.kill(process, signal.SIGKILL)


def _below(name: str, process: int, arguments: list[int], below: Path) -> tuple[Path, ...]:
    """What a call changes, where that is below the folder."""
    found = []
    folder = _AT_CWD
    try:
        for kind, argument in zip(_CALLS[name][2], arguments, strict=False):
            if kind == "d":
                folder = ctypes.c_int(argument & 0xFFFFFFFF).value
            elif kind == "f":
                found.append(Path(f"/proc/{process}/fd/{argument}").readlink())
            elif kind == "p":
                where = "cwd" if folder == _AT_CWD else f"fd/{folder}"
                text = os.fsdecode(_text(process, argument))
                at = Path() if text.startswith("/") else Path(f"/proc/{process}/{where}").readlink()
                found.append(Path(os.path.normpath(at / text)))
                folder = _AT_CWD
    except OSError:
        return ()
    return tuple(found) if any(path.is_relative_to(below) for path in found) else ()


def _text(process: int, address: int) -> bytes:
    with Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        text = b""
        while b"\0" not in text and len(text) < _PATH:
            # Not over the end of a page, behind which there may be none.
            text += memory.read(_PATH - (address + len(text)) % _PATH)
        return text.partition(b"\0")[0]
