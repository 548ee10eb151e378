"""What goes wrong around cells: images that are damaged or cannot be had, a daemon that stops."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.runtimes import docker, sandbox
from support.matrix import BASE, add_component, running, wait_until
from support.repository import Package, Repository, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Proven

pytestmark = pytest.mark.network  # the base's packages and pytest, when no cache holds them


def outcomes(out: str) -> dict[str, tuple[str, str]]:
    """Outcome and reason of each component's cell."""
    return {
        cell["component"]: (cell["outcome"], cell["reason"]) for cell in json.loads(out)["cells"]
    }


def copied(proven: Proven, folder: Path) -> Repository:
    """The repository on a machine that has unpacked nothing yet."""
    ignore = shutil.ignore_patterns("unpacked", "roots", "build")
    shutil.copytree(proven.repository.root, folder / "repo", ignore=ignore)
    shutil.copytree(proven.repository.cache, folder / "cache", ignore=ignore, symlinks=True)
    return Repository(root=folder / "repo", cache=folder / "cache")


def test_a_damaged_layer_is_told_as_broken(
    proven: Proven, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """It is found before anything of it is run; the next run makes it again."""
    repository = copied(proven, tmp_path)
    digest = repository.store.refs()["bare"].digest
    if proven.runtime == "docker":  # a daemon that has a layer does not read it again
        request.getfixturevalue("own_daemon")
    layer = max(repository.manifest(digest).layers, key=lambda item: item.size)
    path = repository.store.blob_path(layer.digest)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.unlink()
    path.write_bytes(content)
    asked = ("matrix", "--runtime", proven.runtime, "--component", "passes", "--json", "--rerun")
    ran = repository.run(*asked, extra=BASE)
    assert ran.code == 1, ran.err
    assert "Traceback" not in ran.err
    outcome, reason = outcomes(ran.out)["passes"]
    assert outcome == "broken"
    assert layer.digest.removeprefix("sha256:")[:12] in reason or "docker refuses" in reason
    if proven.runtime == "sandbox":  # which checks layers itself, and removes what is damaged
        ran = repository.run(*asked, extra=BASE)
        assert outcomes(ran.out)["passes"] == ("passed", "")


def test_an_image_that_cannot_be_built_breaks_its_column_alone(
    matrix_cache: Path, tmp_path: Path
) -> None:
    """Why is told with the image, and in a line with each of its cells."""
    if reason := sandbox.available():
        pytest.skip(reason)
    repository = make_repository(tmp_path / "repo", matrix_cache)
    repository.environment("good", ())
    nowhere = Package(
        name="eggcrate-nowhere",
        version="1.0",
        files=(("eggcrate_nowhere-1.0-py3-none-any.whl", "0" * 64),),
    )
    repository.environment("bad", (nowhere,))
    add_component(repository, "step", test="def test_it():\n    pass\n")
    ran = repository.run("matrix", "--runtime", "sandbox", "--json", extra=BASE)
    assert ran.code == 1
    found = {
        cell["environment"]: (cell["outcome"], cell["reason"])
        for cell in json.loads(ran.out)["cells"]
    }
    assert found["good"] == ("passed", "")
    assert found["bad"][0] == "broken"
    assert found["bad"][1].startswith("its image could not be built: ")


@pytest.fixture
def own_daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that a test may stop.

    In a network of its own: a daemon without a bridge removes the bridge of every other one.
    """
    program = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if os.geteuid() != 0 or not program:
        pytest.skip("a daemon of one's own needs root and dockerd")
    with tempfile.TemporaryDirectory(prefix="eggcrate-own-") as folder:
        address = f"unix://{folder}/docker.sock"
        argv = ["unshare", "--net", program, "--host", address, "--data-root", f"{folder}/data"]
        argv += ["--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
        argv += ["--bridge", "none", "--iptables=false"]
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        monkeypatch.setenv("DOCKER_HOST", address)
        try:
            end = time.monotonic() + 60
            while docker.available() and time.monotonic() < end and process.poll() is None:
                time.sleep(0.1)
            if docker.available():
                pytest.skip("a second dockerd does not start here")
            yield process
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
def test_a_daemon_that_stops_in_the_middle_breaks_what_it_ran(
    own_daemon: Any, matrix_cache: Path, tmp_path: Path
) -> None:
    """Not the component's fault: cells under way and those to come say what happened."""
    repository = make_repository(tmp_path / "repo", matrix_cache)
    repository.environment("bare", ())
    nap = "import time\n\n\ndef test_it():\n    time.sleep(600)\n"
    for name in ("nap_one", "nap_three", "nap_two"):
        add_component(repository, name, test=nap)
    process = subprocess.Popen(
        repository.argv("matrix", "--runtime", "docker", "--json"),
        env=repository.variables({**BASE, "EGGCRATE_JOBS": "2"}),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: len(running("components/nap_")) >= 2, process)
        own_daemon.terminate()
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 1, err
    assert "Traceback" not in err
    for outcome, reason in outcomes(out).values():
        assert outcome == "broken"
        assert "daemon" in reason
    assert not running("components/nap_")
