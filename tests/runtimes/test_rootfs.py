"""Images unpacked into folders."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eggcrate.errors import EggcrateError, IntegrityError, StoreError
from eggcrate.registry import oci
from eggcrate.registry.layout import Layout
from eggcrate.runtimes.rootfs import root_path, unpack
from support.images import (
    Made,
    Member,
    file,
    folder,
    hard_link,
    put_image,
    symlink,
    tar_of,
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "store")


def tree(root: Path) -> dict[str, str]:
    """Every path with what it is: a directory, a link's target, or a file's content."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = "/" if path.is_dir() else path.read_text()
    return found


def unpacked(layout: Layout, made: Made, tmp_path: Path) -> dict[str, str]:
    unpack(layout, made.digest, tmp_path / "cache")
    return tree(root_path(tmp_path / "cache", made.digest))


def test_what_an_image_says_of_itself(layout: Layout, tmp_path: Path) -> None:
    """Its name, platform and environment variables come with it."""
    made = put_image(layout, "one", [[file("a", b"1")]], env={"PATH": "/bin", "X": "a=b"})
    image = unpack(layout, made.digest, tmp_path)
    assert (image.name, image.digest) == ("one", made.digest)
    assert (image.platform, image.env) == ("linux/amd64", {"PATH": "/bin", "X": "a=b"})


def test_layers_merge(layout: Layout, tmp_path: Path) -> None:
    """Directories merge, later files replace, whatever they replace."""
    made = put_image(
        layout,
        "x",
        [
            [folder("d"), file("d/a", b"1"), file("d/b", b"1"), file("f", b"1"), folder("e")],
            [
                folder("d"),
                file("d/a", b"2"),
                file("d/c", b"2"),
                symlink("l", "d/c"),
                file("e", b"2"),
            ],
            [folder("f"), file("f/x", b"3"), hard_link("f/y", "f/x"), file("l", b"3")],
        ],
    )
    assert unpacked(layout, made, tmp_path) == {
        "d": "/",
        "d/a": "2",
        "d/b": "1",
        "d/c": "2",
        "e": "2",
        "f": "/",
        "f/x": "3",
        "f/y": "3",
        "l": "3",
    }


def test_whiteouts(layout: Layout, tmp_path: Path) -> None:
    """A whiteout removes what is below, not what its own layer brings."""
    made = put_image(
        layout,
        "x",
        [
            [
                folder("d"),
                file("d/a"),
                file("d/b"),
                folder("o"),
                file("o/a"),
                folder("o/s"),
                file("t"),
            ],
            [file("d/.wh.a"), file("d/c"), file("o/.wh..wh..opq"), file("o/n"), file(".wh.t")],
            [file(".wh.none"), file("o/.wh.n"), file("o/n", b"back")],
        ],
    )
    assert unpacked(layout, made, tmp_path) == {
        "d": "/",
        "d/b": "",
        "d/c": "",
        "o": "/",
        "o/n": "back",
    }


def test_a_whole_folder_is_removed(layout: Layout, tmp_path: Path) -> None:
    """A whiteout of a folder removes everything in it, also what came by several layers."""
    made = put_image(
        layout,
        "x",
        [[file("d/e/a")], [file("d/e/b")], [file("d/.wh.e")], [file("d/e/c")]],
    )
    assert unpacked(layout, made, tmp_path) == {"d": "/", "d/e": "/", "d/e/c": ""}


def test_links_to_folders_below(layout: Layout, tmp_path: Path) -> None:
    """A path under a lower layer's link follows it, unless its layer says it is a folder."""
    base = [folder("usr"), folder("usr/lib"), file("usr/lib/a"), symlink("lib", "usr/lib")]
    follow = put_image(layout, "follow", [base, [file("lib/b")]])
    assert unpacked(layout, follow, tmp_path)["lib"] == "-> usr/lib"
    assert "usr/lib/b" in unpacked(layout, follow, tmp_path)
    replace = put_image(layout, "replace", [base, [folder("lib"), file("lib/b")]])
    assert unpacked(layout, replace, tmp_path)["lib"] == "/"
    outside = put_image(layout, "out", [[symlink("l", "../../../etc")], [file("l/x", b"in")]])
    assert unpacked(layout, outside, tmp_path) == {"l": "/", "l/x": "in"}


def test_modes_do_not_depend_on_us(layout: Layout, tmp_path: Path) -> None:
    """Modes are the image's whatever our umask; set-user-ID is gone, devices are left out."""
    members = [
        folder("d", 0o775),
        folder("tmp", 0o1777),
        file("d/x", b"", 0o4755),
        file("d/w", b"", 0o666),
        Member(path="null", kind=tarfile.CHRTYPE),
        Member(path="pipe", kind=tarfile.FIFOTYPE),
    ]
    made = put_image(layout, "x", [members])
    before = os.umask(0o077)
    try:
        unpack(layout, made.digest, tmp_path)
    finally:
        os.umask(before)
    root = root_path(tmp_path, made.digest)
    modes = {str(path.relative_to(root)): path.stat().st_mode & 0o7777 for path in root.rglob("*")}
    assert modes == {"d": 0o775, "tmp": 0o1777, "d/x": 0o755, "d/w": 0o666}
    assert root.stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize(
    "members",
    [
        [file("../x")],
        [file("a/../../x")],
        [symlink("l", "/etc"), file("l/x")],
        [symlink("l", ".."), folder("l/x")],
        [symlink("l", "/etc"), hard_link("h", "l/passwd")],
        [hard_link("h", "/etc/passwd")],
        [hard_link("h", "../../etc/passwd")],
        [file("a"), file("a/b")],
        [folder("a"), file("a")],
        [file("../.wh.x")],
    ],
)
def test_hostile_layers_are_refused(layout: Layout, tmp_path: Path, members: list[Member]) -> None:
    """No entry reaches outside its folder; the error names it, and nothing is kept."""
    made = put_image(layout, "x", [members])
    with pytest.raises(StoreError, match="is refused"):
        unpack(layout, made.digest, tmp_path / "cache")
    assert not (tmp_path / "x").exists()
    assert not [
        path for path in (tmp_path / "cache").rglob("*") if path.is_dir() and "." in path.name
    ]
    assert not root_path(tmp_path / "cache", made.digest).exists()


