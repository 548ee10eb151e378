"""What a lock gives is remembered by content, and only while nothing has changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import LockStaleError
from eggcrate.packages import remembered
from eggcrate.packages.remembered import selected
from packages.test_selection import AMD64, ARM64, package, project

if TYPE_CHECKING:
    from pathlib import Path

ASKS = '[project]\ndependencies = ["pandas"]'


def names(folder: Path, cache: Path, **options: object) -> list[str]:
    found = selected(folder, AMD64, groups=("main",), extras=(), cache=cache, **options)  # type: ignore[arg-type]
    return [f"{item.name}=={item.version}" for item in found]


def test_a_lock_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time neither the lock nor anything in it is looked at."""
    folder = project(tmp_path / "e", ASKS, package("pandas"))
    first = names(folder, tmp_path / "cache")
    monkeypatch.setattr(remembered, "read_lock", None)
    assert names(folder, tmp_path / "cache") == first == ["pandas==1.0"]


def test_every_input_counts(tmp_path: Path) -> None:
    """Another lock, another pyproject, another target: each is looked at anew."""
    folder, cache = project(tmp_path / "e", ASKS, package("pandas")), tmp_path / "cache"
    names(folder, cache)
    project(folder, ASKS, package("pandas", "2.0"))
    assert names(folder, cache) == ["pandas==2.0"]
    (folder / "pyproject.toml").write_text(ASKS.replace("pandas", "pandas>=3"))
    with pytest.raises(LockStaleError):
        names(folder, cache)
    (folder / "pyproject.toml").write_text(ASKS)
    selected(folder, ARM64, groups=("main",), extras=(), cache=cache)
    assert len(list((cache / "selections").rglob("*.json"))) == 3


def test_a_damaged_record_is_made_again(tmp_path: Path) -> None:
    """Cut off, of another shape, altered, or not JSON: it is as if it were not there."""
    folder, cache = project(tmp_path / "e", ASKS, package("pandas")), tmp_path / "cache"
    names(folder, cache)
    (record,) = (cache / "selections").rglob("*.json")
    good = record.read_text()
    altered = good.replace("0000", "0001", 1)
    for bad in ("", good[:-9], "[1]", '{"files": [{"name": "x"}]}', "{}x", altered):
        record.write_text(bad)
        assert names(folder, cache) == ["pandas==1.0"]
        assert json.loads(record.read_text()) == json.loads(good)
