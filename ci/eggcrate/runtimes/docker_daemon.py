"""The Docker daemon of this machine: where it is, whether it answers, what it says."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import docker
from docker.errors import DockerException

if TYPE_CHECKING:
    from collections.abc import Iterator

_PING = 0.5
_TIMEOUT = 60
_GOING = 3.0


def available() -> str | None:
    """Why docker cannot be used here; ``None`` when a daemon on this machine answers."""
    address = daemon_address()
    if not address.startswith("unix:"):
        return f"the daemon at {address} is not on this machine, whose folders must be mounted"
    if not Path(address.removeprefix("unix://")).is_socket():
        return f"no daemon answers at {address}: there is no socket"
    try:
        with connect(_PING) as client:
            client.ping()
    except (DockerException, OSError) as error:
        return f"no daemon answers at {address}: {sentence(error)}"
    return None


def goes_away() -> str | None:
    """Why the daemon cannot be used any more; waits a little, for one that is being stopped."""
    end = time.monotonic() + _GOING
    while (reason := available()) is None and time.monotonic() < end:
        time.sleep(_PING)
    return reason


def daemon_address() -> str:
    """Where the daemon is, as ``DOCKER_HOST`` names it."""
    if named := os.environ.get("DOCKER_HOST"):
        return named.replace("http+unix://", "unix://")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    sockets = ["/var/run/docker.sock", f"{runtime}/docker.sock", f"{runtime}/podman/podman.sock"]
    sockets.append("/run/podman/podman.sock")
    return f"unix://{next((name for name in sockets if Path(name).is_socket()), sockets[0])}"


@contextlib.contextmanager
def connect(timeout: float = _TIMEOUT) -> Iterator[docker.APIClient]:
    """A connection to it for the length of the block; ``timeout`` is in seconds."""
    client = docker.APIClient(base_url=daemon_address(), version="auto", timeout=timeout)  # type: ignore[arg-type] # seconds may be a fraction
    try:
        yield client
    finally:
        client.close()


def sentence(error: Exception) -> str:
    """What an error says, in a line."""
    text = getattr(error, "explanation", None) or str(error)
    return str(text).strip().splitlines()[0] if str(text).strip() else type(error).__name__
