"""Files that belong together are written together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.files import atomic_write_all

if TYPE_CHECKING:
    from pathlib import Path


def test_all_of_them_or_none(tmp_path: Path) -> None:
    """When the last cannot be written the others are as they were, new ones gone."""
    old, new, folder = tmp_path / "old", tmp_path / "new", tmp_path / "folder"
    old.write_text("before")
    old.chmod(0o640)
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        atomic_write_all({old: "after", new: "after", folder: "after"})
    assert old.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "old"]
    atomic_write_all({old: "after", new: b"after"})
    assert (old.read_text(), new.read_text()) == ("after", "after")
    assert old.stat().st_mode & 0o777 == 0o640
