"""Units in the cache: what is trusted, and what is made again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.build import units
from eggcrate.build.units import UnitRecord, blob_path, unit_key
from eggcrate.build.values import UnitKind
from eggcrate.errors import IntegrityError
from eggcrate.packages.entries import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.build.archive import UnitWriter


def _make(cache: Path, name: str) -> UnitRecord:
    def write(writer: UnitWriter) -> None:
        writer.add(Entry(path=f"opt/{name}", content=name.encode()))

    return units.make(
        cache,
        kind=UnitKind.FILES,
        name=name,
        version="1",
        source="0",
        key=unit_key(UnitKind.FILES, name),
        write=write,
    )


def test_a_unit_is_found_again(tmp_path: Path) -> None:
    """What was made is what is loaded, files and all."""
    record = _make(tmp_path, "one")
    assert units.load(tmp_path, record.unit.key) == record
    assert [item.path for item in record.files] == ["opt/one"]
    assert units.load(tmp_path, unit_key(UnitKind.FILES, "other")) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"{}", b'{"schema":"eggcrate.unit/1","unit":{}}'])
def test_a_record_that_cannot_be_read_counts_for_nothing(tmp_path: Path, damage: bytes) -> None:
    """A damaged record is as good as none."""
    record = _make(tmp_path, "one")
    key = record.unit.key
    (tmp_path / "units" / key[:2] / f"{key}.json").write_bytes(damage)
    assert units.load(tmp_path, key) is None


def test_a_short_or_missing_blob_is_made_again(tmp_path: Path) -> None:
    """A record without its whole blob is not a hit."""
    record = _make(tmp_path, "one")
    blob = blob_path(tmp_path, record.unit.digest)
    blob.write_bytes(blob.read_bytes()[:-1])
    assert units.load(tmp_path, record.unit.key) is None
    blob.unlink()
    assert units.load(tmp_path, record.unit.key) is None
    assert _make(tmp_path, "one") == record
    assert units.load(tmp_path, record.unit.key) == record


def test_a_failed_unit_leaves_nothing(tmp_path: Path) -> None:
    """An error in the middle leaves neither a blob nor a record."""

    def write(writer: UnitWriter) -> None:
        writer.add(Entry(path="a", content=b"x"))
        raise IntegrityError("no")

    with pytest.raises(IntegrityError):
        units.make(
            tmp_path, kind=UnitKind.FILES, name="a", version="1", source="", key="k", write=write
        )
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_one_unit_is_its_own_layer(tmp_path: Path) -> None:
    """No bytes are written for a layer of one unit."""
    unit = _make(tmp_path, "one").unit
    layer = units.layer_of([unit], cache=tmp_path)
    assert (layer.digest, layer.diff_id, layer.size) == (unit.digest, unit.diff_id, unit.size)


def test_a_joined_layer_is_remembered_until_it_is_damaged(tmp_path: Path) -> None:
    """Joining is done once; damaged units are discarded and named."""
    records = [_make(tmp_path, name) for name in ("one", "two")]
    both = [record.unit for record in records]
    layer = units.layer_of(both, cache=tmp_path)
    assert blob_path(tmp_path, layer.digest).stat().st_size == layer.size
    for unit in both:
        blob_path(tmp_path, unit.digest).unlink()
    assert units.layer_of(both, cache=tmp_path) == layer
    units.discard_layer(tmp_path, layer)
    _make(tmp_path, "one")
    _make(tmp_path, "two")
    assert units.layer_of(both, cache=tmp_path) == layer

    blob_path(tmp_path, layer.digest).unlink()
    blob = blob_path(tmp_path, both[1].digest)
    content = bytearray(blob.read_bytes())
    content[15] ^= 1
    blob.write_bytes(content)
    with pytest.raises(IntegrityError):
        units.layer_of(both, cache=tmp_path)
    assert units.load(tmp_path, both[0].key) == records[0]
    assert units.load(tmp_path, both[1].key) is None