def test_absolute_paths_are_the_images(layout: Layout, tmp_path: Path) -> None:
    """A leading slash or dot means the image's root; a whiteout cannot reach further up."""
    made = put_image(layout, "x", [[file("/eggcrate-test"), file("./b"), folder("./")]])
    assert unpacked(layout, made, tmp_path) == {"eggcrate-test": "", "b": ""}
    assert not Path("/eggcrate-test").exists()


def test_every_compression_gives_the_same(layout: Layout, tmp_path: Path) -> None:
    """One gzip member, thousands, or none: the same tree; other compressions are told."""
    members = [file(f"f{number}", os.urandom(700).hex().encode()) for number in range(50)]
    tar = tar_of(members)
    many = put_image(layout, "many", [tar], step=100)
    one = put_image(layout, "one", [tar], step=len(tar))
    plain = put_image(layout, "plain", [tar], media_type=oci.LAYER_TAR)
    trees = [unpacked(layout, made, tmp_path / str(n)) for n, made in enumerate((many, one, plain))]
    assert trees[0] == trees[1] == trees[2]
    assert len(trees[0]) == 50
    zstd = put_image(layout, "zstd", [tar], media_type=oci.LAYER_ZSTD)
    with pytest.raises(StoreError, match="is of type") as caught:
        unpack(layout, zstd.digest, tmp_path / "zstd")
    assert "docker runtime" in caught.value.hint


def test_long_names_and_sizes(layout: Layout, tmp_path: Path) -> None:
    """Names longer than a tar header, in either extension, and a file above a chunk."""
    name = "/".join(["d" * 60] * 4)
    buffer = io.BytesIO()
    for kind in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=kind) as tar:
            info = tarfile.TarInfo(f"{name}/ä")
            info.size = 3_000_000
            tar.addfile(info, io.BytesIO(b"x" * info.size))
        made = put_image(layout, f"x{kind}", [buffer.getvalue()])
        found = unpacked(layout, made, tmp_path)
        assert len(found[f"{name}/ä"]) == 3_000_000


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "trailing"])
def test_a_damaged_blob_is_told_and_removed(layout: Layout, tmp_path: Path, damage: str) -> None:
    """Damage is found while unpacking, and the blob removed so that a build makes it again."""
    made = put_image(layout, "x", [[file("a", os.urandom(5000))]])
    path = layout.blob_path(made.layers[0].digest)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(
        {
            "flip": bytes(content),
            "cut": path.read_bytes()[:1000],
            "empty": b"",
            "trailing": path.read_bytes() + gzip.compress(b"more"),
        }[damage]
    )
    with pytest.raises(IntegrityError, match="is damaged"):
        unpack(layout, made.digest, tmp_path / "cache")
    assert not layout.has_blob(made.layers[0].digest)
    with pytest.raises(StoreError, match="is missing"):
        unpack(layout, made.digest, tmp_path / "cache")
    put_image(layout, "other", [[file("a")]])
    assert not root_path(tmp_path / "cache", made.digest).exists()


def test_a_wrong_diff_id_is_told(layout: Layout, tmp_path: Path) -> None:
    """The tar inside must be what the configuration says, not only the blob."""
    made = put_image(layout, "x", [[file("a")]])
    config = oci.Config(platform="linux/amd64", diff_ids=(f"sha256:{'0' * 64}",)).encode()
    layout.add_blob(config)
    manifest = oci.Manifest(config=oci.describe(config, oci.CONFIG), layers=made.layers).encode()
    digest = layout.put_manifest("y", manifest).digest
    with pytest.raises(IntegrityError, match="not what"):
        unpack(layout, digest, tmp_path / "cache")


def test_a_layer_is_shared(layout: Layout, tmp_path: Path) -> None:
    """Two images with a layer in common have its files in common, on disk too."""
    one = put_image(layout, "one", [[file("a", b"1")], [file("b", b"1")]])
    two = put_image(layout, "two", [[file("a", b"1")], [file("b", b"2")]])
    unpack(layout, one.digest, tmp_path)
    unpack(layout, two.digest, tmp_path)
    first, second = (root_path(tmp_path, made.digest) for made in (one, two))
    assert (first / "a").samefile(second / "a")
    assert len(list((tmp_path / "unpacked").glob("*/tree"))) == 3


def test_at_once_from_many_threads(layout: Layout, tmp_path: Path) -> None:
    """Whoever asks first unpacks; all get the same folder, whole."""
    made = put_image(layout, "x", [[file(f"{n}/{k}", b"x") for k in range(100)] for n in range(4)])
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(lambda _: unpack(layout, made.digest, tmp_path), range(8)))
    assert len({image.digest for image in images}) == 1
    assert sum(path.is_file() for path in root_path(tmp_path, made.digest).rglob("*")) == 400


def test_not_an_image(layout: Layout, tmp_path: Path) -> None:
    """An index, a layer or nothing at all are told."""
    made = put_image(layout, "x", [[file("a")]])
    index = layout.put_index("i", (layout.resolve("x"),), {})
    for digest in (index.digest, made.layers[0].digest, f"sha256:{'0' * 64}", "x"):
        with pytest.raises(EggcrateError):
            unpack(layout, digest, tmp_path)
