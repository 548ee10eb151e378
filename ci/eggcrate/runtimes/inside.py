"""What a program finds inside an image, and how its ending is told: the same in each runtime."""

from __future__ import annotations

import os
import signal
import ssl
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.progress import human_size
from eggcrate.runtimes.protocol import Ending, Mount, Result

if TYPE_CHECKING:
    from eggcrate.runtimes.protocol import Command, UnpackedImage

UID = 65532
"""User and group of programs, as distroless images name ``nonroot``."""
HOME = "/tmp"  # noqa: S108 - inside it is a private tmpfs
OUTPUT = 1 << 20
HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost\n"
CERTIFICATES = "/eggcrate/certificates.pem"
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class Tail:
    """The last bytes of an output of any length."""

    def __init__(self, limit: int = OUTPUT) -> None:
        self._limit = limit
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._cut = False

    def add(self, data: bytes) -> None:
        """Add what was written next."""
        self._parts.append(data)
        self._size += len(data)
        while self._size - len(self._parts[0]) >= self._limit:
            self._size -= len(self._parts.popleft())
            self._cut = True

    def text(self) -> str:
        """The end of the output, decoded with replacement."""
        data = b"".join(self._parts)
        cut = self._cut or len(data) > self._limit
        text = data[-self._limit :].decode("utf-8", "replace")
        return f"[only the last {human_size(self._limit)} of the output]\n{text}" if cut else text


def environment(image: UnpackedImage, command: Command) -> dict[str, str]:
    """The program's whole environment; nothing of the host's comes in."""
    # An image's own home is part of its root, which is read-only here.
    return {**image.env, "HOME": HOME, **command.env}


def with_certificates(command: Command) -> Command:
    """A command with a network, given the host's certificates: it may be behind a proxy."""
    bundle = _bundle() if command.network else None
    if bundle is None:
        return command
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    return replace(
        command,
        env={**dict.fromkeys(names, CERTIFICATES), **command.env},
        mounts=(*command.mounts, Mount(source=bundle, target=CERTIFICATES)),
    )


def _bundle() -> Path | None:
    named = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_BUNDLES)
    for name in named:
        if name and Path(name).is_file():
            return Path(name).resolve()
    return None


def bad_mounts(command: Command) -> str:
    """Why the mounts of a command cannot be made; empty when they can."""
    for mount in command.mounts:
        if not mount.target.startswith("/eggcrate/") or ".." in mount.target.split("/"):
            return f"mount target {mount.target} does not lie under /eggcrate"
        if not mount.source.exists():
            return f"mount source {mount.source} does not exist"
    return ""


def open_to_program(command: Command) -> None:
    """Give writable mounts to the program's user, where we are root and it is not."""
    if os.geteuid() == 0:
        for mount in command.mounts:
            if mount.writable:
                os.chown(mount.source, UID, UID)


def ended(status: int, **seen: object) -> Result:
    """The result of a wait status, as wait(2) tells it."""
    if os.WIFSIGNALED(status):
        return signalled(os.WTERMSIG(status), **seen)
    return exited(os.WEXITSTATUS(status), **seen)


def exited(code: int, **seen: object) -> Result:
    """The result of a program that ended by itself."""
    return _result(Ending.EXITED, exit_code=code, **seen)


def signalled(number: int, **seen: object) -> Result:
    """The result of a program that a signal ended."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return _result(Ending.SIGNALLED, signal=number, reason=f"it was ended by {name}", **seen)


def timed_out(command: Command, **seen: object) -> Result:
    """The result of a program that took too long."""
    reason = f"it did not end within {command.limits.seconds:g} s"
    return _result(Ending.TIMED_OUT, reason=reason, **seen)


def out_of_memory(command: Command, **seen: object) -> Result:
    """The result of a program that used more memory than it may."""
    reason = f"it needed more memory than its limit of {human_size(command.limits.memory)}"
    return _result(Ending.OUT_OF_MEMORY, reason=reason, **seen)


def broken(reason: str, **seen: object) -> Result:
    """The result of a program that never ran."""
    return _result(Ending.BROKEN, reason=reason, **seen)


def _result(ending: Ending, **fields: object) -> Result:
    return Result(ending=ending, **{"exit_code": None, **fields})  # type: ignore[arg-type] # kept short
