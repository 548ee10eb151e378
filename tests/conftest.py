"""What every test can rely on: marks are honoured, and only marked tests leave this machine."""

from __future__ import annotations

import functools
import importlib.util
import ipaddress
import os
import shutil
import signal
import socket
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.packages.pip_config import read_pip_config
from eggcrate.runtimes import sandbox
from support.browser import NAMES as BROWSERS
from support.browser import find_browser
from support.services import docker_daemon, registry_server

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

# A shell that starts a program in the background has it ignore Ctrl-C, and all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Where the environment forbids byte code, each process that a test starts would compile all that
# it imports again: seconds for Poetry and KFP.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

__all__ = ["docker_daemon", "registry_server"]
_TOOLS = ("skopeo", "umoci")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """One worker has the Docker daemon: two would wait for each other.

    Those that may take longest come first: at the end one worker would be alone with them.
    A wrapper, for xdist reads the groups in this very hook, and may be asked before us.
    """
    items.sort(key=lambda item: -allowance(item))
    for item in items:
        if "docker_daemon" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("docker"))
    return (yield)


def allowance(item: pytest.Item) -> float:
    """Seconds that a test may take by its own mark; 0 for those that need none."""
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark else 0.0


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip by name, with the reason, what this machine cannot run."""
    for mark, missing in _MISSING.items():
        if item.get_closest_marker(mark) and (reason := missing()):
            pytest.skip(reason)


@functools.cache
def _no_network() -> str:
    index = read_pip_config().index_url
    try:
        with urllib.request.urlopen(f"{index.rstrip('/')}/pip/", timeout=20):  # noqa: S310 - pip's
            return ""
    except (OSError, ValueError, urllib.error.URLError) as error:
        return f"pip's package index does not answer: {error}"


@functools.cache
def _no_sandbox() -> str:
    reason = sandbox.available()
    return f"no sandbox on this machine: {reason}" if reason else ""


@functools.cache
def _no_tools() -> str:
    missing = [name for name in _TOOLS if not shutil.which(name)]
    return f"not installed: {', '.join(missing)}" if missing else ""


@functools.cache
def _no_browser() -> str:
    return "" if find_browser() else f"no browser on this machine: none of {', '.join(BROWSERS)}"


@functools.cache
def _no_vertex() -> str:
    names = ("google.cloud.aiplatform", "google.cloud.storage", "grpc", "cryptography")
    missing = [name for name in names if not _is_installed(name)]
    told = ", ".join(missing)
    return f"not installed: {told}; run `make setup-all`" if missing else ""


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


_MISSING: dict[str, Callable[[], str]] = {
    "network": _no_network,
    "sandbox": _no_sandbox,
    "tools": _no_tools,
    "browser": _no_browser,
    "vertex": _no_vertex,
}


@pytest.fixture(autouse=True)
def _offline(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that is not marked ``network`` reaches loopback and nothing else."""
    if request.node.get_closest_marker("network"):
        yield
        return
    connect = socket.socket.connect

    def only_loopback(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise AssertionError(f"a test that is not marked network connects to {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_loopback)
    yield


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
