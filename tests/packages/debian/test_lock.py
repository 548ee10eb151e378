"""Locking against a small signed archive on loopback."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import (
    BaseError,
    IntegrityError,
    LockError,
    LockMissingError,
    LockStaleError,
)
from eggcrate.packages.debian.lock import lock_bases, lock_system_packages
from eggcrate.packages.debian.lockfile import base_lock, read_base_lock, write_base_lock
from eggcrate.packages.debian.values import BaseLock, lock_key
from eggcrate.progress import Silent
from packages.debian.support import PLATFORM, fill, lock_all, make_bases

if TYPE_CHECKING:
    from pathlib import Path

    from packages.debian.support import FakeArchive


def test_bases_are_locked_each_after_the_one_it_extends(
    archive: FakeArchive, tmp_path: Path
) -> None:
    """Versions of Python and glibc are known, and an extension holds only what it adds."""
    fill(archive)
    locks = lock_all(archive, tmp_path)
    assert list(locks) == ["plain", "debug"]
    assert locks["plain"].python == "3.11.2"
    assert locks["debug"].glibc == (2, 36)
    added = [deb.name for deb in locks["debug"].packages[PLATFORM]]
    assert added == ["dash", "libedit2"]
    assert locks["debug"].parent == locks["plain"].key
    assert sorted(locks["plain"].releases) == ["bookworm", "bookworm-security", "bookworm-updates"]


def test_a_lock_survives_writing_and_reading(archive: FakeArchive, tmp_path: Path) -> None:
    """What is read is what was written; no host name stands in it; new dates change nothing."""
    fill(archive)
    locks = lock_all(archive, tmp_path)
    path = tmp_path / "plain" / "base.lock"
    assert read_base_lock(path) == dataclasses.replace(locks["plain"])
    assert "127.0.0.1" not in path.read_text()
    assert "http" not in path.read_text()
    later = {suite: date + timedelta(days=1) for suite, date in locks["plain"].releases.items()}
    assert not write_base_lock(path, dataclasses.replace(locks["plain"], releases=later))
    assert write_base_lock(path, dataclasses.replace(locks["plain"], roots=("libc6",)))


def test_a_lock_that_is_missing_stale_or_damaged_is_told_apart(
    archive: FakeArchive, tmp_path: Path
) -> None:
    """Each has its own error, and each says which command helps."""
    fill(archive)
    bases = make_bases(tmp_path)
    with pytest.raises(LockMissingError, match=r"base\.lock"):
        base_lock(bases["plain"])
    locks = lock_all(archive, tmp_path)
    assert base_lock(bases["debug"], parent=locks["plain"]).base == "debug"
    with pytest.raises(LockStaleError):
        base_lock(dataclasses.replace(bases["plain"], packages=("libc6",)))
    with pytest.raises(LockStaleError, match="older plain"):
        base_lock(bases["debug"], parent=dataclasses.replace(locks["plain"], packages={}))
    text = bases["plain"].lock_path.read_text()
    bases["plain"].lock_path.write_text(text.replace("pool/main/z", "../z"))
    with pytest.raises(LockError) as caught:
        base_lock(bases["plain"])
    assert "path of zlib1g" in caught.value.why
    assert "eggcrate lock --bases" in caught.value.hint


def test_the_key_is_of_what_is_installed(archive: FakeArchive, tmp_path: Path) -> None:
    """Order, dates and paths do not count; a hash does."""
    fill(archive)
    debs = lock_all(archive, tmp_path)["plain"].packages[PLATFORM]
    elsewhere = [dataclasses.replace(deb, path=f"pool/x/{deb.name}.deb") for deb in reversed(debs)]
    assert lock_key(elsewhere) == lock_key(debs)
    other = dataclasses.replace(debs[0], sha256="0" * 64)
    assert lock_key([other, *debs[1:]]) != lock_key(debs)


def test_without_upgrade_pins_stay(archive: FakeArchive, tmp_path: Path) -> None:
    """A newer version is taken only when asked for, as long as the old one is offered."""
    fill(archive)
    lock_all(archive, tmp_path)
    block = (archive.root / "paragraphs" / "zlib1g").read_text()
    archive.add("zlib1g", "1:1.2.14-1")
    (archive.root / "paragraphs" / "zlib1g-old").write_text(block)
    archive.publish()
    kept = lock_all(archive, tmp_path, upgrade=False)["plain"].packages[PLATFORM]
    assert "1:1.2.13-1" in [deb.version for deb in kept]
    raised = lock_all(archive, tmp_path)["plain"].packages[PLATFORM]
    assert "1:1.2.14-1" in [deb.version for deb in raised]


def test_system_packages_are_locked_beyond_the_base(archive: FakeArchive, tmp_path: Path) -> None:
    """An environment's packages, without those that its base has."""
    fill(archive)
    bases = make_bases(tmp_path)
    options = {
        "name": "mine",
        "bases": bases,
        "platforms": [PLATFORM],
        "cache": tmp_path / "cache",
        "progress": Silent(),
        "mirrors": archive.mirrors,
        "keys": archive.signer.keys,
    }
    lock_all(archive, tmp_path)
    lock = lock_system_packages(["dash"], base=bases["plain"], **options)  # type: ignore[arg-type]
    assert [deb.name for deb in lock.packages[PLATFORM]] == ["dash", "libedit2"]
    assert (lock.base, lock.extends, lock.python) == ("mine", "plain", "3.11.2")
    lock = lock_system_packages(["dash"], base=bases["debug"], **options)  # type: ignore[arg-type]
    assert lock.packages[PLATFORM] == ()


