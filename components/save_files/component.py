"""Bring an artifact of a pipeline to a bucket or a folder."""

import hashlib
import shutil
from pathlib import Path
from typing import NamedTuple

from kfp.dsl import Artifact, Input

from components.shared.addresses import CHUNK, filesystem, is_pattern, reason
from components.shared.archives import write_atomically
from components.shared.errors import DataError
from eggcrate import component


class Saved(NamedTuple):
    """What went where, and the SHA-256 of each file by its name."""

    files: int
    address: str
    checksums: dict


@component
def save_files(
    data: Input[Artifact], destination: str, overwrite: bool = False, marker: str = ""
) -> Saved:
    """Copy a file, or a folder's files, and read each back to check it.

    A file appears whole or not at all; of a folder, files appear one by one, and ``marker`` last.
    Needs ``roles/storage.objectUser`` on the bucket.

    Args:
        data: The artifact; its file or folder.
        destination: ``gs://BUCKET/PATH`` or a path: the file's new name, or, when it ends with
            ``/`` or the artifact is a folder, the folder it goes into.
        overwrite: Whether what is there may be replaced; else anything there is an error, before
            anything is written.
        marker: Name of an empty file that tells readers of a folder that it is complete, such as
            ``_SUCCESS``.

    Returns:
        How many files, the address, and their checksums.

    Raises:
        DataError: the artifact cannot be read, something is there already, or it cannot be written.
    """
    source = Path(data.path)
    if is_pattern(destination) or not destination.strip("/"):
        raise DataError(f"{destination!r} is no place to write to")
    files = _files(source)
    system, base = filesystem(destination)
    into = source.is_dir() or destination.endswith("/")
    targets = {f"{base.rstrip('/')}/{name}" if into else base: name for name in files}
    checksums = {}
    try:
        if not overwrite:
            _check_free(system, targets)
        for target, name in targets.items():
            checksums[name] = _copy(system, files[name], target)
        if marker:
            system.pipe_file(f"{base.rstrip('/')}/{marker}", b"")
    except DataError:
        raise
    except Exception as cause:  # whatever a file system raises, and each raises its own
        raise DataError(f"{destination} cannot be written to: {reason(cause)}") from cause
    return Saved(files=len(checksums), address=destination, checksums=checksums)


def _files(source: Path) -> dict:
    """The files of an artifact by their names."""
    if not source.exists():
        raise DataError(f"artifact {source}: there is no such file")
    if not source.is_dir():
        return {source.name: source}
    every = sorted(path for path in source.rglob("*") if path.is_file())
    if not every:
        raise DataError(f"artifact {source} has no files")
    return {path.relative_to(source).as_posix(): path for path in every}


def _check_free(system: object, targets: dict) -> None:
    if taken := [each for each in targets if system.exists(each)]:
        raise DataError(f"{taken[0]} is there already; set overwrite to replace it")


def _copy(system: object, source: Path, target: str) -> str:
    """Write a file and read it back; its SHA-256."""
    with source.open("rb") as stream:
        wanted = hashlib.file_digest(stream, "sha256").hexdigest()
    if "file" in system.protocol:
        with source.open("rb") as stream:
            write_atomically(target, lambda file: shutil.copyfileobj(stream, file, CHUNK))
    else:
        system.put_file(str(source), target)  # one object: there when it is complete
        system.invalidate_cache()
    found = hashlib.sha256()
    with system.open(target, "rb") as stream:
        while piece := stream.read(CHUNK):
            found.update(piece)
    if found.hexdigest() != wanted:
        raise DataError(f"{target} is not what was written; someone else writes there too")
    return wanted
