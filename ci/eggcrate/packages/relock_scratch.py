"""The copy of a project that the resolver works on, so that a failure changes nothing."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from eggcrate.errors import ConfigError
from eggcrate.files import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN = ("pyproject.toml", "poetry.lock")


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """The copy."""

    path: Path
    original: Path
    beside: bool
    """Whether it stands beside the original, for the sake of relative paths."""

    def lock_text(self) -> bytes:
        """The lock that was written, with paths as the original's folder sees them."""
        text = (self.path / "poetry.lock").read_bytes()
        if self.beside:
            inner = f'url = "../{self.original.name}'.encode()
            text = text.replace(inner + b"/", b'url = "').replace(inner + b'"', b'url = "."')
        return text


@contextlib.contextmanager
def scratch_project(
    folder: Path, *, cache: Path, pyproject: str | None = None, lock: bytes | None = None
) -> Iterator[Scratch]:
    """Copy ``pyproject.toml``, or write another one, with this lock beside it if there is one.

    A project with path dependencies is copied to a hidden folder beside it, where ``../``
    leads to the same places, and what else it holds is linked; any other into the cache.
    The name that Poetry insists on is added where it is missing, and changed where there is
    no package of that name: the environment ``xgboost`` may depend on the project xgboost,
    which Poetry takes for a dependency on itself. ``content-hash`` does not cover the name.
    """
    document = _read(folder / "pyproject.toml", pyproject)
    beside = _has_path_dependency(document.unwrap())
    if beside:
        path = folder.resolve().parent / f".{folder.resolve().name}.locking"
        remove_tree(path)
        path.mkdir()
        for entry in folder.iterdir() if folder.is_dir() else ():
            if entry.name not in _OWN:
                (path / entry.name).symlink_to(entry.resolve())
    else:
        (cache / "locking").mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(dir=cache / "locking", prefix="project-"))
    try:
        _set_name(document, folder.resolve().name)
        (path / "pyproject.toml").write_text(tomlkit.dumps(document), encoding="utf-8")
        if lock is not None:
            (path / "poetry.lock").write_bytes(lock)
        yield Scratch(path=path, original=folder.resolve(), beside=beside)
    finally:
        remove_tree(path)


def _read(path: Path, text: str | None) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8") if text is None else text)
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML", why=str(error)) from error


def _set_name(document: tomlkit.TOMLDocument, folder: str) -> None:
    project = document.get("project")
    poetry = document.get("tool", {}).get("poetry", {})
    if not isinstance(project, dict) or "name" in poetry:
        return
    if "name" not in project or poetry.get("package-mode") is False:
        name = "".join(c if c.isalnum() else "-" for c in str(project.get("name", folder)))
        project["name"] = f"{name.strip('-')}-environment".lstrip("-")


def _has_path_dependency(value: Any) -> bool:
    """Whether a table or requirement anywhere in the file names a path."""
    if isinstance(value, dict):
        return isinstance(value.get("path"), str) or any(map(_has_path_dependency, value.values()))
    if isinstance(value, list):
        return any(map(_has_path_dependency, value))
    return isinstance(value, str) and "@ file:" in value
