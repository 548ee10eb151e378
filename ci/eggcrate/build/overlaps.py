"""Files that several wheels write to one path.

The same bytes are fine (namespace packages do it). Different bytes are an error, because an
image must not depend on the order of its layers, unless the environment allows it: then the
file of the last wheel by name wins, and stands once more in a layer above all others.
"""

from __future__ import annotations

import fnmatch
import gzip
import tarfile
from typing import TYPE_CHECKING

from eggcrate.build import units
from eggcrate.build.archive import damaged_blob
from eggcrate.build.units import UnitRecord, unit_key
from eggcrate.build.values import UnitKind
from eggcrate.errors import BuildError
from eggcrate.packages.entries import Entry, EntryKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.archive import UnitFile, UnitWriter

_SHOWN = 5


def overlaps(records: Sequence[UnitRecord], allowed: Sequence[str]) -> dict[str, UnitRecord]:
    """Paths that wheels write differently, each with the unit whose file wins.

    Args:
        records: the units of an image's wheels.
        allowed: patterns of paths, relative to ``/opt/env``, that may differ.

    Raises:
        BuildError: two wheels disagree about a path that is not allowed to.
    """
    ordered = sorted(records, key=lambda record: record.unit.name)
    writers: dict[str, tuple[UnitFile, UnitRecord]] = {}
    winners: dict[str, UnitRecord] = {}
    refused: list[str] = []
    for record in ordered:
        for file in record.files or ():
            earlier = writers.get(file.path)
            if earlier is not None and earlier[0] != file:
                winners[file.path] = record
                if not _is_allowed(file.path, allowed):
                    names = f"{earlier[1].unit.name} and {record.unit.name}"
                    refused.append(f"{file.path} ({names})")
            writers[file.path] = (file, record)
    refused += _files_over_folders(writers)
    if refused:
        more = f" and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
        raise BuildError(
            f"packages write different files to the same path: {', '.join(refused[:_SHOWN])}{more}",
            why="which one the image would hold would depend on the order of installation",
            hint="drop one of the packages, or list the paths in allow-overlap under "
            "[tool.eggcrate]: the last package by name wins",
        )
    return winners


def _is_allowed(path: str, allowed: Sequence[str]) -> bool:
    inner = path.removeprefix("opt/env/")
    return any(fnmatch.fnmatchcase(inner, pattern) for pattern in allowed)


def _files_over_folders(writers: Mapping[str, tuple[UnitFile, UnitRecord]]) -> list[str]:
    folders: dict[str, str] = {}
    for path, (_, record) in writers.items():
        while "/" in path:
            path = path.rpartition("/")[0]  # noqa: PLW2901 - climbing up
            if path in folders:
                break
            folders[path] = record.unit.name
    return [
        f"{path} ({record.unit.name} has a file there, {folders[path]} a folder)"
        for path, (_, record) in writers.items()
        if path in folders
    ]


def overlap_unit(winners: Mapping[str, UnitRecord], *, cache: Path) -> UnitRecord:
    """The unit that repeats the winning files, to be applied last.

    Raises:
        IntegrityError: the blob of a unit is damaged; it has been discarded.
    """
    pairs = sorted((path, record.unit.key) for path, record in winners.items())
    key = unit_key(UnitKind.FILES, "overlaps", *(part for pair in pairs for part in pair))
    if known := units.load(cache, key):
        return known
    by_unit: dict[str, set[str]] = {}
    for path, unit in pairs:
        by_unit.setdefault(unit, set()).add(path)
    records = {record.unit.key: record for record in winners.values()}

    def write(writer: UnitWriter) -> None:
        entries = [
            entry for unit, paths in by_unit.items() for entry in _read(records[unit], paths, cache)
        ]
        for entry in sorted(entries, key=lambda entry: entry.path.split("/")):
            writer.add(entry)

    return units.make(
        cache,
        kind=UnitKind.FILES,
        name="overlaps",
        version="",
        source=key,
        key=key,
        write=write,
    )


def _read(record: UnitRecord, paths: set[str], cache: Path) -> list[Entry]:
    blob = units.blob_path(cache, record.unit.digest)
    entries = []
    try:
        with gzip.open(blob) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if member.name not in paths:
                    continue
                if member.issym():
                    entries.append(
                        Entry(path=member.name, kind=EntryKind.SYMLINK, link=member.linkname)
                    )
                elif file := archive.extractfile(member):
                    entries.append(Entry(path=member.name, mode=member.mode, content=file.read()))
    except (OSError, EOFError, tarfile.TarError) as error:
        units.discard(cache, record.unit)
        raise damaged_blob(blob, record.unit.digest) from error
    return entries
