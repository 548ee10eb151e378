"""A certificate authority, and a proxy that takes calls to Google's hosts to loopback."""

from __future__ import annotations

import atexit
import contextlib
import functools
import select
import shutil
import socket
import socketserver
import tempfile
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

if TYPE_CHECKING:
    from collections.abc import Iterator


NAMES = ("*.googleapis.com", "europe-west4-kfp.pkg.dev")


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A certificate for Google's hosts, and who signed it."""

    roots: Path
    certificate: bytes
    key: bytes
    pair: Path
    """Certificate and key in one file."""
    account_key: str
    """RSA, as in a service account's key file."""


@functools.cache
def authority() -> Authority:
    """One for the process: gRPC reads the roots once."""
    key, account = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    signer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test's own authority")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(signer)
        .issuer_name(signer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in NAMES]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    folder = tempfile.mkdtemp(prefix="eggcrate-authority-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    roots = Path(folder, "roots.pem")
    roots.write_bytes(certificate)
    pair = Path(folder, "pair.pem")
    pair.write_bytes(certificate + _pem(key))
    return Authority(
        roots=roots,
        certificate=certificate,
        key=_pem(key),
        pair=pair,
        account_key=_pem(account).decode(),
    )


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class Tunnel:
    """An HTTP CONNECT proxy. Hosts that it does not know are refused, and remembered."""

    def __init__(self, routes: dict[str, int]) -> None:
        self.routes = routes
        """Port on loopback by host."""
        self.refused: list[str] = []
        self.connected: list[str] = []
        self._sockets: list[socket.socket] = []
        tunnel = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                tunnel.serve(self.connection, self.rfile)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self, client: socket.socket, reader: socketserver._SocketIO) -> None:  # type: ignore[name-defined]
        """Take one connection where it wants to go."""
        host = reader.readline().decode().split()[1].rpartition(":")[0]
        while reader.readline().strip():
            pass
        if host not in self.routes:
            self.refused.append(host)
            client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        self.connected.append(host)
        with socket.create_connection(("127.0.0.1", self.routes[host])) as server:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            self._sockets += [client, server]
            with contextlib.suppress(OSError, ValueError):
                while True:
                    for ready in select.select([client, server], [], [])[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        (server if ready is client else client).sendall(data)

    def cut(self) -> None:
        """End every connection that there is."""
        sockets, self._sockets = self._sockets, []
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Serve."""
        thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()
            self.cut()
            thread.join()
