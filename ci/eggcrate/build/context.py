"""The build context of an environment with a ``Dockerfile``: what counts, and what it is given.

The context is the environment's folder as its ``.dockerignore`` leaves it, without the files
whose meaning the recipe holds already (project and locks), and with a folder ``.eggcrate``
that Eggcrate fills: the locked files themselves, what pip needs to install them without any
network, and pip. So no index, certificate or credential is needed inside the build.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.build.recipe import canonical
from eggcrate.errors import ConfigError
from eggcrate.files import link_or_copy, sha256_file
from eggcrate.packages.poetry_lock import read_lock
from eggcrate.packages.selection import distribution, select
from eggcrate.packages.wanted import read_wanted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.target import Target
    from eggcrate.repo.values import Base, Environment

CONTEXT_VERSION = 1
"""Raised whenever the same ``Dockerfile`` would be given other files by Eggcrate."""
INSTALLER = Path(__file__).parent / "installer"
"""Project and lock of what installs packages in a build: pip."""
BASE_ARGUMENT = "EGGCRATE_BASE"
PYTHON_ARGUMENT = "EGGCRATE_PYTHON"

_OURS = ".eggcrate"
_IGNORE = ".dockerignore"
_MEANT_ELSEWHERE = {"pyproject.toml", "poetry.lock", "base.lock", _IGNORE}
_ARGUMENT = re.compile(
    r"^[ \t]*ARG[ \t]+(EGGCRATE_\w+)=[\"']?([^\s\"'#]*)[\"']?[ \t]*$", re.IGNORECASE | re.MULTILINE
)
_EXECUTABLE = 0o111


def named_bases(dockerfile: Path, bases: Mapping[str, Base]) -> dict[str, Base]:
    """Bases that a ``Dockerfile`` builds with: ``ARG EGGCRATE_BUILDER=python-3.13-debug``.

    Args:
        dockerfile: the file.
        bases: by name.

    Returns:
        Name of each argument with the base that its default names, the environment's own
        base (``EGGCRATE_BASE``) apart.

    Raises:
        ConfigError: it cannot be read, or there is no such base.
    """
    try:
        text = dockerfile.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{dockerfile} cannot be read", why=str(error)) from error
    found = {}
    for argument, name in _ARGUMENT.findall(text):
        if argument in (BASE_ARGUMENT, PYTHON_ARGUMENT):
            continue
        if name not in bases:
            raise ConfigError(
                f"{dockerfile}: ARG {argument} names no base: {name!r}",
                why="an ARG that starts with EGGCRATE_ stands for the image of the base it names",
                hint=f"bases are: {', '.join(sorted(bases)) or 'none'}",
            )
        found[argument] = bases[name]
    return found


def context_key(environment: Environment, base_keys: Mapping[str, str], target: Target) -> str:
    """Identity of everything a ``Dockerfile`` is built with besides the lock and its base.

    Args:
        environment: one with a ``Dockerfile``.
        base_keys: argument and key of each other base it builds with.
        target: what it is built for.
    """
    files = [
        [name, _kind(path), _content(path)] for name, path in context_files(environment).items()
    ]
    pins = [item.sha256 for item in installer(target)]
    document = [CONTEXT_VERSION, files, sorted(base_keys.items()), pins]
    return hashlib.sha256(canonical(document)).hexdigest()


def installer(target: Target) -> tuple[Distribution, ...]:
    """The wheel of the pinned pip."""
    return pinned(INSTALLER, target)


def pinned(folder: Path, target: Target) -> tuple[Distribution, ...]:
    """The files that a project of Eggcrate's own locks."""
    wanted = read_wanted(folder / "pyproject.toml", groups=("main",), extras=())
    packages = select(read_lock(folder / "poetry.lock"), wanted, target)
    return tuple(distribution(package, target) for package in packages)


def context_files(environment: Environment) -> dict[str, Path]:
    """Files and links of the folder that the build sees, by relative path, sorted."""
    root = environment.path
    ignore = root / _IGNORE
    names = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    if ignore.is_file():
        from docker.utils.build import (  # noqa: PLC0415 - slow, rarely needed
            exclude_paths,
        )

        lines = [line.strip() for line in ignore.read_text(encoding="utf-8").splitlines()]
        patterns = [line for line in lines if line and not line.startswith("#")]
        names &= {Path(name).as_posix() for name in exclude_paths(str(root), patterns)}
        names.add("Dockerfile")
    return {
        name: root / name
        for name in sorted(names)
        if name not in _MEANT_ELSEWHERE
        and name.split("/")[0] != _OURS
        and (root / name).is_symlink() | (root / name).is_file()
    }


def _kind(path: Path) -> str:
    if path.is_symlink():
        return "link"
    return "executable" if path.stat().st_mode & _EXECUTABLE else "file"


def _content(path: Path) -> str:
    return str(path.readlink()) if path.is_symlink() else sha256_file(path)


def write_context(
    folder: Path,
    environment: Environment,
    locked: Mapping[Distribution, Path],
    helpers: Mapping[Distribution, Path],
    pip: Path,
) -> None:
    """Fill a folder with what the build sees.

    Args:
        folder: to fill.
        environment: whose files it gets.
        locked: the files of its lock.
        helpers: wheels that sdists are built with.
        pip: the wheel of pip.
    """
    for name, path in context_files(environment).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target, follow_symlinks=False)
        if not target.is_symlink():
            target.chmod(0o755 if _kind(path) == "executable" else 0o644)
    ours = folder / _OURS
    (ours / "wheels").mkdir(parents=True)
    for item, path in {**helpers, **locked}.items():
        link_or_copy(path, ours / "wheels" / item.filename)
    (ours / "requirements.txt").write_text(requirements(list(locked)), encoding="utf-8")
    with zipfile.ZipFile(pip) as archive:
        archive.extractall(ours / "pip")  # its SHA-256 is pinned


def requirements(distributions: Sequence[Distribution]) -> str:
    """The lock as pip reads it: exact versions, each with the hash of its one file."""
    return "".join(
        f"{item.name}=={item.version} --hash=sha256:{item.sha256}\n"
        for item in sorted(distributions)
    )
