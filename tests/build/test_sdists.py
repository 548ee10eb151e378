"""Packages without wheels: built once, alone in a sandbox, and the same everywhere.

Those that are compiled have tests of their own.
"""

from __future__ import annotations

import shutil
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.utils import parse_sdist_filename

from eggcrate.packages.indexes import Indexes
from eggcrate.packages.pip_config import read_pip_config
from support.repository import (
    Package,
    Repository,
    copy_cache,
    make_repository,
    packages,
)
from support.wheels import make_sdist

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.network, pytest.mark.sandbox]

_SETUP = "from setuptools import setup\nsetup(name={0!r}, version='1.0', py_modules=[{0!r}])\n"
_C = """
from setuptools import Extension, setup
setup(name={0!r}, version="1.0", ext_modules=[Extension("native", ["native.c"])])
"""
_PLATFORM = """
from setuptools import Distribution, setup
class Native(Distribution):
    def has_ext_modules(self):
        return True
setup(name={0!r}, version="1.0", py_modules=[{0!r}], distclass=Native)
"""
_PRY = """
import os, pathlib, socket
found = []
def look(what, how):
    try:
        found.append((what, how()))
    except OSError:
        pass
look("shadow", lambda: pathlib.Path("/etc/shadow").read_text())
look("home", lambda: os.listdir({home!r}))
look("host", lambda: os.listdir({folder!r}))
look("connection", lambda: socket.create_connection(("127.0.0.1", {port}), 5).close())
look("write", lambda: open("/opt/env/pwned", "w"))
look("sdist", lambda: open("/eggcrate/build_wheel.py", "a"))
look("root", lambda: os.setuid(0))
secret = os.environ.get("A_SECRET_OF_THE_USER")
assert not found and secret is None, (found, secret)
pathlib.Path("nosy.py").write_text("FOUND = %r" % found)
"""


@pytest.fixture(scope="module")
def backends(base_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository whose cache holds the image of the build backends; the real indexes."""
    folder = tmp_path_factory.mktemp("backends")
    repository = make_repository(folder / "repo", copy_cache(base_cache, folder / "cache"))
    for compilers in repository.root.glob("bases/*-build"):
        shutil.rmtree(compilers)
    links = folder / "links"
    repository.pip = {}
    sdist = _sdist(links, "pure", _SETUP.format("pure"), {"pure.py": "VALUE = 7\n"})
    repository.environment("pure", packages(sdist))
    return repository


def _sdist(links: Path, name: str, setup: str, files: dict[str, str]) -> Path:
    return make_sdist(links, name, files={"setup.py": setup, **files})


def _links(repository: Repository) -> dict[str, str]:
    return {"PIP_FIND_LINKS": str(repository.root.parent / "links")}


def test_an_sdist_is_built_and_runs(backends: Repository) -> None:
    """The wheel made of it is installed as any other, and the sdist is asked for no more."""
    digest = backends.build("pure", extra=_links(backends))["pure linux/amd64"]
    assert backends.python(digest, "import pure; print(pure.VALUE)") == "7"
    assert not [ref for ref in backends.store.refs() if ref.startswith("eggcrate-backends-")]


@pytest.mark.parametrize(
    ("name", "setup", "told"),
    [
        ("native", _C, "could not be built from its sdist"),
        ("tagged", _PLATFORM, "is compiled when it is built"),
    ],
)
def test_a_compiled_package_is_refused_where_the_base_has_no_compilers(
    backends: Repository, name: str, setup: str, told: str
) -> None:
    """A clear error that names the package and the ways out, and no traceback of ours."""
    links = backends.root.parent / "links"
    files = {f"{name}.c": "int main;\n", f"{name}.py": ""}
    sdist = _sdist(links, name, setup.format(name), files)
    backends.environment(name, packages(sdist))
    ran = backends.run("build", name, "--json", extra=_links(backends))
    assert (ran.code, ran.calm) == (1, True), ran.err
    [result] = ran.results
    assert result["verdict"] == "blocked"
    ways = ("wheel", "Dockerfile", "find-links", "add compilers: a base python-3.11-build")
    for text in (f"{name} 1.0", told, *ways):
        assert text in result["error"], result["error"]


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bool]]]:
    """A port of this machine, and whether somebody came."""
    came: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                server.accept()
                came.append(True)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_nosy_sdist_finds_nothing(backends: Repository, listener: tuple[int, list[bool]]) -> None:
    """No network, no file of the machine or of its user, no variable, nothing to write to."""
    port, came = listener
    home, folder = str(Path.home()), str(backends.root)
    setup = _PRY.format(home=home, folder=folder, port=port) + _SETUP.format("nosy")
    sdist = _sdist(backends.root.parent / "links", "nosy", setup, {})
    backends.environment("nosy", packages(sdist))
    extra = _links(backends) | {"A_SECRET_OF_THE_USER": "1"}
    digest = backends.build("nosy", extra=extra)["nosy linux/amd64"]
    assert backends.python(digest, "import nosy; print(nosy.FOUND)") == "[]"
    assert came == []


def _real_sdist(name: str) -> Package:
    """The newest sdist that the indexes of this machine offer."""
    with Indexes(read_pip_config()) as indexes:
        links = [link for one in indexes.sources for link in indexes.links(one, name) or ()]
    found = {
        parse_sdist_filename(link.filename)[1]: (link.filename, str(link.hashes["sha256"]))
        for link in links
        if link.filename.endswith(".tar.gz") and link.hashes
    }
    newest = max(version for version in found if not version.is_prerelease)
    return Package(name=name, version=str(newest), files=(found[newest],))


def test_a_real_sdist_is_the_same_wheel_everywhere(
    backends: Repository, base_cache: Path, tmp_path: Path
) -> None:
    """kfp-server-api, in two caches, two folders, two umasks: one wheel, one image."""
    backends.build("pure", extra=_links(backends))
    locked = _real_sdist("kfp-server-api")
    seen = []
    for number, umask in enumerate((0o022, 0o077)):
        folder = tmp_path / f"machine-{number}"
        cache = copy_cache(backends.cache if number else base_cache, folder / "cache")
        repository = make_repository(folder / "repo", cache)
        repository.environment("kfp-api", (locked,))
        extra = {"TZ": ("UTC", "Asia/Kathmandu")[number], "EGGCRATE_JOBS": str(1 + number)}
        digest = repository.build(extra=extra, umask=umask)["kfp-api linux/amd64"]
        wheels = [path.name for path in cache.glob("files/*/*/kfp_server_api*.whl")]
        hashes = [path.parent.name for path in cache.glob("files/*/*/kfp_server_api*.whl")]
        seen.append((digest, wheels, hashes))
    assert seen[0] == seen[1]
    assert len(seen[0][1]) == 1
