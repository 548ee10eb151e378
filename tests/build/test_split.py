"""A published layer is taken apart into the very units that it was made of."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eggcrate.build import units
from eggcrate.build.split import split_layer
from eggcrate.build.units import UnitRecord, blob_path, layer_of, unit_key
from eggcrate.build.values import Layer, UnitKind
from eggcrate.build.wheel_layout import Scheme
from eggcrate.build.wheel_unit import make_wheel_unit
from eggcrate.errors import IntegrityError
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.entries import Entry
from support.repository import noise
from support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.build.archive import UnitWriter

SCHEME = Scheme(prefix="opt/env", minor="3.11")


def wheel_record(folder: Path, cache: Path, name: str, files: dict[str, bytes]) -> UnitRecord:
    wheel = make_wheel(folder, name, "1.0", files, stored=name == "stored")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    item = Distribution(name=name, version="1.0", filename=wheel.name, sha256=digest)
    return make_wheel_unit(item, wheel, scheme=SCHEME, cache=cache)


def elsewhere(layer: Layer, cache: Path, other: Path) -> Layer:
    """The layer as another machine knows it: its blob, and what annotations say."""
    target = blob_path(other, layer.digest)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(blob_path(cache, layer.digest), target)
    alone = len(layer.units) == 1
    told = [replace(one, diff_id=one.diff_id if alone else "", tar_size=0) for one in layer.units]
    return replace(layer, units=tuple(told))


@pytest.fixture(name="joined")
def _joined(tmp_path: Path) -> tuple[Layer, list[UnitRecord]]:
    """Small and large files, deflated and stored ones, shared folders."""
    text = b"import this\n" * 9000
    contents = {
        "alpha": {"ns/alpha.py": b"a = 1\n", "ns/big.py": text},
        "beta": {"ns/beta/__init__.py": b"", "ns/n": noise("n", 70_000)},
        "stored": {"stored/x": noise("x", 90_000), "stored/y": text},
    }
    records = [wheel_record(tmp_path, tmp_path, name, files) for name, files in contents.items()]
    return layer_of([one.unit for one in records], cache=tmp_path), records


def test_a_joined_layer_gives_back_its_units(
    tmp_path: Path, joined: tuple[Layer, list[UnitRecord]]
) -> None:
    """The same bytes, digests, file lists and records, from the layer's blob alone."""
    layer, records = joined
    other = tmp_path / "other"
    assert split_layer(elsewhere(layer, tmp_path, other), cache=other) == records
    for one in records:
        assert units.load(other, one.unit.key, published=True) == one
        assert units.load(other, one.unit.key) is None  # not made here, but known from elsewhere
        content = blob_path(other, one.unit.digest).read_bytes()
        assert content == blob_path(tmp_path, one.unit.digest).read_bytes()


def test_a_layer_of_one_unit_is_the_unit(
    tmp_path: Path, joined: tuple[Layer, list[UnitRecord]]
) -> None:
    """Nothing is written but its record, the same as where it was made."""
    _, records = joined
    for one in records:
        other = tmp_path / f"other-{one.unit.name}"
        layer = layer_of([one.unit], cache=tmp_path)
        assert split_layer(elsewhere(layer, tmp_path, other), cache=other) == [one]


_content = st.binary(max_size=200) | st.integers(65_000, 80_000).map(lambda n: noise(str(n), n))
_contents = st.dictionaries(
    st.from_regex(r"[a-c]{1,2}(/[a-c]{1,2}){0,2}\.py", fullmatch=True), _content, max_size=6
)


@given(st.lists(_contents, min_size=2, max_size=4))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_units_come_back_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, contents: list[dict[str, bytes]]
) -> None:
    """Where units share no file they come back whole; else nothing wrong is remembered."""
    cache, other = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("other")
    records = []
    for number, files in enumerate(contents):

        def write(writer: UnitWriter, files: dict[str, bytes] = files) -> None:
            for path, content in sorted(files.items()):
                writer.add(Entry(path=path, content=content))

        key = unit_key(UnitKind.FILES, str(number))
        records.append(
            units.make(cache, kind=UnitKind.FILES, name=str(number), version="1", source="s",
                       key=key, write=write)
        )  # fmt: skip
    layer = elsewhere(layer_of([one.unit for one in records], cache=cache), cache, other)
    paths = [path for files in contents for path in files]
    try:
        found = split_layer(layer, cache=other)
    except IntegrityError:
        assert len(set(paths)) < len(paths)
    else:
        assert found == records
    for one in records:
        assert units.load(other, one.unit.key, published=True) in (None, one)


@pytest.mark.parametrize("change", ["digest", "files", "order"])
def test_annotations_that_lie_are_found_out(
    tmp_path: Path, joined: tuple[Layer, list[UnitRecord]], change: str
) -> None:
    """Another digest, count or order than the layer's is an error, and leaves no such unit."""
    layer, records = joined
    other = tmp_path / "other"
    told = elsewhere(layer, tmp_path, other)
    first, *rest = told.units
    wrong = {
        "digest": (replace(first, digest=rest[0].digest), *rest),
        "files": (replace(first, files=first.files + 1), *rest),
        "order": tuple(reversed(told.units)),
    }[change]
    with pytest.raises(IntegrityError, match="does not hold what its annotations say"):
        split_layer(replace(told, units=wrong), cache=other)
    for one in records:
        assert units.load(other, one.unit.key, published=True) in (None, one)


def test_a_layer_that_is_no_archive_is_refused(
    tmp_path: Path, joined: tuple[Layer, list[UnitRecord]]
) -> None:
    """Bytes that are no gzip, or no tar, are an expected error."""
    layer, _ = joined
    for content in (b"", b"nonsense", b"\x1f\x8b\x08\0"):
        path = blob_path(tmp_path, layer.digest)
        path.write_bytes(content)
        with pytest.raises(IntegrityError):
            split_layer(layer, cache=tmp_path)
        alone = replace(layer, units=layer.units[:1])
        with pytest.raises(IntegrityError):
            split_layer(alone, cache=tmp_path)
