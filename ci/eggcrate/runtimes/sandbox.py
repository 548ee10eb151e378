"""The sandbox runtime: Linux namespaces through util-linux's ``unshare``, and nothing else.

As root the program runs as another, unprivileged user of the machine; as an ordinary user it
runs in a user namespace below another, as a user that is nobody there. In neither does it
have a capability. See :mod:`eggcrate.runtimes.launcher` for what happens inside.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from eggcrate.runtimes import cgroup, inside, launcher, rootfs, terminal
from eggcrate.runtimes.protocol import Command, Limits, UnpackedImage

if TYPE_CHECKING:
    from eggcrate.registry.layout import Layout
    from eggcrate.runtimes.protocol import Result

_CHUNK = 1 << 16
_GRACE = 5.0
_LOOK = 0.25
_NPROC_BY_NAMESPACE = (5, 14)


@dataclass(kw_only=True)
class _Seen:
    """What was seen of one run from outside."""

    tail: inside.Tail = field(default_factory=inside.Tail)
    answer: bytes = b""
    timed_out: bool = False
    out_of_memory: bool = False


class Sandbox:
    """Runs programs inside images by namespaces.

    Args:
        layout: the store.
        cache: the user's cache folder, where images are unpacked.
    """

    name = "sandbox"

    def __init__(self, layout: Layout, cache: Path) -> None:
        self._layout = layout
        self._cache = cache
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def prepare(self, digest: str) -> UnpackedImage:
        """Unpack an image, where it is not unpacked already.

        Raises:
            StoreError: the store does not hold it.
            IntegrityError: what the store holds is damaged.
        """
        return rootfs.unpack(self._layout, digest, self._cache)

    def run(self, image: UnpackedImage, command: Command) -> Result:
        """Run a command inside an image. Never raises for what the program does."""
        return self.run_in(rootfs.root_path(self._cache, image.digest), image, command)

    def attend(self, image: UnpackedImage, command: Command) -> Result:
        """Run a command inside an image on this terminal. Never raises for what it does."""
        root = rootfs.root_path(self._cache, image.digest)
        with terminal.pair() as slave:
            return self.run_in(root, image, command, slave)

    def run_in(self, root: Path, image: UnpackedImage, command: Command, slave: int = 0) -> Result:
        """Run a command on a root folder that is an unpacked image.

        Args:
            root: the folder.
            image: what it is.
            command: what to run.
            slave: descriptor of the terminal to run it on; 0: none.
        """
        command = inside.with_certificates(command)
        if reason := inside.bad_mounts(command):
            return inside.broken(reason)
        inside.open_to_program(command)
        started = time.monotonic()
        group = cgroup.create(command.limits)
        try:
            spec = {**_spec(root, image, command, group), "terminal": slave}
            seen = self._launch(spec, command, group)
            peak = group.peak() if group else None
            if group and group.killed():
                seen.out_of_memory = True
        finally:
            if group:
                group.remove()
        return self._judge(seen, command, time.monotonic() - started, peak)

    def close(self) -> None:
        """End everything that runs; what is under way and whatever follows is broken."""
        with self._lock:
            self._closed = True
            for process in self._running:
                _let_go(process)

    def _launch(self, spec: dict[str, Any], command: Command, group: cgroup.Group | None) -> _Seen:
        seen = _Seen()
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb", buffering=0) as answers:
            try:
                process = _start(writer, spec)
            finally:
                os.close(writer)
            with self._lock:
                self._running.add(process)
                if self._closed:
                    _let_go(process)
            try:
                _tell(process, spec)
                _follow(process, answers, seen, command, group)
            finally:
                with self._lock:
                    self._running.discard(process)
                _end(process)
        return seen

    def _judge(self, seen: _Seen, command: Command, seconds: float, peak: int | None) -> Result:
        answer = json.loads(seen.answer) if seen.answer.endswith(b"\n") else {}
        peak = peak if peak is not None else answer.get("peak")
        told: dict[str, object] = {
            "seconds": seconds,
            "memory_peak": peak,
            "output": seen.tail.text(),
        }
        if seen.out_of_memory or "memory" in answer:
            return inside.out_of_memory(command, **told)
        if seen.timed_out:
            return inside.timed_out(command, **told)
        if "broken" in answer:
            return inside.broken(f"the sandbox could not start it: {answer['broken']}", **told)
        if "status" in answer:
            return inside.ended(answer["status"], **told)
        if self._closed:
            return inside.broken("it was stopped, because the run was interrupted", **told)
        lines = seen.tail.text().strip().splitlines()
        return inside.broken(lines[-1] if lines else "the sandbox ended unexpectedly", **told)


@functools.cache
def available() -> str | None:
    """Why the sandbox does not work on this machine; ``None`` when it does. Tried for real."""
    if sys.platform != "linux":
        return f"namespaces are Linux's, this is {sys.platform}"
    if not shutil.which("unshare"):
        return "the program `unshare` (package util-linux) is not installed"
    nothing = UnpackedImage(name="", digest="", platform="", env={})
    command = Command(argv=(), limits=Limits(memory=64 << 20, seconds=20, scratch=1 << 20))
    with tempfile.TemporaryDirectory(prefix="eggcrate-") as folder:
        sandbox = Sandbox(None, Path(folder))  # type: ignore[arg-type] # no store is asked
        root = Path(folder, "root")
        root.mkdir()
        result = sandbox.run_in(root, nothing, command)
    if result.exit_code == 0:
        return None
    hint = "" if os.geteuid() == 0 else "; unprivileged user namespaces may be switched off"
    return f"{result.reason}{hint}"


def _spec(
    root: Path, image: UnpackedImage, command: Command, group: cgroup.Group | None
) -> dict[str, Any]:
    userns = os.geteuid() != 0
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    by_namespace = userns and release >= _NPROC_BY_NAMESPACE
    files = {} if _has_text(root / "etc/hosts") else {"hosts": inside.HOSTS}
    if command.network:
        files["resolv.conf"] = _text(Path("/etc/resolv.conf"))
        files["hosts"] = _text(Path("/etc/hosts")) or inside.HOSTS
    return {
        "root": str(root),
        "userns": userns,
        "uid": inside.UID,
        "network": command.network,
        "argv": command.argv,
        "env": inside.environment(image, command),
        "workdir": command.workdir,
        "scratch": command.limits.scratch,
        "files": files,
        "mounts": [
            {"source": str(item.source.resolve()), "target": item.target, "writable": item.writable}
            for item in command.mounts
        ],
        "cgroups": [str(path) for path in group.entrances] if group else [],
        "memory": 0 if group else command.limits.memory,
        "processes": command.limits.processes if by_namespace else 0,
    }


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace")
    return ""


def _has_text(path: Path) -> bool:
    return not path.is_symlink() and bool(_text(path).strip())


def _start(status: int, spec: dict[str, Any]) -> subprocess.Popen[bytes]:
    namespaces = ["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
    if not spec["network"]:
        namespaces.append("--net")
    if spec["userns"]:
        namespaces += ["--user", "--map-root-user"]
    python = [sys.executable, "-I", "-S", "-B", launcher.__file__, str(status)]
    kept = ("PATH", "LD_LIBRARY_PATH")
    return subprocess.Popen(
        ["unshare", *namespaces, "--", *python],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[status, spec["terminal"]] if spec["terminal"] else [status],
        # Ctrl-C is ours to handle: it must not reach the launcher first.
        start_new_session=True,
        cwd="/",
        env={name: os.environ[name] for name in kept if name in os.environ},
    )


def _tell(process: subprocess.Popen[bytes], spec: dict[str, Any]) -> None:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    with contextlib.suppress(BrokenPipeError, ValueError):
        process.stdin.write(json.dumps(spec).encode() + b"\n")
        process.stdin.flush()


def _follow(
    process: subprocess.Popen[bytes],
    answers: IO[bytes],
    seen: _Seen,
    command: Command,
    group: cgroup.Group | None,
) -> None:
    """Collect output until the end, and see to it that there is one."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    deadline = time.monotonic() + command.limits.seconds
    ending = False
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(answers, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            for key, _ in selector.select(min(left, _LOOK) if group and not ending else left):
                data = os.read(key.fd, _CHUNK)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is answers:
                    seen.answer += data
                else:
                    seen.tail.add(data)
            late = time.monotonic() >= deadline
            if ending and late:
                return
            seen.out_of_memory = seen.out_of_memory or bool(group and group.killed())
            if not ending and (late or seen.out_of_memory):
                seen.timed_out = late and not seen.answer
                ending = True
                deadline = time.monotonic() + _GRACE
                _let_go(process)


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Close what the launcher listens to: it exits, and all inside with it."""
    assert process.stdin is not None  # noqa: S101 - it was asked for
    with contextlib.suppress(OSError, ValueError):
        process.stdin.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing behind, whatever happened."""
    _let_go(process)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout:
        process.stdout.close()