@pytest.mark.parametrize("damage", ["changed", "added-outside", "unsigned", "other-key"])
def test_an_index_that_debian_did_not_sign_is_refused(
    archive: FakeArchive, tmp_path: Path, damage: str
) -> None:
    """Changed text, text outside the signature, no signature, another key."""
    fill(archive)
    file = archive.root / "dists/bookworm/InRelease"
    content = file.read_bytes()
    keys = archive.signer.keys
    if damage == "changed":
        file.write_bytes(content.replace(b"Origin: Debian", b"Origin: debian"))
    elif damage == "added-outside":
        file.write_bytes(b"Codename: evil\n\n" + content)
    elif damage == "unsigned":
        file.write_bytes(b"Codename: bookworm\nSHA256:\n")
    else:
        keys = None  # type: ignore[assignment]  # Debian's own
    base = make_bases(tmp_path)["plain"]

    def lock() -> BaseLock:
        return lock_bases(
            ["plain"],
            bases={"plain": base},
            cache=tmp_path / "cache",
            progress=Silent(),
            mirrors=archive.mirrors,
            keys=keys,
        )["plain"]

    if damage == "added-outside":
        assert "evil" not in str(lock())
        return
    with pytest.raises(BaseError, match="trustworthy index of bookworm") as caught:
        lock()
    assert "not signed by Debian" in caught.value.why


def test_an_index_other_than_the_signed_one_is_refused(
    archive: FakeArchive, tmp_path: Path
) -> None:
    """The signature covers the hash of the package index."""
    fill(archive)
    for file in archive.index_files():
        file.write_bytes(b"x" + file.read_bytes()[1:])
    with pytest.raises(IntegrityError, match="not the file that the signed index names"):
        lock_all(archive, tmp_path)


def test_an_old_index_is_not_accepted_again(archive: FakeArchive, tmp_path: Path) -> None:
    """A replayed release file, well signed but older than the lock has seen."""
    fill(archive)
    lock_all(archive, tmp_path)
    archive.publish(date=datetime.now(UTC) - timedelta(days=3))
    with pytest.raises(BaseError) as caught:
        lock_all(archive, tmp_path)
    assert "older than one seen before" in caught.value.why


@pytest.mark.parametrize(
    ("days", "extra", "words"),
    [(3, "", "from the future"), (-30, "Valid-Until: Mon, 02 Jan 2023 00:00:00 UTC\n", "expired")],
)
def test_dates_of_the_index_are_checked(
    archive: FakeArchive, tmp_path: Path, days: int, extra: str, words: str
) -> None:
    """An expired index means a frozen mirror; one from the future a wrong clock."""
    fill(archive)
    archive.publish(date=datetime.now(UTC) + timedelta(days=days), extra=extra)
    with pytest.raises(BaseError) as caught:
        lock_all(archive, tmp_path)
    assert words in caught.value.why


def test_another_suites_index_is_refused(archive: FakeArchive, tmp_path: Path) -> None:
    """A mirror cannot pass off one well-signed suite as another."""
    fill(archive)
    file = archive.root / "dists/bookworm-updates/InRelease"
    (archive.root / "dists/bookworm/InRelease").write_bytes(file.read_bytes())
    with pytest.raises(BaseError) as caught:
        lock_all(archive, tmp_path)
    assert "about another suite" in caught.value.why
