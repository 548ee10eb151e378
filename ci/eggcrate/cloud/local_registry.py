"""A registry for builds that run here: the one that is named, or one of this checkout's own."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.cloud.forward import forwarded
from eggcrate.errors import RuntimeUnavailableError, UsageError
from eggcrate.loopback import is_loopback
from eggcrate.registry.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THIS_MACHINE = "host.docker.internal"
"""What containers call it."""
_START = 20.0
_DEFAULT_PORT = 80


@dataclass(frozen=True, kw_only=True)
class Reached:
    """A registry as both sides name it."""

    here: str
    inside: str


@contextlib.contextmanager
def reachable(prefix: str, folder: Path, gateway: str) -> Iterator[Reached]:
    """A registry that containers reach, for the length of the block.

    Args:
        prefix: ``HOST/PATH``; empty: a registry is started, which keeps its images in ``folder``.
        folder: for that registry.
        gateway: this machine's address on the containers' network.

    Raises:
        UsageError: none is named, and none can be started here.
        RuntimeUnavailableError: it cannot be started, or not be reached.
    """
    with contextlib.ExitStack() as stack:
        if not prefix:
            prefix = f"{stack.enter_context(_started(folder))}/eggcrate"
        address = Address.parse(prefix)
        if not is_loopback(address.host):
            yield Reached(here=prefix, inside=prefix)
            return
        host, _, port = address.host.partition(":")
        number = int(port or _DEFAULT_PORT)
        stack.enter_context(forwarded(gateway, number, (host, number)))
        inside = Address(host=f"{THIS_MACHINE}:{number}", path=address.path)
        yield Reached(here=str(address), inside=str(inside))


@contextlib.contextmanager
def _started(folder: Path) -> Iterator[str]:
    program = shutil.which("docker-registry") or shutil.which("registry")
    if not program:
        raise UsageError(
            "there is no registry to run this build against",
            why="none is named, and no docker-registry is installed to start one with",
            hint="apt-get install docker-registry, or name one with --registry HOST/PATH",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (folder / "config.yml").write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"http: {{addr: {address}}}\n"
        "storage:\n  delete: {enabled: true}\n"
        f"  filesystem: {{rootdirectory: {folder / 'data'}}}\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", str(folder / "config.yml")],
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the build: its last steps may push still
        )
    try:
        _wait_for(address, process, folder / "log")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    host, _, port = address.partition(":")
    end = time.monotonic() + _START
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.05)
    lines = log.read_text(errors="replace").strip().splitlines()
    raise RuntimeUnavailableError(
        "docker-registry does not start", why=lines[-1] if lines else "it says nothing"
    )
