"""Folders that are made once: trusted in the boot that made them, or when the disk has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate import once
from eggcrate.once import is_whole, made_once

if TYPE_CHECKING:
    from pathlib import Path


def make(folder: Path, content: str) -> bool:
    """Whether it had to be made."""
    with made_once(folder) as scratch:
        if scratch:
            (scratch / "file").write_bytes(content.encode())
    return scratch is not None


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What tells the boot of this machine."""
    path = tmp_path / "boot"
    path.write_text("one\n")
    monkeypatch.setattr(once, "_BOOT", path)
    return path


def test_it_is_made_once_in_a_boot_and_again_in_the_next(boot: Path, tmp_path: Path) -> None:
    """What was not flushed may be lost when another boot begins."""
    folder = tmp_path / "cache/folder"
    assert not is_whole(folder)
    assert [make(folder, "1"), make(folder, "2")] == [True, False]
    assert (folder / "file").read_text() == "1"
    boot.write_text("two\n")
    assert not is_whole(folder)
    assert make(folder, "3")
    assert (folder / "file").read_text() == "3"


def test_what_was_flushed_is_good_in_every_boot(
    boot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later use finds that the disk has it."""
    folder = tmp_path / "cache/folder"
    make(folder, "1")
    monkeypatch.setattr(once, "_SETTLING", -1.0)
    assert is_whole(folder)
    boot.write_text("two\n")
    assert not make(folder, "2")


def test_a_folder_without_a_mark_or_a_mark_without_a_folder_is_none(
    boot: Path, tmp_path: Path
) -> None:
    """Killed in between, or removed by hand; a mark of no meaning counts for nothing."""
    assert boot.exists()
    folder = tmp_path / "cache/folder"
    mark = folder.with_name("folder.made")
    for damage in (mark.unlink, lambda: mark.write_text(""), lambda: mark.write_bytes(b"\xff one")):
        make(folder, "1")
        damage()
        assert not is_whole(folder)
        assert make(folder, "2")
    (folder / "file").unlink()
    folder.rmdir()
    assert not is_whole(folder)


def test_a_failure_leaves_nothing(boot: Path, tmp_path: Path) -> None:
    """Neither the folder nor its mark."""
    assert boot.exists()
    folder = tmp_path / "cache/folder"
    with pytest.raises(AttributeError):
        make(folder, None)  # type: ignore[arg-type] # what cannot be written
    assert not is_whole(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["folder.lock"]
