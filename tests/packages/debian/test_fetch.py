"""Fetching from a small archive on loopback, whatever happens to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import (
    BaseError,
    IntegrityError,
    PackageIndexError,
)
from eggcrate.packages.debian.fetch import deb_path
from eggcrate.packages.debian.mirror import Mirrors
from eggcrate.packages.debian.values import lock_key
from eggcrate.progress import Silent
from packages.debian.support import PLATFORM, fetch, fill, lock_all

if TYPE_CHECKING:
    from pathlib import Path

    from packages.debian.support import FakeArchive


class Listener(Silent):
    """Remembers warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, line: str) -> None:
        """Remember one."""
        self.warnings.append(line)


def test_packages_are_downloaded_once_and_checked_always(
    archive: FakeArchive, tmp_path: Path
) -> None:
    """The cache is enough without a mirror; a damaged file in it is noticed and fetched anew."""
    fill(archive)
    lock = lock_all(archive, tmp_path)["plain"]
    first = fetch(archive, tmp_path, lock)
    assert first.successors == ()
    assert first.key == lock_key(lock.packages[PLATFORM])
    archive.requests.clear()
    assert fetch(archive, tmp_path, lock) == first
    assert archive.requests == []
    first.debs[0].file.write_bytes(b"damaged")
    fetch(archive, tmp_path, lock)
    assert len(archive.requests) == 1
    assert first.debs[0].file.stat().st_size == first.debs[0].deb.size


def test_a_download_is_continued_where_it_broke_off(archive: FakeArchive, tmp_path: Path) -> None:
    """A half-written file is continued by range; one that was damaged is fetched whole."""
    fill(archive)
    lock = lock_all(archive, tmp_path)["plain"]
    deb = lock.packages[PLATFORM][0]
    content = (archive.root / deb.path).read_bytes()
    partial = deb_path(deb, tmp_path / "cache").with_name(f".{deb.sha256}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(content[:100])
    fetch(archive, tmp_path, lock)
    assert (f"/{deb.path}", "bytes=100-") in archive.requests
    deb_path(deb, tmp_path / "cache").unlink()
    partial.write_bytes(b"x" * 100)
    fetched = fetch(archive, tmp_path, lock)
    assert fetched.debs[0].file.read_bytes() == content


def test_a_busy_mirror_is_asked_again(archive: FakeArchive, tmp_path: Path) -> None:
    """Errors that pass are not errors; those that stay name the address."""
    fill(archive)
    lock = lock_all(archive, tmp_path)["plain"]
    archive.faults += [503, 429, 500]
    fetch(archive, tmp_path, lock)
    fetched = deb_path(lock.packages[PLATFORM][0], tmp_path / "cache")
    fetched.unlink()
    archive.faults += [503] * 50
    with pytest.raises(PackageIndexError, match="tries"):
        fetch(archive, tmp_path, lock)


def test_bytes_that_the_lock_does_not_name_are_refused(
    archive: FakeArchive, tmp_path: Path
) -> None:
    """A mirror that sends another file under the same name is caught, and nothing is kept."""
    fill(archive)
    lock = lock_all(archive, tmp_path)["plain"]
    deb = lock.packages[PLATFORM][0]
    (archive.root / deb.path).write_bytes(b"!" * deb.size)
    with pytest.raises(IntegrityError):
        fetch(archive, tmp_path, lock)
    assert not deb_path(deb, tmp_path / "cache").exists()


def test_a_package_that_has_left_the_mirror_is_succeeded(
    archive: FakeArchive, tmp_path: Path
) -> None:
    """The successor comes from the signed index, with a warning, and changes the identity."""
    fill(archive)
    lock = lock_all(archive, tmp_path)["plain"]
    archive.remove("zlib1g")
    archive.add("zlib1g", "1:1.2.13-2")
    archive.publish()
    listener = Listener()
    fetched = fetch(archive, tmp_path, lock, progress=listener)
    (new,) = fetched.successors
    assert new.replaces is not None
    assert (new.replaces.version, new.deb.version) == ("1:1.2.13-1", "1:1.2.13-2")
    assert new.file.is_file()
    assert fetched.key != lock_key(lock.packages[PLATFORM])
    (line,) = listener.warnings
    assert "zlib1g 1:1.2.13-1" in line
    assert "1:1.2.13-2" in line


def test_with_locked_a_vanished_package_is_an_error(archive: FakeArchive, tmp_path: Path) -> None:
    """The message names package and version and the command that helps."""
    fill(archive)
    lock = lock_all(archive, tmp_path)["plain"]
    archive.remove("zlib1g")
    archive.add("zlib1g", "1:1.2.13-2")
    archive.publish()
    with pytest.raises(BaseError) as caught:
        fetch(archive, tmp_path, lock, locked=True)
    assert "zlib1g 1:1.2.13-1" in caught.value.what
    assert "eggcrate lock --bases" in caught.value.hint


@pytest.mark.parametrize("version", ["", "1:1.2.12-1", "1:1.2.13-1"])
def test_without_a_usable_successor_the_error_says_why(
    archive: FakeArchive, tmp_path: Path, version: str
) -> None:
    """No package of the name, an older one only, or one listed and not there."""
    fill(archive)
    lock = lock_all(archive, tmp_path)["plain"]
    deb = next(deb for deb in lock.packages[PLATFORM] if deb.name == "zlib1g")
    if version == deb.version:
        (archive.root / deb.path).unlink()
    else:
        archive.remove("zlib1g")
        if version:
            archive.add("zlib1g", version)
    archive.publish()
    with pytest.raises((BaseError, PackageIndexError), match=r"no longer has|older than|not have"):
        fetch(archive, tmp_path, lock)


def test_successors_that_do_not_go_with_the_rest_are_refused(
    archive: FakeArchive, tmp_path: Path
) -> None:
    """A mixture that Debian would not install is not made into a base."""
    fill(archive)
    lock = lock_all(archive, tmp_path)["plain"]
    archive.remove("python3.11-minimal")
    archive.add("python3.11-minimal", "3.11.2-7", Depends="libc6 (>= 2.37)")
    archive.publish()
    with pytest.raises(BaseError, match="does not go with libc6"):
        fetch(archive, tmp_path, lock)


def test_a_mirror_that_does_not_answer_is_passed_over(archive: FakeArchive, tmp_path: Path) -> None:
    """Of several mirrors one is enough."""
    fill(archive)
    good = archive.mirrors.archive[0]
    archive.mirrors = Mirrors(archive=(f"{good}/nothing", good), security=(f"{good}/no", good))
    lock = lock_all(archive, tmp_path)["plain"]
    assert len(fetch(archive, tmp_path, lock).debs) == 3
