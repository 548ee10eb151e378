"""The local store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import IntegrityError, StoreError
from eggcrate.registry import oci
from eggcrate.registry.layout import Layout
from support.images import file, put_image

if TYPE_CHECKING:
    from pathlib import Path

REFS = ("sklearn-1-5", "sklearn-1-5.key-abcdef0123", "a--b_c.d+e", "9")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "store")


def test_an_image_is_found_by_name_and_digest(layout: Layout) -> None:
    """What is put under a name is resolved by it, and by its digest."""
    made = put_image(layout, "one", [[file("a", b"1")]])
    assert layout.resolve("one").digest == made.digest == layout.resolve(made.digest).digest
    assert set(layout.refs()) == {"one"}
    assert layout.missing(made.digest) == ()
    assert layout.verify("one") == ()


def test_nothing_is_in_a_store_that_is_not_there(layout: Layout) -> None:
    """A store that does not exist is empty, and reading it does not make it."""
    assert layout.refs() == {}
    with pytest.raises(StoreError, match="no image 'x'"):
        layout.resolve("x")
    assert not layout.root.exists()


def test_a_name_moves(layout: Layout) -> None:
    """A name stands for what was put last; other names stay."""
    put_image(layout, "one", [[file("a", b"1")]])
    put_image(layout, "two", [[file("a", b"1")]])
    last = put_image(layout, "one", [[file("a", b"2")]])
    assert layout.resolve("one").digest == last.digest
    assert set(layout.refs()) == {"one", "two"}


def test_what_another_process_did_is_seen(layout: Layout) -> None:
    """The index is read again whenever it is not the one last seen, byte for byte."""
    first = put_image(layout, "one", [[file("a", b"1")]])
    other = Layout(layout.root)
    assert other.refs() == layout.refs()
    last = put_image(other, "one", [[file("a", b"2")]])
    put_image(other, "two", [[file("a", b"1")]])
    assert layout.resolve("one").digest == last.digest != first.digest
    assert layout.remove("two")
    assert set(other.refs()) == set(layout.refs()) == {"one"}
    layout.refs().clear()
    assert set(layout.refs()) == {"one"}


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "-a", "a..b", "ä", "a b", "../x"])
def test_a_bad_name_is_refused(layout: Layout, name: str) -> None:
    """A name that other tools cannot read is refused."""
    with pytest.raises(StoreError, match="cannot name an image"):
        put_image(layout, name, [[file("a")]])


def test_no_manifest_before_its_blobs(layout: Layout) -> None:
    """A manifest that names a missing blob, or one of another size, is not stored."""
    made = put_image(layout, "one", [[file("a", b"1")]])
    layout.blob_path(made.layers[0].digest).unlink()
    with pytest.raises(StoreError, match=made.layers[0].digest):
        layout.put_manifest("two", made.manifest)
    layout.blob_path(made.layers[0].digest).write_bytes(b"short")
    with pytest.raises(StoreError, match=made.layers[0].digest):
        layout.put_manifest("two", made.manifest)
    assert set(layout.refs()) == {"one"}
    assert [item.digest for item in layout.missing(made.digest)] == [made.layers[0].digest]


def test_a_blob_file_is_checked_and_linked(layout: Layout, tmp_path: Path) -> None:
    """A file becomes a blob without a copy; one that is not what it is said to be is refused."""
    path = tmp_path / "blob"
    path.write_bytes(b"content")
    digest = oci.digest_of(b"content")
    layout.add_blob_file(path, digest, 7)
    layout.add_blob_file(path, digest, 7)
    assert layout.blob_path(digest).samefile(path)
    assert list(layout.blob_path(digest).parent.iterdir()) == [layout.blob_path(digest)]
    other = oci.digest_of(b"CONTENT")
    with pytest.raises(IntegrityError, match="is not the blob"):
        layout.add_blob_file(path, other, 7)
    assert not layout.has_blob(other)


def test_a_truncated_blob_is_replaced(layout: Layout, tmp_path: Path) -> None:
    """A blob of the wrong size counts as missing and is put right by adding it again."""
    path = tmp_path / "blob"
    path.write_bytes(b"content")
    digest = layout.add_blob(b"content")
    layout.blob_path(digest).write_bytes(b"con")
    assert not layout.has_blob(digest, 7)
    layout.add_blob_file(path, digest, 7)
    assert layout.read_blob(digest) == b"content"


def test_damage_is_found(layout: Layout) -> None:
    """Verifying tells each blob that is missing or changed; reading one refuses it."""
    made = put_image(layout, "one", [[file("a", b"1")], [file("b", b"2")]])
    path = layout.blob_path(made.layers[0].digest)
    path.write_bytes(bytes(len(path.read_bytes())))
    layout.blob_path(made.layers[1].digest).unlink()
    assert layout.verify("one") == (
        f"blob {made.layers[0].digest} is damaged",
        f"blob {made.layers[1].digest} is missing",
    )
    with pytest.raises(IntegrityError, match="is damaged"):
        layout.read_blob(made.layers[0].digest)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"manifests": [{}]}', '{"a": 1}'])
def test_a_corrupt_index_is_told(layout: Layout, content: str) -> None:
    """A damaged index.json is an error that says what to do, never an empty store."""
    put_image(layout, "one", [[file("a")]])
    (layout.root / "index.json").write_text(content)
    with pytest.raises(StoreError) as caught:
        layout.refs()
    assert "delete the folder" in caught.value.hint


def test_removing_and_pruning(layout: Layout) -> None:
    """Pruning removes what no name reaches, and nothing while a build is adding."""
    kept = put_image(layout, "kept", [[file("a", b"1")], [file("b", b"2")]])
    gone = put_image(layout, "gone", [[file("a", b"1")], [file("c", b"3")]])
    assert layout.remove("gone")
    assert not layout.remove("gone")
    with layout.in_use(), layout.in_use(), pytest.raises(StoreError, match="in use"):
        layout.prune()
    assert layout.prune() > 0
    assert layout.prune() == 0
    assert layout.verify("kept") == ()
    assert layout.has_blob(kept.layers[0].digest)
    assert not layout.has_blob(gone.layers[1].digest)


def test_several_platforms_under_one_name(layout: Layout) -> None:
    """An image for several platforms is resolved for each; one it lacks is told."""
    amd = put_image(layout, "m.amd64", [[file("a", b"1")]], platform="linux/amd64")
    arm = put_image(layout, "m.arm64", [[file("a", b"2")]], platform="linux/arm64")
    children = (layout.resolve("m.amd64"), layout.resolve("m.arm64"))
    assert layout.put_index("m", children, {}).media_type == oci.INDEX
    layout.remove("m.amd64")
    layout.remove("m.arm64")
    layout.prune()
    assert layout.resolve("m", "linux/amd64").digest == amd.digest
    assert layout.resolve("m", "linux/arm64").digest == arm.digest
    assert layout.verify("m") == ()
    with pytest.raises(StoreError, match="linux/ppc64le"):
        layout.resolve("m", "linux/ppc64le")


WRITER = """
import sys
from pathlib import Path
from support.images import file, put_image
from eggcrate.registry.layout import Layout
for number in range(int(sys.argv[3])):
    content = str(number % 3).encode()
    put_image(Layout(Path(sys.argv[1])), f"{sys.argv[2]}-{number}", [[file("a", content)]])
