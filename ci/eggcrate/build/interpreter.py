"""A base's own Python, run from its unpacked root: no privileges, no Python of the host's."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import BuildError
from eggcrate.process import ProcessError, run

if TYPE_CHECKING:
    from eggcrate.packages.target import Platform

_LOADERS = {"amd64": "ld-linux-x86-64.so.2", "arm64": "ld-linux-aarch64.so.1"}
_MAX_LINKS = 40
_ASK = """
import sys
if (sys.implementation.name, sys.version_info.releaselevel) == ("cpython", "final"):
    if not hasattr(sys, "gettotalrefcount"):
        print("%d.%d.%d" % sys.version_info[:3])
"""


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """CPython in an unpacked root filesystem, and what it takes to start it there.

    Or this machine's own, which starts by itself: it has no loader.
    """

    executable: Path
    """On the host, links resolved inside the root; so are the others."""
    loader: Path | None = None
    library_path: tuple[Path, ...] = ()
    home: Path | None = None
    """What ``PYTHONHOME`` must be."""
    version: str
    """Exact, such as ``3.11.2``."""

    @property
    def minor(self) -> str:
        """``3.11`` for ``3.11.2``."""
        return ".".join(self.version.split(".")[:2])

    @property
    def cache_tag(self) -> str:
        """``cpython-311``, as in the names of ``.pyc`` files."""
        return f"cpython-{self.minor.replace('.', '')}"

    def run(self, script: Path, *, stdin: bytes) -> bytes:
        """Run a script with a scrubbed environment; its standard output.

        Raises:
            ProcessError: it ended with an error.
        """
        libraries = ":".join(str(path) for path in self.library_path)
        start = [str(self.loader), "--library-path", libraries] if self.loader else []
        home = {"PYTHONHOME": str(self.home)} if self.home else {}
        done = run(
            [*start, str(self.executable), "-s", "-S", "-B", "-W", "ignore", str(script)],
            env={**home, "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
            stdin=stdin,
            hint="set `compile = false` under [tool.eggcrate] to build without .pyc files",
        )
        return done.stdout


def find_interpreter(
    root: Path, *, executable: str, version: str, platform: Platform
) -> Interpreter:
    """Find out how to start the Python of an unpacked base.

    Args:
        root: the unpacked root filesystem.
        executable: absolute path of its Python inside, such as ``/usr/bin/python3.11``.
        version: its exact version.
        platform: what it is built for; must be the host's to be run.

    Raises:
        BuildError: the root holds no such interpreter, or not the GNU C library's loader.
    """
    machine = platform.multiarch
    folders = [
        *(f"/usr/local/lib/{machine}", "/usr/local/lib", f"/usr/lib/{machine}"),
        *(f"/lib/{machine}", "/usr/lib64", "/lib64", "/usr/lib", "/lib"),
    ]
    home = executable.rpartition("/bin/")[0]
    if home and f"{home}/lib" not in folders:
        folders.insert(0, f"{home}/lib")
    inside = [path for folder in folders if (path := resolve(root, folder)) and path.is_dir()]
    name = _LOADERS[platform.architecture]
    loader = next((path for folder in folders if (path := resolve(root, f"{folder}/{name}"))), None)
    binary = resolve(root, executable)
    if binary is None or loader is None:
        missing = executable if binary is None else name
        raise BuildError(
            "the base's Python cannot be started to compile .pyc files",
            why=f"there is no {missing} in it",
            hint="check `interpreter` in base.toml, or set `compile = false` in the environment",
        )
    return Interpreter(
        executable=binary,
        loader=loader,
        library_path=tuple(dict.fromkeys(inside)),
        home=root / home.lstrip("/"),
        version=version,
    )


def host_interpreter(version: str) -> Interpreter | None:
    """This machine's own CPython of exactly this version, if it has one.

    Args:
        version: exact, such as ``3.11.2``.
    """
    minor = ".".join(version.split(".")[:2])
    own = Path(getattr(sys, "_base_executable", "") or sys.executable)
    for executable in (own, Path("/usr/bin", f"python{minor}")):
        if executable.is_file() and _version(executable) == version:
            return Interpreter(executable=executable, version=version)
    return None


@functools.cache
def _version(executable: Path) -> str:
    """Of a released CPython without debugging aids; nothing for any other Python."""
    try:
        done = run([str(executable), "-I", "-S", "-B", "-c", _ASK], env={"LC_ALL": "C.UTF-8"})
    except ProcessError:
        return ""
    return done.text.strip()


def resolve(root: Path, path: str) -> Path | None:
    """Follow links as a process with this root would; ``None`` when nothing is there."""
    place = root
    todo = [part for part in path.split("/") if part]
    links = 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            place = place if place == root else place.parent
            continue
        place = place / part
        if place.is_symlink():
            links += 1
            if links > _MAX_LINKS:
                return None
            target = str(place.readlink())
            place = root if target.startswith("/") else place.parent
            todo = [piece for piece in target.split("/") if piece not in ("", ".")] + todo
    return place if place.exists() else None
