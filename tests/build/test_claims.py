"""Claims: what can be told of two packages without their file lists is never wrong."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.build.archive import UnitFile
from eggcrate.build.claims import claims, contested
from eggcrate.build.overlaps import overlaps
from eggcrate.build.units import UnitRecord
from eggcrate.build.values import Unit, UnitKind
from eggcrate.errors import BuildError

PREFIX, SITE = "opt/env", "opt/env/lib/python3.11/site-packages"
_name = st.sampled_from(["a", "b", "__init__.py", "c.py", "google", "d-1.dist-info", "x y"])
_root = st.sampled_from([SITE, SITE, SITE, f"{PREFIX}/bin", f"{PREFIX}/share/man/man1", PREFIX])
_path = st.tuples(_root, st.lists(_name, min_size=1, max_size=5).map("/".join)).map("/".join)
_file = st.builds(
    UnitFile, path=_path, mode=st.just(0o644), size=st.just(1), crc32=st.sampled_from([1, 1, 2])
)


def _can_be(files: list[UnitFile]) -> bool:
    """No unit has a file where it has a folder."""
    return not any(other.path.startswith(f"{file.path}/") for file in files for other in files)


_files = st.lists(_file, max_size=30, unique_by=lambda file: file.path).map(
    lambda files: files if _can_be(files) else []
)


def record(name: str, files: list[UnitFile]) -> UnitRecord:
    unit = Unit(
        kind=UnitKind.FILES,
        name=name,
        version="1",
        source=name,
        key=name,
        digest=name,
        size=1,
        diff_id=name,
        tar_size=1,
        files=len(files),
        claims=claims(files, prefix=PREFIX, folder=SITE),
    )
    return UnitRecord(unit=unit, files=tuple(files))


@given(st.lists(_files, min_size=2, max_size=4))
def test_whoever_overlaps_is_contested(lists: list[list[UnitFile]]) -> None:
    """Two units that write a path differently, or a file over a folder, are always found."""
    records = [record(str(number), files) for number, files in enumerate(lists)]
    found = contested({one.unit.key: one.unit.claims for one in records})
    for pair in itertools.combinations(records, 2):
        try:
            torn = bool(overlaps(pair, []))
        except BuildError:
            torn = True
        if torn:
            assert {one.unit.key for one in pair} <= found


@given(_files)
def test_nobody_contests_himself(files: list[UnitFile]) -> None:
    """A unit alone has nothing to be looked into, and its claims do not depend on order."""
    assert not contested({"one": claims(files, prefix=PREFIX, folder=SITE)})
    backwards = claims(reversed(files), prefix=PREFIX, folder=SITE)
    assert claims(files, prefix=PREFIX, folder=SITE) == backwards


def _tree(*paths: str, crc32: int = 7) -> tuple[str, ...]:
    files = [UnitFile(path=f"{SITE}/{path}", mode=0o644, size=1, crc32=crc32) for path in paths]
    return claims(files, prefix=PREFIX, folder=SITE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            _tree("nvidia/__init__.py", "nvidia/cublas/lib/x.so"),
            _tree("nvidia/__init__.py", "nvidia/cudnn/lib/y.so"),
        ),
        (
            _tree("google/cloud/storage/a.py", *(f"google/cloud/storage/{n}.py" for n in range(9))),
            _tree("google/cloud/version.py", "google/cloud/client/__init__.py"),
        ),
        (_tree("six.py", "six-1.dist-info/RECORD"), _tree("sixer.py", "sixer-1.dist-info/RECORD")),
    ],
    ids=["the-same-file", "namespaces", "modules"],
)
def test_neighbours_in_one_folder_are_no_rivals(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    """Namespace packages as they are published need no look at their file lists."""
    assert not contested({"one": one, "other": other})


def test_another_file_at_a_path_is_a_rival() -> None:
    """What is small enough to be claimed file by file is compared by content."""
    assert contested(
        {
            "one": _tree("nvidia/__init__.py"),
            "other": _tree("nvidia/__init__.py", crc32=8),
            "third": _tree("third.py"),
        }
    ) == {"one", "other"}


def test_claims_stay_short() -> None:
    """A unit of many small folders is claimed by the folder, not by each file."""
    paths = [f"big/p{n}/m{m}.py" for n in range(100) for m in range(3)]
    assert _tree("big/__init__.py", *paths) == ("big/",)
