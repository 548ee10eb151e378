"""The base of the Docker contenders: Debian with Python, as slim as ``python:3.11-slim`` is.

No registry of public images is asked: debootstrap makes it from apt's own mirror.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from bench.inputs import POETRY, POETRY_PLUGIN, UV
from eggcrate.errors import RuntimeUnavailableError
from eggcrate.files import atomic_open, remove_tree
from eggcrate.packages.debian.mirror import configured_mirrors
from eggcrate.process import run

if TYPE_CHECKING:
    from pathlib import Path

    from bench.docker_host import DockerHost
    from eggcrate.progress import Progress

SUITE = "bookworm"
PYTHON, POETRY_BUILDER, UV_BUILDER = "bench/python", "bench/poetry", "bench/uv"
_INCLUDE = "ca-certificates,python3,python3-venv"
_NOT_IN_SLIM = (
    *("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info"),
    *("var/lib/apt/lists", "var/cache/apt/archives", "var/cache/debconf", "var/log"),
)


def debian_with_python(scratch: Path, cache: Path, progress: Progress) -> Path:
    """A root filesystem as a tar archive; kept in the user's cache, for it takes a minute.

    Raises:
        EggcrateError: debootstrap is missing, or fails.
    """
    kept = cache / "bench" / f"{SUITE}-python.tar"
    if kept.is_file():
        return kept
    program = shutil.which("debootstrap", path="/usr/sbin:/usr/bin")
    if not program:
        raise RuntimeUnavailableError(
            "debootstrap is not installed", hint="apt-get install debootstrap"
        )
    progress.info("making the base of the Docker images, once")
    root = scratch / "root"
    mirror = configured_mirrors().archive[0]
    run([program, "--variant=minbase", f"--include={_INCLUDE}", SUITE, str(root), mirror])
    for name in _NOT_IN_SLIM:
        remove_tree(root / name)
        (root / name).mkdir(parents=True)
    archive = scratch / "root.tar"
    run(["tar", "--create", "--file", str(archive), "--directory", str(root), "."])
    with archive.open("rb") as reader, atomic_open(kept) as writer:
        shutil.copyfileobj(reader, writer)
    remove_tree(root)
    archive.unlink()
    return kept


def make_bases(host: DockerHost, archive: Path, dockerfiles: Path, index: str) -> None:
    """Have ``first`` and ``patched`` of the Python image and of both builders.

    Builders hold their tool already: installing Poetry or uv is not measured.
    """
    host.docker("import", str(archive), f"{PYTHON}:first")
    host.build(dockerfiles / "python.Dockerfile", tag=f"{PYTHON}:patched")
    tools = {POETRY_BUILDER: f"{POETRY} {POETRY_PLUGIN}", UV_BUILDER: UV}
    for tag in ("first", "patched"):
        for name, tool in tools.items():
            host.build(
                dockerfiles / "builder.Dockerfile",
                tag=f"{name}:{tag}",
                arguments={"BASE": f"{PYTHON}:{tag}", "INDEX": index, "TOOLS": tool},
            )


def choose_base(host: DockerHost, tag: str) -> None:
    """Let the Dockerfiles build on ``first`` or on ``patched``."""
    for name in (PYTHON, POETRY_BUILDER, UV_BUILDER):
        host.docker("tag", f"{name}:{tag}", f"{name}:current")
