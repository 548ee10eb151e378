"""The first process inside a sandbox: makes its root, starts the program, tells how it ended.

Run by path, with the tool's own interpreter in isolated mode, as the first process of new
mount, PID, IPC, UTS (and network, and user) namespaces; so it imports the standard library
alone. One JSON line on standard input says what to do. Standard input then stays open: when
it closes, the launcher exits, and with the first process of a PID namespace the kernel ends
all others. What happened goes as JSON lines to the descriptor in ``argv[1]``.
"""

# ruff: noqa: PTH102, PTH103, PTH110, PTH112, PTH113, PTH114, PTH115, PTH120, PTH123, PTH208, PTH211
# ... since pathlib alone would double the time that this takes to start.

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import termios
from typing import Any, NoReturn

RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC = 1, 2, 4, 8, 32, 4096, 16384
RELATIME = 1 << 21
DETACH = 2
NEWUSER = 0x10000000
PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 4, 24, 38
CAPABILITIES = 64
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
READ_ONLY_PROC = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi")
HIDDEN_PROC = ("kcore", "keys", "timer_list", "sched_debug", "latency_stats")
PAGE = os.sysconf("SC_PAGE_SIZE")

libc = ctypes.CDLL(None, use_errno=True)


class LaunchError(Exception):
    """The sandbox cannot be made; the message says which step failed and why."""


