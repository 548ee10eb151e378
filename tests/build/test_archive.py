"""Entries into units, units into layers."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eggcrate.build import tar
from eggcrate.build.archive import UnitWriter, join_units, write_unit
from eggcrate.build.gzip_members import MEMBER_SIZE, TRAILER
from eggcrate.errors import BuildError, IntegrityError
from eggcrate.packages.entries import Entry, EntryKind

if TYPE_CHECKING:
    from pathlib import Path

_part = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="/\0"), min_size=1, max_size=40
).filter(lambda part: part not in (".", ".."))
_long = st.text("abcdé", min_size=90, max_size=160)
_path = st.lists(_part | _long, min_size=1, max_size=4).map("/".join)


@st.composite
def _entries(draw: st.DrawFn) -> list[Entry]:
    """Entries that can stand in one archive: no path is a parent of another, files apart."""
    result: list[Entry] = []
    for path in draw(st.lists(_path, max_size=8, unique=True)):
        taken = {entry.path for entry in result}
        if any(f"{one}/".startswith(f"{path}/") or path.startswith(f"{one}/") for one in taken):
            continue
        kind = draw(st.sampled_from([EntryKind.FILE, EntryKind.SYMLINK, EntryKind.DIRECTORY]))
        result.append(
            Entry(
                path=path,
                kind=kind,
                mode=draw(st.sampled_from([0o644, 0o755, 0o1777])),
                link=draw(_path) if kind is EntryKind.SYMLINK else "",
                content=draw(st.binary(max_size=2000)) if kind is EntryKind.FILE else b"",
            )
        )
    return result


def _unit(entries: list[Entry]) -> bytes:
    file = io.BytesIO()
    written, _ = write_unit(entries, file)
    blob = file.getvalue()
    assert written.digest == f"sha256:{hashlib.sha256(blob).hexdigest()}"
    assert written.size == len(blob)
    inflated = gzip.decompress(blob)
    assert written.diff_id == f"sha256:{hashlib.sha256(inflated).hexdigest()}"
    assert written.tar_size == len(inflated)
    return blob


def _read(blob: bytes) -> dict[str, tuple[bytes, int, str, bytes]]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        for member in archive:
            assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
            assert member.mtime == tar.MTIME
            file = archive.extractfile(member) if member.isreg() else None
            content = file.read() if file else b""
            found[member.name] = (member.type, member.mode, member.linkname, content)
    return found


@given(_entries())
@settings(max_examples=150, deadline=None)
def test_any_entries_are_read_back_as_they_were(entries: list[Entry]) -> None:
    """Whatever is written, Python's tarfile reads the same, with every parent before it."""
    found = _read(_unit(entries))
    for entry in entries:
        kind, mode, link, content = found[entry.path]
        assert content == entry.content
        assert link == entry.link
        if entry.kind is EntryKind.SYMLINK:
            assert kind == tarfile.SYMTYPE
        else:
            assert mode == entry.mode
    seen: set[str] = set()
    for path in found:
        parent = path.rpartition("/")[0]
        assert not parent or parent in seen
        seen.add(path)