"""


def _writer(layout: Layout, name: str, count: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", WRITER, str(layout.root), name, str(count)]
    return subprocess.Popen(argv, env=environment)


def test_many_processes_at_once(layout: Layout) -> None:
    """No name is lost when processes write at the same time."""
    assert [worker.wait() for worker in [_writer(layout, name, 15) for name in "abc"]] == [0, 0, 0]
    assert set(layout.refs()) == {f"{name}-{n}" for name in "abc" for n in range(15)}


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.05, 0.2])
def test_killed_while_writing(layout: Layout, delay: float) -> None:
    """A store whose writer was killed, whenever, is used as if nothing had happened."""
    worker = _writer(layout, "x", 100_000)
    while not (layout.root / "index.json").exists():
        assert worker.poll() is None
        time.sleep(0.01)
    time.sleep(delay)
    worker.kill()
    worker.wait()
    for ref in layout.refs():
        assert layout.verify(ref) == ()
    put_image(layout, "after", [[file("a")]])
    layout.prune()
    assert "after" in layout.refs()
    assert not [
        path for path in (layout.root / "blobs" / "sha256").iterdir() if path.name[0] == "."
    ]


@pytest.mark.tools
@pytest.mark.parametrize("ref", REFS)
def test_other_tools_read_it(layout: Layout, ref: str, tmp_path: Path) -> None:
    """Skopeo and umoci find every name that we accept."""
    made = put_image(layout, ref, [[file("a", b"1")]])
    command = ["skopeo", "inspect", "--raw", f"oci:{layout.root}:{ref}"]
    told = subprocess.run(command, check=True, capture_output=True)
    assert told.stdout == made.manifest
    bundle = tmp_path / "bundle"
    image = f"{layout.root}:{ref}"
    subprocess.run(["umoci", "unpack", "--rootless", "--image", image, bundle], check=True)
    assert (bundle / "rootfs" / "a").read_bytes() == b"1"


@pytest.mark.tools
def test_other_tools_read_several_platforms(layout: Layout) -> None:
    """Skopeo shows the index under one name, and picks a platform from it."""
    put_image(layout, "m.amd64", [[file("a", b"1")]], platform="linux/amd64")
    arm = put_image(layout, "m.arm64", [[file("a", b"2")]], platform="linux/arm64")
    children = (layout.resolve("m.amd64"), layout.resolve("m.arm64"))
    layout.put_index("m", children, {"org.opencontainers.image.title": "m"})
    source = f"oci:{layout.root}:m"
    raw = subprocess.run(["skopeo", "inspect", "--raw", source], check=True, capture_output=True)
    assert len(json.loads(raw.stdout)["manifests"]) == 2
    command = ["skopeo", "inspect", "--override-arch", "arm64", source]
    one = subprocess.run(command, check=True, capture_output=True)
    assert json.loads(one.stdout)["Layers"] == [layer.digest for layer in arm.layers]
