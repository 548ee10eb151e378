"""Loading: whole, checked, the same from a bucket and a folder, and nothing where it fails."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from kfp.dsl import Artifact, Dataset

from components.load_files.component import Loaded, load_files
from components.load_files.tests.fake_storage import Storage, storage_server
from components.shared.errors import DataError

FILES = {"a.csv": b"x\n1\n", "deep/b.csv": b"x\n2\n", "deep/er/c.txt": b"three"}


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    with storage_server() as served:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", served.url)
        for name, content in FILES.items():
            served.put("shop", f"data/{name}", content)
        yield served


@pytest.fixture(params=["bucket", "folder"])
def place(request: pytest.FixtureRequest, storage: Storage, tmp_path: Path) -> str:
    """An address with the files, in a bucket and in a folder."""
    if request.param == "bucket":
        return "gs://shop/data"
    for name, content in FILES.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(tmp_path / "shop")


def load(folder: Path, source: str, **given: object) -> Loaded:
    data = Dataset(uri=str(folder / "out" / "data"))
    return load_files(data, Artifact(uri=str(folder / "out" / "manifest")), source, **given)


def files(folder: Path) -> dict[str, bytes]:
    data = folder / "out" / "data"
    return {
        path.relative_to(data).as_posix(): path.read_bytes()
        for path in data.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("pattern", "exclude", "names"),
    [
        ("", None, ["a.csv", "deep/b.csv", "deep/er/c.txt"]),
        ("/", ["*.txt"], ["a.csv", "deep/b.csv"]),
        ("/*.csv", None, ["a.csv"]),
        ("/**/*.csv", None, ["a.csv", "deep/b.csv"]),
        ("/deep/er", None, ["c.txt"]),
    ],
)
def test_files_come_as_they_are(
    place: str, tmp_path: Path, pattern: str, exclude: list, names: list
) -> None:
    told = load(tmp_path, place + pattern, exclude=exclude)
    found = files(tmp_path)
    assert sorted(found) == names
    assert set(found.values()) <= set(FILES.values())
    assert told == (len(names), sum(map(len, found.values())))
    manifest = json.loads((tmp_path / "out" / "manifest").read_text())
    assert {each["name"]: each["sha256"] for each in manifest["files"]} == {
        name: hashlib.sha256(content).hexdigest() for name, content in found.items()
    }


def test_one_file_is_a_file(place: str, tmp_path: Path) -> None:
    """So that a step that takes a table can take it."""
    digest = hashlib.sha256(FILES["deep/b.csv"]).hexdigest()
    load(tmp_path, f"{place}/deep/b.csv", checksums={"b.csv": digest})
    assert (tmp_path / "out" / "data").read_bytes() == FILES["deep/b.csv"]


@pytest.mark.parametrize(
    ("path", "given", "says"),
    [
        ("/none", {}, "there is no file at .*/none"),
        ("/*.parquet", {}, "there is no file at"),
        ("", {"exclude": ["*"]}, "there is no file at"),
        ("", {"max_bytes": 5}, r"has 13 bytes, more than max_bytes \(5\)"),
        ("", {"checksums": {"a.csv": "00"}}, "a.csv has the SHA-256 .*, not 00"),
        ("", {"checksums": {"z.csv": "00"}}, "given for z.csv, which is not among"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused(
    place: str, tmp_path: Path, path: str, given: dict, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        load(tmp_path, place + path, **given)
    assert not (tmp_path / "out").exists()


def test_a_damaged_copy_is_refused(storage: Storage, tmp_path: Path) -> None:
    """By the MD5 that the bucket tells; nothing of the other files is left either."""
    storage.damaged.add("shop/data/deep/b.csv")
    with pytest.raises(DataError, match=r"deep/b\.csv came damaged, or was changed"):
        load(tmp_path, "gs://shop/data")
    assert not (tmp_path / "out").exists()


def test_a_bucket_that_is_closed_or_none_is_told(storage: Storage, tmp_path: Path) -> None:
    storage.denied.add("shop")
    with pytest.raises(DataError, match=r"gs://shop/data/\* cannot be read: .*access"):
        load(tmp_path, "gs://shop/data/*")
    with pytest.raises(DataError, match="gs://none/a"):
        load(tmp_path, "gs://none/a")
    with pytest.raises(DataError, match="no way to ftp://; use gs:// or a path"):
        load(tmp_path, "ftp://example.org/a")