def call(step: str, result: int) -> None:
    """Raise when a call into the C library failed."""
    if result != 0:
        raise LaunchError(f"{step}: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount, or say what could not be mounted."""
    texts = [text.encode() if text else None for text in (source, target, kind)]
    step = f"mount {source} on {target}"
    call(step, libc.mount(*texts, ctypes.c_ulong(flags), data.encode() if data else None))


def bind(source: str, target: str, *, writable: bool) -> None:
    """Show ``source``, and what is mounted under it, at ``target``."""
    mount(source, target, "", BIND | REC)
    # A bind mount takes flags in a second step, mount by mount; those it has cannot be lost.
    for place in mounts_under(target):
        flags = BIND | REMOUNT | NOSUID | NODEV | kept_flags(place)
        mount("", place, "", flags if writable else flags | RDONLY)


def mounts_under(target: str) -> list[str]:
    """``target`` and every mount point below it."""
    if os.path.isfile(target):
        return [target]
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        points = [line.split(" ", 5)[4].encode().decode("unicode_escape") for line in lines]
    real = os.path.realpath(target)
    return [real, *(point for point in points if point.startswith(f"{real}/"))]


def place_for(source: str, target: str) -> None:
    """Make the empty folder or file that ``source`` is to be mounted on."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def show(source: str, target: str) -> None:
    """Show one entry of the image: links are made again, the rest mounted read-only."""
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    else:
        place_for(source, target)
        mount(source, target, "", BIND)
        mount("", target, "", BIND | REMOUNT | RDONLY | NOSUID | NODEV | kept_flags(target))


def kept_flags(target: str) -> int:
    """The flags of a mount that an unprivileged user may not take away."""
    flags = os.statvfs(target).f_flag
    keep = flags & (RDONLY | NOSUID | NODEV | NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME)
    return keep | (RELATIME if flags & os.ST_RELATIME else 0)


def make_root(spec: dict[str, Any]) -> None:
    """Make the root file system and move into it; the host's is gone afterwards."""
    image = spec["root"]
    os.chdir(image)  # the image stays reachable as "." when the new root covers its folder
    limit = f"size={spec['scratch']},mode=1777"
    own = ("dev", "proc", "sys", "tmp", "etc", "eggcrate")
    mount("tmpfs", image, "tmpfs", NOSUID | NODEV, "size=4m,mode=755")
    for name in own:
        os.mkdir(f"{image}/{name}", 0o755)
    for name in os.listdir("."):
        if name not in own:
            show(name, f"{image}/{name}")
    make_etc(f"{image}/etc", spec["files"])
    mount("tmpfs", f"{image}/tmp", "tmpfs", NOSUID | NODEV, limit)  # noqa: S108 - the sandbox's own
    make_devices(f"{image}/dev", limit)
    for item in spec["mounts"]:
        target = f"{image}{item['target']}"
        place_for(item["source"], target)
        bind(item["source"], target, writable=item["writable"])
    make_proc(f"{image}/proc")
    os.chdir(image)
    call("pivot_root", libc.pivot_root(b".", b"."))
    call("umount the old root", libc.umount2(b".", DETACH))
    os.chdir("/")
    mount("", "/", "", BIND | REMOUNT | RDONLY | NOSUID | NODEV)


def make_etc(target: str, files: dict[str, str]) -> None:
    """The image's ``/etc``, with the files that a runtime provides."""
    for name, text in files.items():
        with open(f"{target}/{name}", "x", encoding="utf-8") as file:
            file.write(text)
    if os.path.isdir("etc"):
        for name in os.listdir("etc"):
            if name not in files:
                show(f"etc/{name}", f"{target}/{name}")


def make_devices(target: str, limit: str) -> None:
    """A ``/dev`` with what every program may expect, and nothing of the machine's."""
    for name in DEVICES:
        if os.path.exists(f"/dev/{name}"):
            place_for(f"/dev/{name}", f"{target}/{name}")
            mount(f"/dev/{name}", f"{target}/{name}", "", BIND)
    links = {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}
    for name, number in links.items():
        os.symlink(f"/proc/self/fd{number}", f"{target}/{name}")
    os.symlink("pts/ptmx", f"{target}/ptmx")
    for name in ("pts", "shm"):
        os.mkdir(f"{target}/{name}")
    mount("devpts", f"{target}/pts", "devpts", NOSUID | NOEXEC, "newinstance,ptmxmode=0666")
    mount("tmpfs", f"{target}/shm", "tmpfs", NOSUID | NODEV, limit)


def make_proc(target: str) -> None:
    """A ``/proc`` of this sandbox's processes, what concerns the machine read-only or hidden."""
    flags = NOSUID | NODEV | NOEXEC
    mount("proc", target, "proc", flags)
    for name in READ_ONLY_PROC:
        path = f"{target}/{name}"
        if os.path.exists(path):
            mount(path, path, "", BIND)
            mount("", path, "", BIND | REMOUNT | RDONLY | flags | kept_flags(path))
    for name in HIDDEN_PROC:
        if os.path.exists(f"{target}/{name}"):
            mount("/dev/null", f"{target}/{name}", "", BIND)


def loopback_up() -> None:
    """Let 127.0.0.1 work in a network namespace that has nothing else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sh22x", b"lo", 0))
        flags = struct.unpack("16sh22x", request)[1] | IFF_UP
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags))


def become(uid: int, *, userns: bool) -> None:
    """Become an unprivileged user for good."""
    if userns:
        call("a user namespace for the program", libc.unshare(NEWUSER))
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} 0 1"),
            ("gid_map", f"{uid} 0 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="utf-8") as file:
                file.write(text)
    for capability in range(CAPABILITIES):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    if not userns:
        os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    # All three sets to nothing: {version 3, this process}, 2 x {effective, permitted, inheritable}.
    call("drop capabilities", libc.capset(struct.pack("Ii", 0x20080522, 0), bytes(24)))
    call("no_new_privs", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def start(spec: dict[str, Any], groups: list[int], told: int) -> NoReturn:
    """In the forked child: leave all privileges behind and become the program."""
    step = "start the program"
    try:
        os.setsid()
        for group in groups:
            os.write(group, b"0")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        become(spec["uid"], userns=spec["userns"])
        if spec["processes"]:
            resource.setrlimit(resource.RLIMIT_NPROC, (spec["processes"],) * 2)
        if spec["terminal"]:
            fcntl.ioctl(spec["terminal"], termios.TIOCSCTTY, 0)
            for number in (0, 1, 2):
                os.dup2(spec["terminal"], number)
            os.close(spec["terminal"])
        else:
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.umask(0o022)
        step = f"enter {spec['workdir']}"
        os.chdir(spec["workdir"])
        if not spec["argv"]:
            os._exit(0)
        step = f"start {spec['argv'][0]}"
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - the point of it all
    except LaunchError as error:
        text = str(error)
    except OSError as error:
        text = f"{step}: {error.strerror}"
    except BaseException as error:
        text = f"{step}: {error!r}"
    os.write(told, text.encode())
    os._exit(127)


def memory_used(limit: int) -> int:
    """Bytes of memory of every other process here, and of files in memory."""
    total = 0
    pids = [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = read(f"/proc/{pid}/statm").split()
            total += (int(fields[1]) - int(fields[2])) * PAGE
    if total > limit:  # forked processes share pages, which only the slow way of counting sees
        total = sum(proportional(pid) for pid in pids)
    for folder in ("/tmp", "/dev/shm"):  # noqa: S108 - the sandbox's own
        found = os.statvfs(folder)
        total += (found.f_blocks - found.f_bfree) * found.f_frsize
    return total


def proportional(pid: str) -> int:
    """Bytes of private memory of a process, with its share of what it shares."""
    with contextlib.suppress(OSError, ValueError):
        for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) * 1024
    return 0


def read(path: str) -> str:
    """A small text file."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def watch(spec: dict[str, Any], program: int) -> dict[str, Any]:
    """Wait for the program, reaping every orphan; exit at once when the runtime lets go."""
    waker, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(waker, select.POLLIN)
    poll.register(0, select.POLLIN | select.POLLHUP)
    limit = spec["memory"]
    peak = 0
    while True:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                peak = max(peak, usage.ru_maxrss * 1024)
                if pid == 0:
                    break
                if pid == program:
                    return {"status": status, "peak": peak if limit else None}
        ready = poll.poll(50 if limit else None)
        if any(descriptor == 0 for descriptor, _ in ready):
            os._exit(0)
        with contextlib.suppress(BlockingIOError):
            os.read(waker, 4096)
        if limit:
            peak = max(peak, used := memory_used(limit))
            if used > limit:
                return {"memory": used, "peak": peak}


def main(spec: dict[str, Any]) -> dict[str, Any]:
    """Make the sandbox, run the program in it, tell how it ended."""
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.umask(0o022)
    groups = [os.open(path, os.O_WRONLY | os.O_CLOEXEC) for path in spec["cgroups"]]
    socket.sethostname("eggcrate")
    if not spec["network"]:
        loopback_up()
    make_root(spec)
    told, tell = os.pipe2(os.O_CLOEXEC)
    program = os.fork()
    if program == 0:
        start(spec, groups, tell)
    os.close(tell)
    if spec["terminal"]:
        os.close(spec["terminal"])
    nowhere = os.open("/dev/null", os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    if failure := os.read(told, 4096).decode(errors="replace"):
        raise LaunchError(failure)
    return watch(spec, program)


def read_line() -> dict[str, Any]:
    """The first line of standard input; no more, since its end means something."""
    data = b""
    while not data.endswith(b"\n"):
        part = os.read(0, 1 << 16)
        if not part:
            os._exit(0)
        data += part
    found: dict[str, Any] = json.loads(data)
    return found


if __name__ == "__main__":
    status = int(sys.argv[1])
    os.set_inheritable(status, False)
    try:
        answer = main(read_line())
    except LaunchError as error:
        answer = {"broken": str(error)}
    except OSError as error:
        answer = {"broken": f"{error.filename or 'the sandbox'}: {error.strerror}"}
    os.write(status, json.dumps(answer).encode() + b"\n")
    os._exit(0)
