"""Make the folder that is mounted beside images: pytest, what it needs, and our plugin.

With the part of kfp that components have where they run, for they import its types.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.build.bytecode import compile_sources
from eggcrate.errors import UnsupportedPackageError
from eggcrate.matrix.harness.mounted.run_cell import HARNESS
from eggcrate.once import is_whole, made_once
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.poetry_lock import read_lock
from eggcrate.packages.selection import select
from eggcrate.packages.wanted import read_wanted
from eggcrate.pipelines.executor import beside_tests, beside_tests_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from eggcrate.build.interpreter import Interpreter
    from eggcrate.packages.poetry_lock import LockedPackage
    from eggcrate.packages.target import Target

_FOLDER = Path(__file__).parent / "harness"
_PURE = "-none-any.whl"


def harness_distributions(target: Target) -> tuple[Distribution, ...]:
    """The harness's locked wheels for a target; all of them pure Python."""
    lock = read_lock(_FOLDER / "poetry.lock")
    wanted = read_wanted(_FOLDER / "pyproject.toml", groups=("main",), extras=())
    return tuple(_pure(package) for package in select(lock, wanted, target))


def harness_version(target: Target) -> str:
    """Identity of the harness for a target: of its locked wheels, and of what is ours."""
    identity = hashlib.sha256()
    for wheel in harness_distributions(target):
        identity.update(wheel.sha256.encode())
    for path in _ours():
        identity.update(path.name.encode() + b"\0" + path.read_bytes())
    identity.update(beside_tests_version().encode())
    return identity.hexdigest()


def _ours() -> list[Path]:
    return sorted((_FOLDER / "mounted").glob("[!_]*.py"))


def _pure(package: LockedPackage) -> Distribution:
    for file in package.files:
        if file.name.endswith(_PURE):
            return Distribution(
                name=package.name, version=package.version, filename=file.name, sha256=file.sha256
            )
    raise UnsupportedPackageError(
        f"the test harness needs {package}, which has no pure-Python wheel",
        why="one folder serves images of every Python and platform",
    )


def install_harness(
    target: Target,
    *,
    cache: Path,
    fetch: Callable[[Sequence[Distribution]], Mapping[Distribution, Path]],
    python: Callable[[], Interpreter] | None = None,
) -> Path:
    """Make the harness folder for a target, once; later calls find it.

    Args:
        target: what the images are made for.
        cache: the user's cache.
        fetch: gives each distribution's file.
        python: the images' own Python, which compiles the harness; without it every cell
            compiles what it imports, which takes it about 0.3 s.
    """
    wheels = harness_distributions(target)
    ours = _ours()
    identity = hashlib.sha256(harness_version(target).encode())
    identity.update(target.python.encode() if python else b"")
    folder = cache / "harness" / identity.hexdigest()[:32]
    if is_whole(folder):
        return folder
    files = fetch(wheels)
    with made_once(folder) as scratch:
        if scratch is None:  # another process was faster
            return folder
        for wheel in wheels:
            with zipfile.ZipFile(files[wheel]) as archive:
                archive.extractall(scratch)  # refuses names that leave the folder
        for path in ours:
            shutil.copyfile(path, scratch / path.name)
        for name, content in beside_tests():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).write_bytes(content)
        if python:
            _compile(scratch, python())
        for path in (scratch, *scratch.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def _compile(folder: Path, python: Interpreter) -> None:
    modules = [(path.relative_to(folder), path.read_bytes()) for path in folder.rglob("*.py")]
    sources = [(f"{HARNESS}/{path}".lstrip("/"), content) for path, content in sorted(modules)]
    for name, content in compile_sources(sources, python):
        path = folder / name.removeprefix(f"{HARNESS}/".lstrip("/"))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
