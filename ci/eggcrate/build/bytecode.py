"""The ``.pyc`` files of a unit, reproducibly, as a unit of their own.

Made from the unit's own blob, by the base's own interpreter, once for each exact version of
CPython. Unchecked-hash files (PEP 552): layers are never edited, and dates would not survive.
Bytecode is the same on every architecture, so an interpreter for this machine serves them all.
"""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.build import bytecode_worker, units
from eggcrate.build.archive import damaged_blob
from eggcrate.build.units import UnitRecord, blob_path, unit_key
from eggcrate.build.values import UnitKind
from eggcrate.errors import BuildError
from eggcrate.files import sha256_file
from eggcrate.packages.entries import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from eggcrate.build.archive import UnitWriter
    from eggcrate.build.interpreter import Interpreter
    from eggcrate.build.values import Unit

_LENGTH = 8
_BATCH = 1 << 24


def bytecode_key(unit: str, *, version: str, folder: str) -> str:
    """The key of a unit's bytecode.

    Args:
        unit: the key of the unit with the sources.
        version: exact version of CPython.
        folder: see :func:`bytecode_unit`.
    """
    return unit_key(UnitKind.BYTECODE, unit, version, folder)


def bytecode_unit(
    unit: Unit,
    interpreter: Interpreter,
    *,
    folder: str,
    cache: Path,
    sources: Callable[[], list[tuple[str, bytes]]] | None = None,
) -> UnitRecord:
    """Compile the modules of a unit.

    Args:
        unit: a unit whose blob is in the cache.
        interpreter: of the exact version that will run the image.
        folder: what to compile: modules below this path, relative to the image's root, such as
            ``opt/env/lib/python3.11/site-packages`` or ``usr/lib/python3.11``.
        cache: the user's cache directory.
        sources: gives path and content of each module where that is quicker than to read all of
            the unit's blob.

    Returns:
        The unit of the ``.pyc`` files. Sources that do not compile are left out, as pip does;
        when nothing is left its record has no files.

    Raises:
        IntegrityError: the blob of the unit is damaged; the unit has been discarded.
        BuildError: the interpreter cannot be run, or is not of the version it should be.
    """

    def write(writer: UnitWriter) -> None:
        found = sources() if sources else _sources(unit, folder, cache)
        for batch in _batches(sorted(found, key=lambda item: item[0].split("/"))):
            for path, content in compile_sources(batch, interpreter):
                writer.add(Entry(path=path, content=content))

    return units.make(
        cache,
        kind=UnitKind.BYTECODE,
        name=unit.name,
        version=unit.version,
        source=unit.source,
        key=bytecode_key(unit.key, version=interpreter.version, folder=folder),
        write=write,
    )


def compile_sources(
    sources: Iterable[tuple[str, bytes]], interpreter: Interpreter
) -> list[tuple[str, bytes]]:
    """Compile modules in a fresh process.

    Args:
        sources: path (relative to the image's root) and content of each.
        interpreter: what compiles them.

    Returns:
        Path and content of each ``.pyc``, in order, without those that do not compile.
    """
    pairs = list(sources)
    asked = bytearray()
    for path, content in pairs:
        for field in (f"/{path}".encode("utf-8", "surrogateescape"), content):
            asked += len(field).to_bytes(_LENGTH, "little") + field
    answers = interpreter.run(Path(bytecode_worker.__file__), stdin=bytes(asked))
    fields = _fields(answers)
    greeting = next(fields, b"").decode("ascii", "replace")
    expected = f"{interpreter.version} {interpreter.cache_tag}"
    if greeting != expected:
        raise BuildError(
            "the base's Python is not the one it should be",
            why=f"it says {greeting!r}, the base's lock says {expected!r}",
            hint="lock the base again",
        )
    return [
        (_pyc_path(path, interpreter.cache_tag), content)
        for (path, _), content in zip(pairs, fields, strict=True)
        if content
    ]


def _fields(answers: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(answers):
        start = position + _LENGTH
        position = start + int.from_bytes(answers[start - _LENGTH : start], "little")
        yield answers[start:position]


def _pyc_path(path: str, cache_tag: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.{cache_tag}.pyc"


def _sources(unit: Unit, folder: str, cache: Path) -> list[tuple[str, bytes]]:
    blob = blob_path(cache, unit.digest)
    # tarfile takes a damaged header for the end of the archive: only sound bytes are read.
    if not blob.is_file() or f"sha256:{sha256_file(blob)}" != unit.digest:
        units.discard(cache, unit)
        raise damaged_blob(blob, unit.digest)
    found = []
    with gzip.open(blob) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            path = member.name
            if not (member.isreg() and path.endswith(".py") and path.startswith(f"{folder}/")):
                continue
            file = archive.extractfile(member)
            found.append((path, file.read() if file else b""))
    return found


def _batches(sources: list[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Bounded in memory; what a file compiles to does not depend on its company."""
    batch: list[tuple[str, bytes]] = []
    size = 0
    for path, content in sources:
        batch.append((path, content))
        size += len(content)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
