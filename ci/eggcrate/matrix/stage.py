"""Components as cells see them: a copy of their closure with plain modes, and nothing else.

Cells run as another user, who could not read a checkout made under a strict umask; what is
edited while the matrix runs must not change what it proves; and what a cell's key does not
cover must not be there to be used.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import ConfigError
from eggcrate.files import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_EXECUTABLE = 0o100


@contextlib.contextmanager
def staged(files: Mapping[str, Iterable[str]], root: Path, scratch: Path) -> Iterator[Path]:
    """Copies of some files of a checkout for the length of the block, in one folder a component.

    Args:
        files: by the component's name, each relative to the checkout, with ``/``.
        root: the checkout.
        scratch: a folder on the same machine that may hold the copies.

    Raises:
        ConfigError: a file has gone meanwhile.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=scratch, prefix="stage."))
    try:
        folder.chmod(0o755)
        for name, paths in files.items():
            _copy(paths, root, folder / name, name)
        yield folder
    finally:
        remove_tree(folder)


def _copy(paths: Iterable[str], root: Path, target: Path, name: str) -> None:
    (target / "components" / name).mkdir(parents=True)
    for path in paths:
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(root / path, copy)
            executable = (root / path).stat().st_mode & _EXECUTABLE
        except FileNotFoundError as error:
            raise ConfigError(
                f"{root / path} has gone while the matrix began", hint="run it again"
            ) from error
        copy.chmod(0o755 if executable else 0o644)
    if (root / "components" / name / "tests").is_dir():
        (target / "components" / name / "tests").mkdir(exist_ok=True)
    for folder in (target, *target.rglob("*")):
        if folder.is_dir():
            folder.chmod(0o755)