@given(_entries(), st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_order_of_entries_does_not_matter(entries: list[Entry], random: object) -> None:
    """A unit's bytes depend on the set of its entries alone."""
    shuffled = sorted(entries, key=lambda entry: hash((id(random), entry.path)))
    assert _unit(entries) == _unit(shuffled)


@given(st.lists(_entries(), min_size=1, max_size=4))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_joined_units_are_one_tar(tmp_path: Path, units: list[list[Entry]]) -> None:
    """Joining gives the entries of all, in order, each path once; and true digests."""
    blobs = []
    for number, entries in enumerate(units):
        blob = _unit(entries)
        assert blob.endswith(TRAILER)
        path = tmp_path / str(number)
        path.write_bytes(blob)
        blobs.append((path, f"sha256:{hashlib.sha256(blob).hexdigest()}"))
    file = io.BytesIO()
    written = join_units(blobs, file)
    layer = file.getvalue()
    assert written.digest == f"sha256:{hashlib.sha256(layer).hexdigest()}"
    assert written.size == len(layer)
    inflated = gzip.decompress(layer)
    assert written.diff_id == f"sha256:{hashlib.sha256(inflated).hexdigest()}"
    assert written.tar_size == len(inflated)
    expected: dict[str, object] = {}
    for path, _ in blobs:
        for name, header in _headers(path.read_bytes()):
            expected.setdefault(name, header)
    assert _headers(layer) == list(expected.items())


def _headers(blob: bytes) -> list[tuple[str, object]]:
    """Path of each entry with all else that is said of it, and its content."""
    found: list[tuple[str, object]] = []
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        for entry in archive:
            content = archive.extractfile(entry) if entry.isreg() else None
            said = (entry.type, entry.mode, entry.linkname, content and content.read())
            found.append((entry.name, said))
    return found


def test_a_joined_layer_holds_no_path_twice(tmp_path: Path) -> None:
    """Docker refuses such a layer; what is dropped may be in any member, or be all of one."""
    big = hashlib.shake_256(b"big").digest(3 * MEMBER_SIZE)
    shared = [Entry(path="opt/env/lib/big", content=big), Entry(path="opt/env/" + "d/" * 90 + "e")]
    blobs = []
    for number in range(3):
        path = tmp_path / str(number)
        path.write_bytes(_unit([*shared, Entry(path=f"opt/env/lib/of-{number}", content=b"x")]))
        blobs.append((path, f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"))
    file = io.BytesIO()
    join_units(blobs, file)
    names = [name for name, _ in _headers(file.getvalue())]
    assert len(names) == len(set(names))
    assert [name for name in names if "of-" in name] == [f"opt/env/lib/of-{n}" for n in range(3)]
    assert len(file.getvalue()) < len(big) + (1 << 14)


def test_gnu_tar_and_gzip_read_a_joined_layer(tmp_path: Path) -> None:
    """Programs that are not ours unpack a layer of several members to the same files."""
    big = bytes(range(256)) * (3 * MEMBER_SIZE // 256) + b"end"
    first = [
        Entry(path="opt/env/big", content=big),
        Entry(path="tmp", kind=EntryKind.DIRECTORY, mode=0o1777),
    ]
    second = [
        Entry(path="opt/env/" + "long/" * 60 + "é", content=b"x", mode=0o755),
        Entry(path="opt/env/link", kind=EntryKind.SYMLINK, link="big"),
        Entry(path="opt/a-hard-link", kind=EntryKind.HARDLINK, link="opt/env/link-target"),
        Entry(path="opt/env/link-target", content=b"same"),
    ]
    blobs = []
    for number, entries in enumerate((first, second)):
        path = tmp_path / f"{number}.tar.gz"
        path.write_bytes(_unit(entries))
        blobs.append((path, f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"))
    layer = tmp_path / "layer.tar.gz"
    with layer.open("wb") as file:
        join_units(blobs, file)
    subprocess.run(["gzip", "-t", layer], check=True)
    target = tmp_path / "target"
    target.mkdir()
    subprocess.run(["tar", "-xzpf", layer, "-C", target], check=True)
    assert (target / "opt/env/big").read_bytes() == big
    assert (target / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert (target / "opt/env/link").read_bytes() == big
    assert (target / ("opt/env/" + "long/" * 60 + "é")).stat().st_mode & 0o777 == 0o755
    assert (target / "opt/a-hard-link").samefile(target / "opt/env/link-target")


def test_the_trailer_is_the_end_of_an_archive() -> None:
    """The constant trailer inflates to the two zero blocks that end a tar."""
    assert gzip.decompress(TRAILER) == tar.END
    assert _unit([]) == TRAILER


def test_sizes_beyond_eight_gibibytes_have_a_pax_record() -> None:
    """What a ustar field cannot hold stands in a pax record."""
    size = 9 << 30
    header = tar.header("torch/lib/huge.so", size=size)
    with tarfile.open(fileobj=io.BytesIO(header), mode="r:") as archive:
        member = archive.next()
    assert member is not None
    assert member.size == size


def test_a_folder_may_be_of_another_user() -> None:
    """Its group is 0, and what is put beside or into it is root's unless it says otherwise."""
    home = Entry(path="home/me", kind=EntryKind.DIRECTORY, mode=0o775, owner=65532)
    data = gzip.decompress(_unit([home, Entry(path="home/me/x"), Entry(path="etc/x")]))
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        owners = {member.name: (member.uid, member.gid) for member in archive}
    assert owners.pop("home/me") == (65532, 0)
    assert set(owners.values()) == {(0, 0)}


@pytest.mark.parametrize("path", ["../up", "a/../b", "/abs", "a//b", ".", "", "a/"])
def test_paths_outside_the_image_are_refused(path: str) -> None:
    """An entry cannot be written outside the root, or under two spellings."""
    with pytest.raises(BuildError):
        UnitWriter(io.BytesIO()).add(Entry(path=path))


def test_two_entries_cannot_have_one_path() -> None:
    """A path stands once in a unit, and a file has nothing below it."""
    with pytest.raises(BuildError, match="twice"):
        _unit([Entry(path="a"), Entry(path="a", content=b"x")])
    with pytest.raises(BuildError, match="no folder"):
        _unit([Entry(path="a"), Entry(path="a/b")])


def test_a_damaged_unit_is_not_joined(tmp_path: Path) -> None:
    """A blob whose bytes changed on disk is noticed before it gets into a layer."""
    blob = _unit([Entry(path="a", content=b"content")])
    path = tmp_path / "blob"
    path.write_bytes(blob[:20] + bytes([blob[20] ^ 1]) + blob[21:])
    with pytest.raises(IntegrityError, match="damaged"):
        join_units([(path, f"sha256:{hashlib.sha256(blob).hexdigest()}")], io.BytesIO())
