"""Registries on loopback are let through to containers, and one is started where none is named."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from eggcrate.cloud import local_registry
from eggcrate.cloud.forward import forwarded
from eggcrate.cloud.local_registry import reachable
from eggcrate.errors import RuntimeUnavailableError, UsageError
from eggcrate.registry.address import Address
from eggcrate.runtimes.privileges import host_config

if TYPE_CHECKING:
    from pathlib import Path

GATEWAY = "127.0.0.9"
"""Another address of this machine, as a bridge's is."""


def test_bytes_are_carried_both_ways() -> None:
    """Large answers, several connections at once, and the end of each side's words."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            for _ in range(3):
                there, _ = server.accept()
                with there:
                    asked = b""
                    while data := there.recv(1000):
                        asked += data
                    there.sendall(asked * 100_000)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with forwarded(GATEWAY, port, ("127.0.0.1", port)):
            for word in (b"one", b"two", b"three"):
                with socket.create_connection((GATEWAY, port), timeout=10) as near:
                    near.sendall(word)
                    near.shutdown(socket.SHUT_WR)
                    got = b""
                    while data := near.recv(1 << 16):
                        got += data
                assert got == word * 100_000
        thread.join(10)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((GATEWAY, port), timeout=1)


def test_nobody_behind_ends_the_connection() -> None:
    """A server that is not there is no answer, not one to wait for."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with (
        forwarded(GATEWAY, port, ("127.0.0.1", port)),
        socket.create_connection((GATEWAY, port), timeout=10) as near,
    ):
        assert near.recv(1) == b""


def test_a_taken_port_is_told() -> None:
    """What listens there already is not pushed aside."""
    with socket.create_server((GATEWAY, 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(RuntimeUnavailableError, match="cannot be let through"),
            forwarded(GATEWAY, port, ("127.0.0.1", port)),
        ):
            pass


def test_a_registry_is_started_and_kept(tmp_path: Path) -> None:
    """Without a name one of the checkout's own: it answers at both addresses, and ends."""
    if not local_registry.shutil.which("docker-registry"):
        pytest.skip("docker-registry is not installed")
    with reachable("", tmp_path / "registry", GATEWAY) as found:
        assert found.inside.startswith("host.docker.internal:")
        assert Address.parse(found.inside).plain
        for host in (found.here, found.inside.replace("host.docker.internal", GATEWAY)):
            url = f"http://{host.partition('/')[0]}/v2/"
            with urllib.request.urlopen(url, timeout=10) as answer:
                assert answer.status == 200
    assert (tmp_path / "registry" / "config.yml").exists()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://{found.here.partition('/')[0]}/v2/", timeout=1)


def test_other_registries_are_reached_as_they_are(tmp_path: Path) -> None:
    """What is not on this machine needs no help."""
    with reachable("europe-docker.pkg.dev/a/b", tmp_path, GATEWAY) as found:
        assert found.inside == found.here == "europe-docker.pkg.dev/a/b"


def test_without_any_registry_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None named, none to start: what to do is told."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError) as caught, reachable("", tmp_path, GATEWAY):
        pass
    assert "apt-get install docker-registry" in caught.value.hint


def test_steps_may_do_what_the_machine_may() -> None:
    """Privileged where the machine has every capability; else all but those it lacks."""

    class Client:
        def create_host_config(self, **settings: object) -> dict[str, object]:
            return settings

    whole = host_config(Client(), status="CapBnd:\t000001ffffffffff\n", init=True)  # type: ignore[arg-type]
    assert whole == {"privileged": True, "init": True}
    less = host_config(Client(), status="CapBnd:\t000001fffeffffff\n")  # type: ignore[arg-type]
    assert less["cap_add"] == ["ALL"]
    assert less["cap_drop"] == ["SYS_RESOURCE"]
    assert less["MaskedPaths"] == []
    assert "seccomp=unconfined" in less["security_opt"]
