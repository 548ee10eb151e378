"""Real servers for tests: a Docker daemon and a registry, started here and stopped at the end.

Import the fixtures in a ``conftest.py``. Without the programs, or without root for Docker,
the tests that need them are skipped, saying so.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from eggcrate.files import exclusive
from eggcrate.runtimes import docker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_START = 60


@pytest.fixture(scope="session")
def docker_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Docker daemon, in ``DOCKER_HOST`` for the session.

    One that runs already is used; else one is started on a socket of its own. Parallel test
    workers take turns.
    """
    with exclusive(_shared(tmp_path_factory) / "eggcrate-test-docker.lock"):
        if docker.available() is None:
            yield docker.daemon_address()
            return
        if os.geteuid() != 0:
            pytest.skip("no Docker daemon answers, and starting one needs root")
        program = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if not program:
            pytest.skip("no Docker daemon answers, and dockerd is not installed")
        # A socket's path may be about 100 characters long: pytest's folders are too deep.
        with tempfile.TemporaryDirectory(prefix="eggcrate-dockerd-") as folder:
            yield from _dockerd(program, Path(folder))


def _dockerd(program: str, folder: Path) -> Iterator[str]:
    address = f"unix://{folder}/docker.sock"
    argv = [program, "--host", address, "--data-root", f"{folder}/data"]
    argv += ["--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    before = os.environ.get("DOCKER_HOST")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        try:
            os.environ["DOCKER_HOST"] = address
            if not _until(lambda: docker.available() is None, process):
                lines = (folder / "log").read_text(errors="replace").splitlines()
                pytest.skip(f"dockerd does not start here: {lines[-1] if lines else 'no word'}")
            yield address
        finally:
            if before is None:
                os.environ.pop("DOCKER_HOST", None)
            else:
                os.environ["DOCKER_HOST"] = before
            _stop(process)
            for mounted in (folder / "exec" / "netns").glob("*"):  # by containers on the host's
                subprocess.run(["umount", str(mounted)], check=False)


@pytest.fixture(scope="session")
def registry_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``127.0.0.1:PORT`` of a CNCF Distribution registry without log-in."""
    with RegistryServer(tmp_path_factory.mktemp("registry")) as server:
        yield server.address


class RegistryServer:
    """A CNCF Distribution registry on loopback; a context manager.

    Args:
        folder: for its data, configuration and log.
        extra: more of its configuration, as lines of YAML.
        tls: a certificate and its key; plain HTTP without.
        delete: delete what it is asked to; by default registries do not.
    """

    def __init__(
        self,
        folder: Path,
        extra: str = "",
        *,
        tls: tuple[Path, Path] | None = None,
        delete: bool = True,
    ) -> None:
        self._program = shutil.which("docker-registry") or ""
        if not self._program:
            pytest.skip("docker-registry is not installed")
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        folder.mkdir(parents=True, exist_ok=True)
        secure = f", tls: {{certificate: {tls[0]}, key: {tls[1]}}}" if tls else ""
        (folder / "config.yml").write_text(
            "version: 0.1\nlog: {level: error}\n"
            # With a secret of its own each start would forget the uploads under way.
            f"http: {{addr: {self.address}, secret: eggcrate-tests{secure}}}\n"
            f"storage:\n  delete: {{enabled: {str(delete).lower()}}}\n"
            f"  filesystem: {{rootdirectory: {folder}/data}}\n"
            f"{extra}"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers."""
        argv = [self._program, "serve", f"{self.folder}/config.yml"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        if not _until(lambda: _listens(self.address), self._process):
            self.stop()
            pytest.skip("docker-registry does not start here")

    def stop(self, *, kill: bool = False) -> None:
        """End it, or kill it at once."""
        if self._process:
            if kill:
                self._process.kill()
            _stop(self._process)
        self._process = None


def _shared(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def _until(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + _START
    while time.monotonic() < end and process.poll() is None:
        if ready():
            return True
        time.sleep(0.05)
    return False


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
