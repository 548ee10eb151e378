"""Units on disk, made once and found again by key.

``units/<2>/<key>.json`` says what a unit is and which files it holds; ``blobs/sha256/<hex>``
are the bytes. A record is written after its blob and both atomically, so that a record whose
blob is there with the right size can be used; a blob found damaged later is discarded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from eggcrate.build.archive import UnitFile, UnitWriter, Written, damaged_blob, join_units
from eggcrate.build.gzip_members import CODEC
from eggcrate.build.values import Layer, Unit, UnitKind
from eggcrate.errors import IntegrityError
from eggcrate.files import atomic_write, sealed, unsealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

UNIT_FORMAT = 1
"""Raised whenever the same inputs would give other bytes."""
_JOIN_FORMAT = 2
"""Raised whenever the same units would give another layer."""
_SCHEMA = "eggcrate.unit/4"
"""Raised whenever records say more, or claims are drawn otherwise; images change with them."""


@dataclass(frozen=True, kw_only=True)
class UnitRecord:
    """A unit and the files and links in it."""

    unit: Unit
    files: tuple[UnitFile, ...] | None
    """``None`` when the unit is known from a registry only."""


def unit_key(kind: UnitKind, *inputs: str) -> str:
    """The key of a unit: SHA-256 over its format, its codec and all that it is made from."""
    text = json.dumps([UNIT_FORMAT, CODEC, kind.value, *inputs], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def blob_path(cache: Path, digest: str) -> Path:
    """Where the blob with this digest (``sha256:...``) is, or would be."""
    return cache / "blobs" / "sha256" / digest.removeprefix("sha256:")


def load(cache: Path, key: str, *, published: bool = False) -> UnitRecord | None:
    """The unit with this key, if the cache holds it whole.

    Args:
        cache: the user's cache.
        key: its key.
        published: also one that was taken from a registry, on whose word it has this key. Builds
            that take nothing from a registry make it anew.
    """
    try:
        document = unsealed(_record_path(cache, key).read_bytes())
        if document["schema"] != _SCHEMA or (document["published"] and not published):
            return None
        told = document["unit"]
        changed = {"kind": UnitKind(told["kind"]), "claims": tuple(told["claims"])}
        unit = Unit(**{**told, **changed})
        files = tuple(
            UnitFile(path=path, mode=mode, size=size, crc32=crc32, link=link)
            for path, mode, size, crc32, link in document["files"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if unit.key != key or not has_blob(cache, unit):
        return None
    return UnitRecord(unit=unit, files=files)


def make(
    cache: Path,
    *,
    kind: UnitKind,
    name: str,
    version: str,
    source: str,
    key: str,
    write: Callable[[UnitWriter], None],
    claims: Callable[[Sequence[UnitFile]], tuple[str, ...]] = lambda _: (),
    digest: str = "",
    published: bool = False,
) -> UnitRecord:
    """Make a unit and remember it.

    Args:
        cache: the user's cache directory.
        kind: what it holds.
        name: of the project or the base.
        version: its version.
        source: what it is made from, for people and annotations.
        key: its key, see :func:`unit_key`.
        write: adds its entries; called once.
        claims: what it claims, from its files.
        digest: what its blob's must be, where that is known.
        published: whether its key is known from a registry only.

    Raises:
        IntegrityError: it has become another blob than it must be; nothing was remembered.
    """
    with _new_blob(cache) as (file, done):
        writer = UnitWriter(file)
        write(writer)
        written = writer.finish()
        if digest and written.digest != digest:
            raise IntegrityError(f"{name} {version} is {written.digest}, it should be {digest}")
        done(written)
    files = tuple(writer.files)
    unit = Unit(
        kind=kind,
        name=name,
        version=version,
        source=source,
        key=key,
        files=len(files),
        claims=claims(files),
        **asdict(written),
    )
    return remember(cache, unit, files, published=published)


def remember(
    cache: Path, unit: Unit, files: Sequence[UnitFile], *, published: bool = False
) -> UnitRecord:
    """Write the record of a unit whose blob is in the cache; see :func:`load`."""
    document = {
        "schema": _SCHEMA,
        "published": published,
        "unit": asdict(unit) | {"kind": unit.kind.value},
        "files": [[item.path, item.mode, item.size, item.crc32, item.link] for item in files],
    }
    atomic_write(_record_path(cache, unit.key), sealed(document), flush=False)
    return UnitRecord(unit=unit, files=tuple(files))


def discard(cache: Path, unit: Unit) -> None:
    """Forget a unit whose blob was found damaged, so that it is made anew."""
    _record_path(cache, unit.key).unlink(missing_ok=True)
    blob_path(cache, unit.digest).unlink(missing_ok=True)


def layer_of(units: Sequence[Unit], *, cache: Path) -> Layer:
    """The layer that holds these units, in this order; its blob is in the cache afterwards.

    Raises:
        IntegrityError: the blob of a unit is damaged. That unit has been discarded: making it
            again and calling this once more is all it takes.
    """
    if len(units) == 1:
        (unit,) = units
        return Layer(digest=unit.digest, size=unit.size, diff_id=unit.diff_id, units=(unit,))
    record = _join_path(cache, units)
    known = _load_join(record)
    if known is None or not has_blob(cache, known):
        known = _join(units, cache)
        atomic_write(record, sealed(asdict(known)), flush=False)
    return Layer(digest=known.digest, size=known.size, diff_id=known.diff_id, units=tuple(units))


def discard_layer(cache: Path, layer: Layer) -> None:
    """Forget a layer whose blob was found damaged, and the units in it."""
    for unit in layer.units:
        discard(cache, unit)
    _join_path(cache, layer.units).unlink(missing_ok=True)
    blob_path(cache, layer.digest).unlink(missing_ok=True)


def _join(units: Sequence[Unit], cache: Path) -> Written:
    try:
        with _new_blob(cache) as (file, done):
            return done(
                join_units([(blob_path(cache, unit.digest), unit.digest) for unit in units], file)
            )
    except (IntegrityError, FileNotFoundError) as error:
        for unit in units:
            path = blob_path(cache, unit.digest)
            if not path.is_file() or _digest(path) != unit.digest:
                discard(cache, unit)
        if isinstance(error, IntegrityError):
            raise
        raise damaged_blob(Path(error.filename), "a unit") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


@contextlib.contextmanager
def _new_blob(cache: Path) -> Iterator[tuple[IO[bytes], Callable[[Written], Written]]]:
    """A file for a blob, and what puts it into its place once its digest is known."""
    folder = cache / "blobs" / "sha256"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".new.")
    try:
        with os.fdopen(descriptor, "wb") as file:

            def done(written: Written) -> Written:
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
                Path(name).replace(blob_path(cache, written.digest))
                return written

            yield file, done
    finally:
        Path(name).unlink(missing_ok=True)


def has_blob(cache: Path, blob: Unit | Layer | Written) -> bool:
    """Whether the cache has the blob, by name and size."""
    try:
        return blob_path(cache, blob.digest).stat().st_size == blob.size
    except OSError:
        return False


def _record_path(cache: Path, key: str) -> Path:
    return cache / "units" / key[:2] / f"{key}.json"


def _join_path(cache: Path, units: Sequence[Unit]) -> Path:
    text = "\n".join([str(UNIT_FORMAT), str(_JOIN_FORMAT), *(unit.digest for unit in units)])
    return cache / "joins" / f"{hashlib.sha256(text.encode()).hexdigest()}.json"


def _load_join(path: Path) -> Written | None:
    try:
        return Written(**unsealed(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
