"""Distributions arrive whole, verified and once, whatever the network does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import EggcrateError, IntegrityError, PackageIndexError
from eggcrate.packages import cache as cache_module
from eggcrate.packages.cache import cached_path, fetch
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.indexes import Indexes
from eggcrate.packages.pip_config import PipConfig
from eggcrate.packages.web import Retries
from eggcrate.progress import Silent
from support.package_index import Fault, PackageIndex, Served, package_index
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

BIG = {"big.bin": bytes(range(256)) * 4000}


@pytest.fixture
def index() -> Iterator[PackageIndex]:
    cache_module._verified.clear()
    with package_index() as index:
        yield index


def of(served: Served) -> Distribution:
    name, version, *_ = served.filename.split("-")
    return Distribution(name=name, version=version, filename=served.filename, sha256=served.sha256)


def get(
    index: PackageIndex, cache: Path, *wanted: Distribution, attempts: int = 4
) -> dict[Distribution, Path]:
    patient = Retries(attempts=attempts, sleep=lambda _: None)
    with Indexes(PipConfig(index_url=index.url), retries=patient) as indexes:
        return fetch(wanted, cache=cache, indexes=indexes)


def test_files_arrive_and_stay(tmp_path: Path, index: PackageIndex) -> None:
    """Each file is downloaded once; a second run asks the index nothing."""
    served = [index.add(make_wheel(tmp_path, name)) for name in ("alpha", "beta", "gamma")]
    wanted = [of(one) for one in served]
    paths = get(index, tmp_path / "cache", *wanted)
    assert [paths[one].read_bytes() for one in wanted] == [one.content for one in served]
    assert all(paths[one].name == one.filename for one in wanted)
    requests = len(index.requests)
    assert get(index, tmp_path / "cache", *wanted) == paths
    assert len(index.requests) == requests
    assert not [p for p in (tmp_path / "cache" / "partial").iterdir() if p.suffix != ".lock"]


def test_truncated_download_is_resumed(tmp_path: Path, index: PackageIndex) -> None:
    """A connection that breaks is continued where it broke."""
    served = index.add(make_wheel(tmp_path, "alpha", files=BIG, stored=True))
    index.faults = [Fault(path="/files/", truncate=700_000)]
    path = get(index, tmp_path / "cache", of(served))[of(served)]
    assert path.read_bytes() == served.content
    ranges = [headers.get("Range") for _, p, headers in index.requests if "/files/" in p]
    assert ranges[0] is None
    assert ranges[1] is not None
    assert int(ranges[1].removeprefix("bytes=").rstrip("-")) > 0


def test_resuming_without_ranges(tmp_path: Path, index: PackageIndex) -> None:
    """A server that ignores ranges sends the whole again, and that is understood."""
    served = index.add(make_wheel(tmp_path, "alpha", files=BIG, stored=True))
    index.ranges = False
    index.faults = [Fault(path="/files/", truncate=700_000)]
    path = get(index, tmp_path / "cache", of(served))[of(served)]
    assert path.read_bytes() == served.content


@pytest.mark.parametrize("left", [b"rubbish", b"rubbish" * 500_000], ids=["short", "long"])
def test_rubbish_left_by_a_crash(tmp_path: Path, index: PackageIndex, left: bytes) -> None:
    """What a killed process left is never trusted: the file is fetched as a whole."""
    served = index.add(make_wheel(tmp_path, "alpha", files=BIG))
    partial = tmp_path / "cache" / "partial" / served.sha256
    partial.parent.mkdir(parents=True)
    partial.write_bytes(left)
    path = get(index, tmp_path / "cache", of(served))[of(served)]
    assert path.read_bytes() == served.content


def test_whole_partial_needs_no_request(tmp_path: Path, index: PackageIndex) -> None:
    """A download that ended, but was killed before it was put in place, is used."""
    served = index.add(make_wheel(tmp_path, "alpha"))
    partial = tmp_path / "cache" / "partial" / served.sha256
    partial.parent.mkdir(parents=True)
    partial.write_bytes(served.content)
    get(index, tmp_path / "cache", of(served))
    assert index.count("/files/") == 0


@pytest.mark.parametrize("status", [429, 500, 503])
def test_transient_answers(tmp_path: Path, index: PackageIndex, status: int) -> None:
    """A busy server is asked again."""
    served = index.add(make_wheel(tmp_path, "alpha"))
    index.faults = [Fault(path="/files/", status=status, times=2)]
    assert get(index, tmp_path / "cache", of(served))
    assert index.count("/files/") == 3


def test_retry_after_is_honoured(tmp_path: Path, index: PackageIndex) -> None:
    """The server's own word on when to come back is followed."""
    served = index.add(make_wheel(tmp_path, "alpha"))
    index.faults = [Fault(path="/files/", status=429, headers={"Retry-After": "3"})]
    slept: list[float] = []
    retries = Retries(sleep=slept.append)
    with Indexes(PipConfig(index_url=index.url), retries=retries) as indexes:
        fetch([of(served)], cache=tmp_path / "cache", indexes=indexes)
    assert slept == [3.0]


