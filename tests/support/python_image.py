"""An image with the Python that runs the tests, and nothing else: no shell, no builder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from support.images import Member, file, folder, symlink

PYTHON = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
_LEFT_OUT = {"test", "site-packages", "dist-packages", "ensurepip", "idlelib", "__pycache__"}
_LIBRARY = re.compile(r"(/\S+) \(0x")


def python_layer() -> list[Member]:
    """The interpreter, its standard library and the shared libraries these load."""
    prefix = Path(sys.base_prefix)
    library = Path(os.__file__).parent
    files = {Path(PYTHON)}
    for place, folders, names in os.walk(library):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        files |= {Path(place, name) for name in names if not name.endswith((".a", ".pyc"))}
    loaded = [path for path in files if path.suffix == ".so"]
    told = subprocess.run(["ldd", PYTHON, *loaded], capture_output=True, check=False, text=True)
    files |= {Path(name) for name in _LIBRARY.findall(told.stdout)}
    members = [folder("tmp", 0o1777), folder("etc"), file("etc/hostname", b"image\n")]
    members.append(symlink("python", PYTHON))
    folders_made: set[Path] = set()
    for path in sorted(files):
        if path.is_file():
            for parent in reversed(path.parents):
                if parent not in folders_made and parent != Path("/"):
                    members.append(folder(str(parent).lstrip("/")))
                    folders_made.add(parent)
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
            members.append(file(str(path).lstrip("/"), path.read_bytes(), mode))
    assert prefix in folders_made
    return members
