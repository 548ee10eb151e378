"""What a package costs is known without downloading it."""

from __future__ import annotations

import random
import zipfile
from typing import TYPE_CHECKING

import pytest

from eggcrate.files import sha256_file
from eggcrate.packages import cache as cache_module
from eggcrate.packages.cache import cached_path
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.pip_config import PipConfig
from eggcrate.packages.sizes import NOTHING, Size, sizes
from support.package_index import PackageIndex, package_index
from support.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def index() -> Iterator[PackageIndex]:
    cache_module._verified.clear()
    with package_index() as index:
        yield index


def of(path: Path) -> Distribution:
    name, version = path.name.removesuffix(".tar.gz").split("-")[:2]
    return Distribution(name=name, version=version, filename=path.name, sha256=sha256_file(path))


def true_size(wheel: Path) -> Size:
    with zipfile.ZipFile(wheel) as archive:
        unpacked = sum(len(archive.read(name)) for name in archive.namelist())
    return Size(download=wheel.stat().st_size, unpacked=unpacked)


def ask(index: PackageIndex, cache: Path, *wanted: Distribution) -> list[Size | None]:
    config = PipConfig(index_url=index.url, timeout=5)
    found = sizes(wanted, cache=cache, config=lambda: config)
    return [found[one] for one in wanted]


@pytest.mark.parametrize("where", ["beginning", "end"])
def test_the_end_of_a_wheel_tells_both_sizes(
    tmp_path: Path, index: PackageIndex, where: str
) -> None:
    """One request for a part tells the size of the file and of all in it; it is remembered."""
    noise = random.Random(1).randbytes(1 << 20)  # noqa: S311 - repeatable, no secret
    name = "alpha/a.bin" if where == "beginning" else "alpha/z.bin"
    wheel = make_wheel(tmp_path, "alpha", files={name: noise, "alpha/zeros.bin": bytes(1 << 20)})
    index.add(wheel)
    for _ in range(2):
        assert ask(index, tmp_path / "cache", of(wheel)) == [true_size(wheel)]
    assert index.count("/files/") == 1
    assert not (tmp_path / "cache" / "files").exists()
    index.close()
    assert sizes([of(wheel)], cache=tmp_path / "cache") == {of(wheel): true_size(wheel)}


def test_the_whole_file_where_the_server_gives_no_parts(
    tmp_path: Path, index: PackageIndex
) -> None:
    """A server without ranges costs a download, never an error."""
    wheel = make_wheel(tmp_path, "alpha", files={"alpha/zeros.bin": bytes(1 << 20)})
    index.add(wheel)
    index.ranges = False
    assert ask(index, tmp_path / "cache", of(wheel)) == [true_size(wheel)]
    assert cached_path(of(wheel), cache=tmp_path / "cache").is_file()


def test_an_sdist_has_the_size_of_its_source(tmp_path: Path, index: PackageIndex) -> None:
    """It is fetched, as building it will."""
    sdist = make_sdist(tmp_path, "alpha", files={"alpha/__init__.py": "x" * 1000})
    index.add(sdist)
    [found] = ask(index, tmp_path / "cache", of(sdist))
    assert found is not None
    assert found.download == sdist.stat().st_size
    assert found.unpacked > 1000


def test_offline_a_size_is_unknown(tmp_path: Path) -> None:
    """No network, no index, a hash that is none: unknown, and never zero."""
    wheel = of(make_wheel(tmp_path, "alpha"))
    config = PipConfig(index_url="http://127.0.0.1:9/simple", timeout=1)
    assert sizes([wheel], cache=tmp_path) == {wheel: None}
    assert sizes([wheel], cache=tmp_path, config=lambda: config) == {wheel: None}
    assert NOTHING + NOTHING == NOTHING
