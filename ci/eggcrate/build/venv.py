"""The virtual environment's own files: what ``python -m venv --without-pip`` makes.

Different on purpose: no ``activate`` scripts (nobody activates an environment in an image; its
``bin`` is on the path) and no ``.gitignore``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build import units
from eggcrate.build.claims import claims
from eggcrate.build.units import UnitRecord, unit_key
from eggcrate.build.values import UnitKind
from eggcrate.packages.entries import Entry, EntryKind

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.build.archive import UnitWriter
    from eggcrate.build.wheel_layout import Scheme


def venv_entries(*, scheme: Scheme, interpreter: str, version: str) -> list[Entry]:
    """The entries of an empty virtual environment, sorted by path.

    Args:
        scheme: where it is.
        interpreter: absolute path of the base's Python, such as ``/usr/bin/python3.11``.
        version: its exact version, such as ``3.11.2``.
    """
    folder, _, name = interpreter.rpartition("/")
    prefix = scheme.prefix
    config = (
        f"home = {folder}\n"
        "include-system-site-packages = false\n"
        f"version = {version}\n"
        f"executable = {interpreter}\n"
        f"command = {interpreter} -m venv --without-pip /{prefix}\n"
    )
    links = {f"{prefix}/bin/{name}": interpreter, f"{prefix}/lib64": "lib"}
    for alias in ("python", "python3", f"python{scheme.minor}"):
        links.setdefault(f"{prefix}/bin/{alias}", name)
    folders = (f"{prefix}/include/python{scheme.minor}", scheme.site_packages)
    entries = [Entry(path=f"{prefix}/pyvenv.cfg", content=config.encode())]
    entries += [Entry(path=path, kind=EntryKind.SYMLINK, link=to) for path, to in links.items()]
    entries += [Entry(path=path, kind=EntryKind.DIRECTORY, mode=0o755) for path in folders]
    return sorted(entries, key=lambda entry: entry.path.split("/"))


def venv_unit(*, scheme: Scheme, interpreter: str, version: str, cache: Path) -> UnitRecord:
    """The unit of an empty virtual environment, from the cache or made now."""
    key = unit_key(UnitKind.VENV, scheme.prefix, interpreter, version)

    def write(writer: UnitWriter) -> None:
        for entry in venv_entries(scheme=scheme, interpreter=interpreter, version=version):
            writer.add(entry)

    return units.load(cache, key) or units.make(
        cache,
        kind=UnitKind.VENV,
        name="venv",
        version=version,
        source=interpreter,
        key=key,
        write=write,
        claims=lambda files: claims(files, prefix=scheme.prefix, folder=scheme.site_packages),
    )
