"""New folders, copied from a template or from another of their kind."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from eggcrate.errors import ConfigError
from eggcrate.files import atomic_directory
from eggcrate.repo.names import FOLDERS, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", ".DS_Store")


def template_folder(kind: str, root: Path) -> Path:
    """The template of a kind.

    Raises:
        ConfigError: the repository has none.
    """
    folder = root / FOLDERS[kind] / TEMPLATE
    if not folder.is_dir():
        raise ConfigError(
            f"{FOLDERS[kind]}/{TEMPLATE} does not exist",
            why=f"a new {kind} is a copy of it",
            hint="take it from Eggcrate's own repository, or make one of your own",
        )
    return folder


def make_folder(source: Path, target: Path, contents: Mapping[str, str | bytes]) -> None:
    """Copy a folder, with other contents in some of its files: whole or not at all.

    Args:
        source: what is copied, caches left out.
        target: where to; must not be there.
        contents: text or bytes of files, by their path in the folder, instead or besides.
    """
    with atomic_directory(target) as scratch:
        shutil.copytree(source, scratch, symlinks=True, dirs_exist_ok=True, ignore=LEFT_OUT)
        for name, content in contents.items():
            data = content.encode() if isinstance(content, str) else content
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).write_bytes(data)
        scratch.chmod(0o755)


def read_unwritten(folder: Path, pyproject: str, read: Callable[[Path], T]) -> T:
    """What would be read from a folder that is not there yet; its ``path`` is another one."""
    with tempfile.TemporaryDirectory(prefix="eggcrate-") as name:
        scratch = Path(name, folder.name)
        scratch.mkdir()
        (scratch / "pyproject.toml").write_bytes(pyproject.encode())
        return read(scratch)
