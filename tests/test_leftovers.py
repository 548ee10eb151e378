"""What a killed run leaves behind is removed a day later, and nothing else ever is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from eggcrate.leftovers import CACHE, CHECKOUT, STORE, at_work, sweep
from support.repository import HERE, make_repository

if TYPE_CHECKING:
    from pathlib import Path

_KILLED = """
import os, signal, sys, tempfile
from pathlib import Path
from eggcrate.files import atomic_directory, atomic_open
cache, checkout = Path(sys.argv[1]), Path(sys.argv[2])
with (
    atomic_open(cache / "files/ab/cd/x.whl") as file,
    atomic_open(cache / "units/ab/key.json"),
    atomic_open(checkout / "store/index.json"),
    atomic_directory(cache / "unpacked/abc") as unpacked,
    atomic_directory(cache / "roots/abc"),
):
    file.write(b"half")
    (cache / "blobs/sha256").mkdir(parents=True)
    tempfile.mkstemp(dir=cache / "blobs/sha256", prefix=".new.")  # as eggcrate.build.units does
    tempfile.mkdtemp(dir=checkout, prefix="stage.")  # as eggcrate.matrix.stage does
    (unpacked / "tree").mkdir()
    (unpacked / "tree/file").touch()
    (unpacked / "tree").chmod(0o500)
    os.kill(os.getpid(), signal.SIGKILL)
"""
MARKS = {".swept", ".at-work"}
_YESTERDAY = time.time() - 25 * 3600


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def grow_old(folder: Path) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (_YESTERDAY, _YESTERDAY), follow_symlinks=False)


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A cache and a checkout after a run was killed in the middle of everything."""
    (tmp_path / "checkout/components").mkdir(parents=True)
    argv = [sys.executable, "-c", _KILLED, str(tmp_path / "cache"), str(tmp_path / "checkout")]
    variables = {**os.environ, "PYTHONPATH": str(HERE / "ci")}
    done = subprocess.run(argv, env=variables, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return tmp_path


def test_what_a_killed_run_left_is_removed_when_it_is_old(left: Path) -> None:
    """Files and folders, read-only ones too; not before nobody can be at work on them."""
    cache, checkout = left / "cache", left / "checkout"
    assert sweep(cache, CACHE) == 0
    (cache / ".swept").unlink()
    grow_old(left)
    swept = [sweep(cache, CACHE), sweep(checkout, CHECKOUT), sweep(checkout / "store", STORE)]
    assert swept == [5, 1, 1]
    folders = {
        "blobs",
        "blobs/sha256",
        "files",
        "files/ab",
        "files/ab/cd",
        "units",
        "units/ab",
        "unpacked",
        "roots",
    }
    assert everything(cache) == folders | MARKS
    stores = {f"store/{name}" for name in MARKS}
    assert everything(checkout) == {"components", "store", *MARKS, *stores}


def test_what_is_no_leftover_stays(tmp_path: Path) -> None:
    """Locks, partial downloads, what is whole, and whatever an image holds under any name."""
    for name in (
        "blobs/sha256/0123",
        "blobs/sha256/.0123.lock",
        "blobs/sha256/.0123.partial",
        "files/ab/cd/x-1.0.whl",
        "unpacked/abc/tree/.hidden.abcdefgh",
        "unpacked/abc/.hidden.abcdefgh",
        "roots/abc/etc/.pwd.abcdefgh",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    grow_old(tmp_path)
    before = everything(tmp_path)
    assert sweep(tmp_path, CACHE) == 0
    assert everything(tmp_path) == before | MARKS


def test_it_is_done_once_a_day(tmp_path: Path) -> None:
    """The second run of a day looks at one file and no more."""
    (tmp_path / "units").mkdir()
    assert sweep(tmp_path, CACHE) == 0
    late = tmp_path / "units/.key.json.abcdefgh"
    late.touch()
    os.utime(late, (_YESTERDAY, _YESTERDAY))
    assert sweep(tmp_path, CACHE) == 0
    os.utime(tmp_path / ".swept", (_YESTERDAY, _YESTERDAY))
    assert sweep(tmp_path, CACHE) == 1


def test_nothing_is_removed_while_another_run_is_at_work(tmp_path: Path) -> None:
    """Whatever the clocks say: one that was set makes what is new look old."""
    (tmp_path / "units").mkdir()
    new = tmp_path / "units/.key.json.abcdefgh"
    new.touch()
    os.utime(new, (_YESTERDAY, _YESTERDAY))
    with at_work(tmp_path, tmp_path / "none"), at_work(tmp_path):
        assert sweep(tmp_path, CACHE) == 0
    assert new.exists()
    assert sweep(tmp_path, CACHE) == 1


def test_a_clock_that_was_ahead_does_not_stop_it(tmp_path: Path) -> None:
    """What bears a date of years to come is swept as what is old; so is the note of the day."""
    years = time.time() + 5 * 365 * 24 * 3600
    (tmp_path / "units").mkdir()
    for path in (tmp_path / ".swept", tmp_path / "units/.key.json.abcdefgh"):
        path.touch()
        os.utime(path, (years, years))
    assert sweep(tmp_path, CACHE) == 1
    assert sweep(tmp_path, CACHE) == 0


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Nor is one that is a file a failure."""
    assert sweep(tmp_path / "none", CACHE) == 0
    assert everything(tmp_path) == set()


def test_every_command_does_it(tmp_path: Path) -> None:
    """At its end, in the cache, the checkout and the store."""
    repository = make_repository(tmp_path / "repo", tmp_path / "cache")
    ours = [repository.cache, repository.root / ".eggcrate", repository.store.root]
    for folder in ours:
        folder.mkdir(parents=True, exist_ok=True)
    assert repository.run("plan").code == 0
    assert all((folder / ".swept").is_file() for folder in ours)
