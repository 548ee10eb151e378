"""Saving: what is written is what is there, nothing is replaced unasked, nothing is half there."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from kfp.dsl import Artifact

from components.load_files.tests.fake_storage import Storage, storage_server
from components.save_files.component import save_files
from components.shared.errors import DataError


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    with storage_server() as served:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", served.url)
        served.buckets.add("shop")
        yield served


@pytest.fixture(params=["bucket", "folder"])
def place(request: pytest.FixtureRequest, storage: Storage, tmp_path: Path) -> str:
    """An empty folder in a bucket, and one on disk."""
    return "gs://shop/kept" if request.param == "bucket" else str(tmp_path / "kept")


@pytest.fixture
def file(tmp_path: Path) -> Artifact:
    (tmp_path / "data").write_bytes(b"x\n1\n")
    return Artifact(uri=str(tmp_path / "data"))


@pytest.fixture
def folder(tmp_path: Path) -> Artifact:
    for name in ("a", "deep/b"):
        path = tmp_path / "many" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return Artifact(uri=str(tmp_path / "many"))


def content(storage: Storage, address: str) -> bytes:
    if address.startswith("gs://"):
        return storage.objects[address.removeprefix("gs://")]
    return Path(address).read_bytes()


def test_a_file_is_saved(storage: Storage, place: str, file: Artifact) -> None:
    told = save_files(file, f"{place}/x.csv")
    assert content(storage, f"{place}/x.csv") == b"x\n1\n"
    assert told == (1, f"{place}/x.csv", {"data": hashlib.sha256(b"x\n1\n").hexdigest()})
    save_files(file, f"{place}/in/")
    assert content(storage, f"{place}/in/data") == b"x\n1\n"


def test_a_folder_is_saved(storage: Storage, place: str, folder: Artifact) -> None:
    """And a marker, when all of it is there."""
    assert save_files(folder, place, marker="_SUCCESS").files == 2
    assert content(storage, f"{place}/deep/b") == b"deep/b"
    assert content(storage, f"{place}/_SUCCESS") == b""


def test_nothing_is_replaced_unasked(
    storage: Storage, place: str, file: Artifact, folder: Artifact
) -> None:
    """And nothing else is written then."""
    save_files(file, f"{place}/deep/b")
    with pytest.raises(DataError, match="deep/b is there already; set overwrite"):
        save_files(folder, place)
    assert content(storage, f"{place}/deep/b") == b"x\n1\n"
    with pytest.raises((KeyError, FileNotFoundError)):
        content(storage, f"{place}/a")
    save_files(folder, place, overwrite=True)
    assert content(storage, f"{place}/deep/b") == b"deep/b"


def test_what_cannot_be_saved_is_told(storage: Storage, file: Artifact, tmp_path: Path) -> None:
    none = Artifact(uri=str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    for artifact, destination, says in (
        (none, "gs://shop/x", "none: there is no such file"),
        (Artifact(uri=str(tmp_path / "empty")), "gs://shop/x", "empty has no files"),
        (file, "gs://shop/*", r"'gs://shop/\*' is no place to write to"),
        (file, "", "'' is no place to write to"),
        (file, "s3://shop/x", "no way to s3://"),
        (file, "gs://none/x", "gs://none/x cannot be written to"),
        (file, "/proc/x", "/proc/x cannot be written to"),
    ):
        with pytest.raises(DataError, match=says):
            save_files(artifact, destination)
    assert not storage.objects
