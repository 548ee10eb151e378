"""Components as cells see them: a copy with plain modes, the same in every checkout.

Cells run as another user, who could not read a checkout made under a strict umask; and what is
edited while the matrix runs must not change what it proves.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.files import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".pytest_cache", ".DS_Store")
_EXECUTABLE = 0o100


@contextlib.contextmanager
def staged(components: Path, scratch: Path) -> Iterator[Path]:
    """A copy of a components folder for the length of the block.

    Args:
        components: the checkout's.
        scratch: a folder on the same machine that may hold the copy.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=scratch, prefix="stage."))
    try:
        target = folder / "components"
        shutil.copytree(
            components, target, symlinks=True, ignore=_LEFT_OUT, copy_function=shutil.copyfile
        )
        for path in (folder, target, *target.rglob("*")):
            if path.is_symlink():
                continue
            path.chmod(0o755 if path.is_dir() or _runs(path, target, components) else 0o644)
        yield target
    finally:
        remove_tree(folder)


def _runs(path: Path, target: Path, components: Path) -> bool:
    return bool((components / path.relative_to(target)).stat().st_mode & _EXECUTABLE)
