"""Which runtime runs the cells (docs/decisions/0006-runtimes.md)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import RuntimeUnavailableError, UsageError
from eggcrate.runtimes import docker, sandbox

if TYPE_CHECKING:
    from eggcrate.progress import Progress
    from eggcrate.registry.layout import Layout
    from eggcrate.runtimes.protocol import Runtime

NAMES = ("auto", "sandbox", "docker")
_INSIDE_CONTAINER = (Path("/.dockerenv"), Path("/run/.containerenv"))


def choose(name: str, *, store: Layout, cache: Path, progress: Progress) -> Runtime:
    """The runtime of that name, ready to use.

    ``auto`` is docker when a daemon on this machine answers, else the sandbox. A daemon that
    is reached from inside a container does not see the container's folders and is used only
    when asked for by name.

    Args:
        name: ``auto``, ``sandbox`` or ``docker``.
        store: where images are.
        cache: the user's cache folder.
        progress: told which one ``auto`` chose.

    Raises:
        RuntimeUnavailableError: it does not work on this machine; the error says why.
        UsageError: there is no runtime of that name.
    """
    if name == "docker":
        return docker.Docker(store, cache)
    if name == "sandbox":
        return _sandbox(store, cache)
    if name != "auto":
        raise UsageError(f"there is no runtime {name!r}", hint=f"use one of: {', '.join(NAMES)}")
    without_docker = _why_not_docker()
    if without_docker is None:
        progress.status("a docker daemon answers")
        return docker.Docker(store, cache)
    without_sandbox = sandbox.available()
    if without_sandbox is None:
        return sandbox.Sandbox(store, cache)
    raise RuntimeUnavailableError(
        "no runtime can run an image on this machine",
        why=f"docker: {without_docker}\nsandbox: {without_sandbox}",
        hint="start a Docker daemon, or allow user namespaces; `eggcrate doctor` tells what works",
    )


def _why_not_docker() -> str | None:
    if any(path.exists() for path in _INSIDE_CONTAINER):
        return "this is a container, and a daemon outside does not see its folders"
    return docker.available()


def _sandbox(store: Layout, cache: Path) -> Runtime:
    if reason := sandbox.available():
        raise RuntimeUnavailableError(
            "the sandbox runtime cannot be used", why=reason, hint="use --runtime docker"
        )
    return sandbox.Sandbox(store, cache)
