"""Helper code that a task finds at run time: travels as ``eggcrate_share.py`` where it is needed.

Standard library only, and as old a Python as components may run on.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import urllib.request
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - the room of what travels


def take(source: str, paths: list[str]) -> None:
    """Copy helper code from a mounted volume, as it is now: edits while the task runs are later's.

    Args:
        source: where the volume is mounted; it holds the repository's files, or a part of them.
        paths: folders and files to take.
    """
    for path in paths:
        there, here = f"{source}/{path}", f"{HERE}/{path}"
        if os.path.isdir(there):  # noqa: PTH112
            ignored = shutil.ignore_patterns("__pycache__", ".*", "tests")
            shutil.copytree(there, here, ignore=ignored, dirs_exist_ok=True)
        elif os.path.isfile(there):  # noqa: PTH113
            shutil.copyfile(there, here)
        else:
            sys.exit(f"eggcrate: the volume with the helper code holds no {path}")


def install(url: str, digest: str) -> None:
    """Put a wheel of helper code beside the component's own.

    Args:
        url: where the wheel is.
        digest: its SHA-256, in hexadecimal.
    """
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - as configured
            content = answer.read()
    except (OSError, ValueError) as error:
        sys.exit(f"eggcrate: the wheel of the helper code cannot be had: {url}: {error}")
    if hashlib.sha256(content).hexdigest() != digest:
        sys.exit(f"eggcrate: {url} is not the wheel that this task was compiled with")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        own = [name for name in archive.namelist() if not os.path.exists(f"{HERE}/{name}")]  # noqa: PTH110
        archive.extractall(HERE, own)
