"""What is docker's alone: images in the daemon, containers of those who were killed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.errors import RuntimeUnavailableError, StoreError
from eggcrate.registry import oci
from eggcrate.runtimes import docker
from eggcrate.runtimes.docker_daemon import connect
from eggcrate.runtimes.protocol import Command, Limits
from support.images import file, folder, put_image

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]


def test_an_image_is_loaded_once(docker_bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the daemon has is not sent again; what was removed from it is."""
    sent = []
    whole = docker.archive
    monkeypatch.setattr(docker, "archive", lambda *a: (sent.append(a), whole(*a))[1])
    store, runtime = docker_bench.store, docker_bench.runtime
    # A daemon that ran before may still have what another test run loaded.
    content = os.urandom(8).hex().encode()
    made = put_image(store, "small", [[folder("tmp", 0o1777), file("a", content)]], step=100)
    for _ in range(2):
        assert runtime.prepare(made.digest).name == "small"
    assert len(sent) == 1
    with connect() as client:
        client.remove_image(docker._tag(made.digest), force=True)
    runtime.prepare(made.digest)
    assert len(sent) == 2


def test_an_image_with_a_layer_twice(docker_bench: Any) -> None:
    """The same layer may stand in an image several times."""
    layer = [folder("tmp", 0o1777), file("a", b"twice")]
    made = put_image(docker_bench.store, "twice", [layer, [file("b")], layer])
    assert docker_bench.runtime.prepare(made.digest).digest == made.digest


def test_a_store_that_lacks_a_layer_is_told(docker_bench: Any) -> None:
    """A blob that is missing from the store is an error that says so."""
    made = put_image(docker_bench.store, "lacking", [[file("a", b"lacking")]])
    docker_bench.store.remove_blob(made.layers[0].digest)
    with pytest.raises(StoreError, match="is missing"):
        docker_bench.runtime.prepare(made.digest)


def test_what_docker_refuses_is_told(docker_bench: Any) -> None:
    """A layer that is no tar is Docker's to refuse, and ours to tell."""
    store = docker_bench.store
    made = put_image(store, "bad", [b"this is not a tar archive" * 100], media_type=oci.LAYER_TAR)
    with pytest.raises(StoreError, match="docker refuses image"):
        docker_bench.runtime.prepare(made.digest)


def test_containers_of_the_killed_are_removed(docker_bench: Any) -> None:
    """A process that was killed leaves a container; the next one removes it."""
    runtime = docker_bench.runtime
    image = runtime.prepare(docker_bench.digest)
    command = Command(
        argv=docker_bench.argv("import time; time.sleep(300)"),
        limits=Limits(memory=64 << 20, seconds=300),
    )
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with connect() as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr(docker.os, "getpid", lambda: gone.pid)
        left = docker._create(client, image, command)
        client.start(left)
        patch.undo()
        mine = docker._create(client, image, command)
        type(runtime)(docker_bench.store, docker_bench.cache)
        found = {item["Id"] for item in client.containers(all=True)}
        client.remove_container(mine, force=True)
    assert left not in found
    assert mine in found


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("tcp://192.0.2.1:2375", "is not on this machine"),
        ("unix:///nowhere/docker.sock", "no daemon answers"),
    ],
)
def test_no_daemon_is_told(
    docker_daemon: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, reason: str
) -> None:
    """A daemon elsewhere, or none, is why docker cannot be used."""
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(RuntimeUnavailableError) as caught:
        docker.Docker(None, tmp_path)  # type: ignore[arg-type] # it is not reached
    assert reason in caught.value.why
