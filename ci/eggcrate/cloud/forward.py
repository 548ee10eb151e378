"""Let containers reach a server that listens on this machine's loopback alone."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from eggcrate.errors import RuntimeUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 16


@contextlib.contextmanager
def forwarded(gateway: str, port: int, target: tuple[str, int]) -> Iterator[None]:
    """Carry connections to ``gateway:port`` on to ``target``, for the length of the block.

    Args:
        gateway: this machine's address on the containers' network.
        port: to listen on.
        target: host and port of the server.

    Raises:
        RuntimeUnavailableError: this machine cannot listen there.
    """
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((gateway, port))
        server.listen(64)
    except OSError as error:
        server.close()
        raise RuntimeUnavailableError(
            f"containers cannot be let through to {target[0]}:{target[1]}",
            why=f"nobody can listen at {gateway}:{port}: {error.strerror}",
            hint="name a --registry that containers reach by themselves",
        ) from error
    with contextlib.closing(server):
        thread = threading.Thread(target=_accept, args=(server, target), daemon=True)
        thread.start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _accept(server: socket.socket, target: tuple[str, int]) -> None:
    while True:
        try:
            near, _ = server.accept()
        except OSError:
            return
        try:
            far = socket.create_connection(target)
        except OSError:
            near.close()
            continue
        open_ends = threading.Semaphore(0)
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=_carry, args=(one, other, open_ends), daemon=True).start()
        threading.Thread(target=_close, args=(near, far, open_ends), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket, ended: threading.Semaphore) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
    ended.release()


def _close(near: socket.socket, far: socket.socket, ended: threading.Semaphore) -> None:
    ended.acquire()
    ended.acquire()
    near.close()
    far.close()
