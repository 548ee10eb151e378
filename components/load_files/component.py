"""Bring files of a bucket or a folder into a pipeline."""

import base64
import fnmatch
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple, Optional

from kfp.dsl import Artifact, Dataset, Output

from components.shared.addresses import CHUNK, filesystem, is_pattern, reason
from components.shared.archives import write_atomically, write_json
from components.shared.errors import DataError
from eggcrate import component

SCHEMA = "components.files/1"


class Loaded(NamedTuple):
    """What came."""

    files: int
    bytes: int


@component
def load_files(  # noqa: PLR0917 - KFP passes them by name
    data: Output[Dataset],
    manifest: Output[Artifact],
    source: str,
    exclude: Optional[list] = None,  # noqa: UP045 - KFP does not read `list | None`
    checksums: Optional[dict] = None,  # noqa: UP045 - as above
    max_bytes: int = 0,
) -> Loaded:
    """Copy files, each checked, so that later steps see them as they were at one moment.

    Needs ``roles/storage.objectViewer`` on the bucket.

    Args:
        data: The file; for a folder or a pattern a folder with files by their names there.
        manifest: Their names, sizes and SHA-256, as JSON.
        source: ``gs://BUCKET/PATH`` or a path: a file, a folder or a pattern (``*``, ``**``).
        exclude: Patterns of names that are left out.
        checksums: SHA-256 that files must have, by name.
        max_bytes: Most bytes that may be copied in all; 0 for no limit.

    Returns:
        How many files and bytes came.

    Raises:
        DataError: there is no such file, one is not as it should be, or they are too many bytes.
            Nothing is written then.
    """
    system, path = filesystem(source)
    try:
        found = _listed(system, path, exclude or [])
    except Exception as cause:  # whatever a file system raises, and each raises its own
        raise DataError(f"{source} cannot be read: {reason(cause)}") from cause
    if not found:
        raise DataError(f"there is no file at {source}")
    if unknown := sorted(set(checksums or ()) - set(found)):
        raise DataError(f"a checksum is given for {unknown[0]}, which is not among the files")
    total = sum(info["size"] for info in found.values())
    if max_bytes and total > max_bytes:
        raise DataError(f"{source} has {total:,} bytes, more than max_bytes ({max_bytes:,})")
    with tempfile.TemporaryDirectory() as scratch:
        rows = []
        for name, info in sorted(found.items()):
            digest = _copied(system, info, Path(scratch) / name, source=f"{source}: {name}")
            if (wanted := (checksums or {}).get(name)) and wanted.lower() != digest:
                raise DataError(f"{source}: {name} has the SHA-256 {digest}, not {wanted}")
            rows.append({"name": name, "size": info["size"], "sha256": digest})
        single = len(found) == 1 and not is_pattern(source) and system.isfile(path)
        _place(Path(scratch), data.path, single=single)
    write_json(manifest.path, {"schema": SCHEMA, "source": source, "files": rows})
    data.metadata.update({"source": source, "files": len(rows)})
    return Loaded(files=len(rows), bytes=total)


def _listed(system: object, path: str, exclude: list) -> dict:
    """Files by their name below what is the same for all."""
    if is_pattern(path):
        every = system.glob(path, detail=True)
        before = path.split("*", maxsplit=1)[0].split("?", maxsplit=1)[0].split("[", maxsplit=1)[0]
        base = before.rpartition("/")[0]
    elif system.isfile(path):
        every, base = {path: system.info(path)}, path.rpartition("/")[0]
    elif system.exists(path):
        every, base = system.find(path, detail=True), path.rstrip("/")
    else:
        return {}
    names = {
        name.removeprefix(base).lstrip("/"): info | {"name": name}
        for name, info in every.items()
        if info["type"] == "file" and not name.endswith("/")
    }
    return {
        name: info
        for name, info in names.items()
        if not any(fnmatch.fnmatch(name, pattern) for pattern in exclude)
    }


def _copied(system: object, info: dict, target: Path, *, source: str) -> str:
    """Copy one file, piece by piece; its SHA-256."""
    if ".." in target.parts:
        raise DataError(f"{source} leads out of its folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    try:
        with system.open(info["name"], "rb") as stream, target.open("wb") as copy:
            while piece := stream.read(CHUNK):
                for each in (sha256, md5):
                    each.update(piece)
                copy.write(piece)
                size += len(piece)
    except Exception as cause:  # whatever a file system raises
        raise DataError(f"{source} cannot be read: {reason(cause)}") from cause
    known = info.get("md5Hash")
    if size != info["size"] or (known and base64.b64encode(md5.digest()).decode() != known):
        raise DataError(f"{source} came damaged, or was changed meanwhile; run the step again")
    return sha256.hexdigest()


def _place(scratch: Path, path: str, *, single: bool) -> None:
    """Put what has come, and is complete, where the next step looks for it."""
    if single:
        [file] = [each for each in scratch.rglob("*") if each.is_file()]
        with file.open("rb") as stream:
            write_atomically(path, lambda target: shutil.copyfileobj(stream, target, CHUNK))
        return
    target = Path(path)
    try:
        shutil.copytree(scratch, target, copy_function=shutil.copyfile, dirs_exist_ok=True)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
