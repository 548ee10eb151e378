"""A lock is read one package's text at a time, and means what it means as a whole."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eggcrate.packages.poetry_lock import _by_package, _whole, read_lock

ROOT = Path(__file__).parents[2]
LOCKS = sorted([ROOT / "poetry.lock", *ROOT.glob("environments/*/poetry.lock")])
LINES = st.sampled_from(
    [
        *("[[package]]", "[[package]] # x", " [[package]]", "[package]", "[[package.x]]"),
        *("[package.dependencies]", "[package.source]", "[package.dependencies.six]"),
        *('name = "six"', 'name = "pandas"', 'version = "1"', 'version = "2"', "files = []"),
        *('files = [{file = "a.whl", hash = "sha256:0"}]', 'six = ">=1"', "x = [", "]", "[1],"),
        *("[metadata]", 'lock-version = "2.1"', "[metadata.files]", "six = []", "[extras]"),
        *('x = """', '"""', "y = '''", "'''", "# [[package]]", "", 'type = "file"', 'url = "u"'),
        *('package.name = "six"', "package = []", 'name = "a\\nb"', "[package.", "]]"),
    ]
)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.parent.name)
def test_real_locks_mean_the_same_either_way(path: Path) -> None:
    """Every lock of this repository."""
    text = path.read_text()
    parts, whole = _by_package(text), _whole(text)
    assert parts is not None
    assert parts[1] == whole[1]
    assert parts[0] == {name: value for name, value in whole[0].items() if name != "package"}


@settings(max_examples=2000, deadline=None)
@given(st.lists(LINES, max_size=14))
def test_what_is_read_by_package_is_what_the_whole_says(lines: list[str]) -> None:
    """Whatever the text: it is read the same, or left to be read as a whole."""
    text = "\n".join(["[metadata]", 'lock-version = "2.1"', *lines, ""])
    parts = None
    with contextlib.suppress(ValueError, AttributeError):  # as the whole: no lock
        parts = _by_package(text)
    if parts is None:
        return
    data, packages = _whole(text)
    assert parts == ({key: value for key, value in data.items() if key != "package"}, packages)
    assert tomllib.loads(text) == data


def test_the_same_text_in_two_locks_is_one_value(tmp_path: Path) -> None:
    """But a file is where its own lock is."""
    table = (
        '[[package]]\nname = "six"\nversion = "1.0"\nfiles = []\n\n'
        '[[package]]\nname = "mine"\nversion = "1.0"\nfiles = []\n\n'
        '[package.source]\ntype = "file"\nurl = "mine-1.0-py3-none-any.whl"\n\n'
        '[metadata]\nlock-version = "2.1"\n'
    )
    locks = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "poetry.lock").write_text(table)
        locks.append(read_lock(tmp_path / name / "poetry.lock"))
    assert locks[0].packages[0] is locks[1].packages[0]
    for name, lock in zip("ab", locks, strict=True):
        source = lock.packages[1].source
        assert source is not None
        assert source.url == (tmp_path / name / "mine-1.0-py3-none-any.whl").as_uri()


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    """As a whole, then."""
    path = tmp_path / "poetry.lock"
    path.write_bytes(LOCKS[0].read_bytes().replace(b"\n", b"\r\n"))
    assert read_lock(path).packages == read_lock(LOCKS[0]).packages