def test_wrong_bytes_are_refused(tmp_path: Path, index: PackageIndex) -> None:
    """Bytes that do not match the lock never reach the cache."""
    served = index.add(make_wheel(tmp_path, "alpha", files=BIG))
    index.faults = [Fault(path="/files/", corrupt=True, times=99)]
    with pytest.raises(IntegrityError, match=served.sha256):
        get(index, tmp_path / "cache", of(served))
    assert not cached_path(of(served), cache=tmp_path / "cache").exists()
    index.faults = []
    assert get(index, tmp_path / "cache", of(served))


def test_damaged_file_is_noticed(tmp_path: Path, index: PackageIndex) -> None:
    """A cached file whose bytes changed is told of and fetched again."""
    served = index.add(make_wheel(tmp_path, "alpha"))
    path = get(index, tmp_path / "cache", of(served))[of(served)]
    path.write_bytes(b"x" * len(served.content))
    cache_module._verified.clear()
    warnings: list[str] = []

    class Listening(Silent):
        def warn(self, line: str) -> None:
            warnings.append(line)

    with Indexes(PipConfig(index_url=index.url)) as indexes:
        fetch([of(served)], cache=tmp_path / "cache", indexes=indexes, progress=Listening())
    assert path.read_bytes() == served.content
    assert len(warnings) == 1
    assert "damaged" in warnings[0]


def test_one_failure_lets_the_others_finish(tmp_path: Path, index: PackageIndex) -> None:
    """All failures stand in one error, and what could be had is in the cache."""
    good = index.add(make_wheel(tmp_path, "alpha"))
    bad = [
        Distribution(name=n, version="1", filename=f"{n}-1-py3-none-any.whl", sha256="0" * 64)
        for n in ("beta", "gamma")
    ]
    with pytest.raises(PackageIndexError, match="2 of 3 packages") as caught:
        get(index, tmp_path / "cache", of(good), *bad)
    assert "beta-1" in str(caught.value)
    assert "gamma-1" in str(caught.value)
    assert cached_path(of(good), cache=tmp_path / "cache").exists()


def test_links_without_hashes(tmp_path: Path, index: PackageIndex) -> None:
    """Where pages tell no hashes, the bytes decide between the sources."""
    index.hashes = False
    index.add(make_wheel(tmp_path / "a", "alpha", files={"a.py": "other"}))
    with package_index() as extra:
        extra.hashes = False
        right = extra.add(make_wheel(tmp_path / "b", "alpha"))
        config = PipConfig(index_url=index.url, extra_index_urls=(extra.url,))
        with Indexes(config) as indexes:
            paths = fetch([of(right)], cache=tmp_path / "cache", indexes=indexes)
    assert paths[of(right)].read_bytes() == right.content


def test_local_folder(tmp_path: Path, index: PackageIndex) -> None:
    """A wheel in a find-links folder is copied, not linked: the cache is the cache's own."""
    wheel = make_wheel(tmp_path / "links", "alpha")
    wanted = of(index.add(wheel))
    config = PipConfig(index_url="", find_links=((tmp_path / "links").as_uri(),))
    with Indexes(config) as indexes:
        path = fetch([wanted], cache=tmp_path / "cache", indexes=indexes)[wanted]
    assert path.read_bytes() == wheel.read_bytes()
    assert not path.samefile(wheel)


def test_a_file_name_cannot_leave_the_cache(tmp_path: Path) -> None:
    """A lock with a path for a file name is refused."""
    evil = Distribution(name="a", version="1", filename="../../evil.whl", sha256="0" * 64)
    with pytest.raises(EggcrateError, match="cannot be one"):
        cached_path(evil, cache=tmp_path)


_FETCH = """
import sys
from pathlib import Path
from eggcrate.packages.cache import fetch
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.indexes import Indexes
from eggcrate.packages.pip_config import PipConfig
url, cache, filename, sha256 = sys.argv[1:]
wanted = Distribution(name="alpha", version="1.0", filename=filename, sha256=sha256)
with Indexes(PipConfig(index_url=url)) as indexes:
    fetch([wanted], cache=Path(cache), indexes=indexes)
"""


def test_two_processes_download_once(tmp_path: Path, index: PackageIndex) -> None:
    """Processes that want the same file at the same time wait for the one that gets it."""
    served = index.add(make_wheel(tmp_path, "alpha", files=BIG, stored=True))
    arguments = [index.url, str(tmp_path / "cache"), served.filename, served.sha256]
    source = str(Path(cache_module.__file__).parents[2])
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _FETCH, *arguments], env=os.environ | {"PYTHONPATH": source}
        )
        for _ in range(3)
    ]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert index.count("/files/") == 1
