"""What the contenders talk to: a registry, Docker daemons, and files over HTTP, on loopback.

All of it is started here, in folders of its own, and stopped at the end of the block.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self

from eggcrate.errors import RuntimeUnavailableError
from eggcrate.files import remove_tree
from eggcrate.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_START = 60
_STOP = 30
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_APT = "apt-get install docker.io docker-registry"


class Registry:
    """A CNCF Distribution registry without log-in; a context manager.

    Attributes:
        address: ``127.0.0.1:PORT``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = _program("docker-registry")
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"127.0.0.1:{free_port()}"

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        (self._folder / "config.yml").write_text(
            "version: 0.1\nlog: {level: error}\n"
            f"http: {{addr: {self.address}, secret: bench}}\n"
            f"storage:\n  filesystem: {{rootdirectory: {self._folder}/data}}\n"
        )
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def wipe(self) -> None:
        """Forget all images; the address stays."""
        self._stop()
        remove_tree(self._folder / "data")
        self._start()

    def stored(self) -> int:
        """Bytes of all blobs and manifests in it."""
        blobs = self._folder / "data" / "docker" / "registry" / "v2" / "blobs"
        return sum(path.stat().st_size for path in blobs.rglob("data") if path.is_file())

    def version(self) -> str:
        """Of the program."""
        return run([self._program, "--version"]).text.split()[-1]

    def _start(self) -> None:
        argv = [self._program, "serve", f"{self._folder}/config.yml"]
        self._process = _started(argv, self._folder / "log", lambda: _listens(self.address))

    def _stop(self) -> None:
        if self._process:
            _stopped(self._process)
        self._process = None


@contextlib.contextmanager
def docker_daemon(folder: Path) -> Iterator[str]:
    """A Docker daemon for the length of the block, as a ``DOCKER_HOST``.

    It leaves the machine's network alone: a bridge of its own, since without one it would remove
    that of another daemon, and no firewall rule. Builds and containers use ``--network host``.
    """
    address = f"unix://{folder}/docker.sock"
    folder.mkdir(parents=True)
    argv = [_program("dockerd"), "--host", address, "--pidfile", f"{folder}/pid"]
    argv += ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
    bridge = f"egg{os.getpid()}"
    argv += ["--bridge", bridge, "--iptables=false"]
    client = [docker_client(), "--host", address, "version"]
    with _bridge(bridge):
        process = _started(
            argv, folder / "log", lambda: run(client, env=docker_env(), check=False).returncode == 0
        )
        try:
            yield address
        finally:
            _stopped(process)
            _unmount_below(folder)


@contextlib.contextmanager
def _bridge(name: str) -> Iterator[None]:
    """A network bridge that leads nowhere, for the length of the block."""
    program = _program("ip")
    run([program, "link", "add", name, "type", "bridge"])
    try:
        run([program, "address", "add", "10.213.213.1/30", "dev", name])
        yield
    finally:
        run([program, "link", "delete", name], check=False)


def docker_client() -> str:
    """A Docker client that can drive BuildKit: up to 20.10 by itself, later ones with buildx.

    Raises:
        RuntimeUnavailableError: there is none.
    """
    for folder in (*os.environ.get("PATH", "").split(":"), "/usr/bin"):
        program = shutil.which("docker", path=folder)
        if not program:
            continue
        version = run([program, "--version"], check=False).text.removeprefix("Docker version ")
        plugin = run([program, "buildx", "version"], env=docker_env(), check=False)
        if version.startswith("20.") or plugin.returncode == 0:
            return program
    raise RuntimeUnavailableError("no Docker client can drive BuildKit", hint=_APT)


def docker_env() -> dict[str, str]:
    """What Docker's client sees as its environment: nothing of the user's configuration."""
    return {"PATH": os.environ.get("PATH", ""), "DOCKER_BUILDKIT": "1", "HOME": "/nonexistent"}


@contextlib.contextmanager
def file_server(files: Mapping[str, Path | bytes]) -> Iterator[str]:
    """Serve paths such as ``simple/numpy/``; yields the URL, with no slash at the end."""

    class Handler(_FileHandler):
        served = files

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _FileHandler(BaseHTTPRequestHandler):
    served: Mapping[str, Path | bytes] = {}
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        found = self.served.get(self.path.split("?")[0].lstrip("/"))
        if found is None:
            self._head(HTTPStatus.NOT_FOUND, 0, "text/plain")
        elif isinstance(found, bytes):
            self._head(HTTPStatus.OK, len(found), "text/html")
            if self.command == "GET":
                self.wfile.write(found)
        else:
            with found.open("rb") as file:
                self._head(HTTPStatus.OK, found.stat().st_size, "application/octet-stream")
                if self.command == "GET":
                    with contextlib.suppress(ConnectionError):
                        self.connection.sendfile(file)

    def _head(self, status: HTTPStatus, length: int, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _program(name: str) -> str:
    program = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SBIN}")
    if not program:
        raise RuntimeUnavailableError(f"{name} is not installed", hint=_APT)
    return program


def _started(argv: list[str], log: Path, ready: Callable[[], bool]) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        # In a session of its own: Ctrl-C goes to the bench, which then stops it in order.
        process = subprocess.Popen(argv, stdout=file, stderr=file, start_new_session=True)
    try:
        end = time.monotonic() + _START
        while time.monotonic() < end and process.poll() is None:
            if ready():
                return process
            time.sleep(0.05)
    except BaseException:
        _stopped(process)
        raise
    _stopped(process)
    lines = log.read_text(errors="replace").splitlines()
    raise RuntimeUnavailableError(
        f"{Path(argv[0]).name} does not start here", why=lines[-1] if lines else "it said nothing"
    )


def _stopped(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _unmount_below(folder: Path) -> None:
    """The daemon leaves its network namespace mounted, and then nobody can remove the folder."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed(mounts):
        if Path(mount).is_relative_to(folder):
            run(["umount", mount], check=False)


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True
