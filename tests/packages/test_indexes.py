"""A distribution is found where pip would find it, and only with the lock's hash."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import PackageIndexError
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.indexes import Indexes
from eggcrate.packages.pip_config import PipConfig
from eggcrate.packages.web import Retries
from support.endless import endless
from support.package_index import Fault, PackageIndex, package_index
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENT = Retries(attempts=3, sleep=lambda _: None)


@pytest.fixture
def index() -> Iterator[PackageIndex]:
    with package_index() as index:
        yield index


def distribution(sha256: str, *, name: str = "alpha", **more: str) -> Distribution:
    return Distribution(
        name=name, version="1.0", filename=f"{name}-1.0-py3-none-any.whl", sha256=sha256, **more
    )


def urls(indexes: Indexes, wanted: Distribution) -> list[str]:
    return [link.url_without_fragment for link in indexes.candidates(wanted)]


@pytest.mark.parametrize("json", [True, False])
def test_both_page_formats(tmp_path: Path, index: PackageIndex, json: bool) -> None:
    """HTML (PEP 503) and JSON (PEP 691) pages give the same file."""
    index.json = json
    served = index.add(make_wheel(tmp_path, "alpha"))
    with Indexes(PipConfig(index_url=index.url)) as indexes:
        found = urls(indexes, distribution(served.sha256))
    assert found == [f"{index.origin}/files/{served.filename}"]


def test_extra_index_is_asked_when_the_first_has_other_bytes(
    tmp_path: Path, index: PackageIndex
) -> None:
    """A file of that name with another hash is passed over for the right one."""
    index.add(make_wheel(tmp_path / "a", "alpha", files={"a.py": "other"}))
    with package_index() as extra:
        served = extra.add(make_wheel(tmp_path / "b", "alpha"))
        config = PipConfig(index_url=index.url, extra_index_urls=(extra.url,))
        with Indexes(config) as indexes:
            assert urls(indexes, distribution(served.sha256))[0].startswith(extra.origin)


def test_folders_and_file_indexes(tmp_path: Path, index: PackageIndex) -> None:
    """find-links folders, pages of links and ``file:`` indexes are sources too."""
    wheel = make_wheel(tmp_path / "links", "alpha")
    sha256 = index.add(wheel).sha256
    page = tmp_path / "simple" / "alpha" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../../links/{wheel.name}#sha256={sha256}">{wheel.name}</a>')
    for config in (
        PipConfig(index_url="", find_links=((tmp_path / "links").as_uri(),)),
        PipConfig(index_url="", find_links=(page.as_uri(),)),
        PipConfig(index_url=(tmp_path / "simple").as_uri()),
    ):
        with Indexes(config) as indexes:
            assert urls(indexes, distribution(sha256)) == [wheel.as_uri()]


def test_lock_may_name_url_or_index(tmp_path: Path, index: PackageIndex) -> None:
    """A URL in the lock is used as it is; an index in the lock is the only one asked."""
    served = index.add(make_wheel(tmp_path, "alpha"))
    with Indexes(PipConfig(index_url="http://127.0.0.1:9/simple")) as indexes:
        direct = distribution(served.sha256, url=f"{index.origin}/direct")
        assert urls(indexes, direct) == [f"{index.origin}/direct"]
        named = distribution(served.sha256, index=index.url)
        assert urls(indexes, named) == [f"{index.origin}/files/{served.filename}"]


def test_only_other_hashes(tmp_path: Path, index: PackageIndex) -> None:
    """When only other bytes are offered under that name, the error says so."""
    index.add(make_wheel(tmp_path, "alpha"))
    with (
        Indexes(PipConfig(index_url=index.url)) as indexes,
        pytest.raises(PackageIndexError, match="with another hash"),
    ):
        urls(indexes, distribution("0" * 64))


def test_unknown_project_and_unknown_file(tmp_path: Path, index: PackageIndex) -> None:
    """The error tells a project nobody knows from a file that is gone, and names the index."""
    index.add(make_wheel(tmp_path, "alpha", "2.0"))
    with Indexes(PipConfig(index_url=index.url)) as indexes:
        with pytest.raises(PackageIndexError, match="knows alpha, but not this file"):
            urls(indexes, distribution("0" * 64))
        with pytest.raises(PackageIndexError, match=rf"{index.origin}\S+ does not know beta"):
            urls(indexes, distribution("0" * 64, name="beta"))


def test_credentials_are_used_and_not_shown(tmp_path: Path) -> None:
    """Credentials in the index URL open it; without them the error hides what it can."""
    with package_index(credentials="me:secret") as index:
        served = index.add(make_wheel(tmp_path, "alpha"))
        with Indexes(PipConfig(index_url=index.url)) as indexes:
            assert urls(indexes, distribution(served.sha256))
        wrong = index.url.replace("secret", "guess")
        with (
            Indexes(PipConfig(index_url=wrong)) as indexes,
            pytest.raises(PackageIndexError, match="does not let us read") as caught,
        ):
            urls(indexes, distribution(served.sha256))
        assert "guess" not in str(caught.value)


def test_netrc_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of ``~/.netrc`` open an index whose URL holds none."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with package_index(credentials="me:secret") as index:
        served = index.add(make_wheel(tmp_path, "alpha"))
        config = PipConfig(index_url=f"{index.origin}/simple")
        with Indexes(config) as indexes:
            assert urls(indexes, distribution(served.sha256))


def test_each_page_is_fetched_once(tmp_path: Path, index: PackageIndex) -> None:
    """Many threads that want the same project make one request."""
    served = index.add(make_wheel(tmp_path, "alpha"))
    with Indexes(PipConfig(index_url=index.url)) as indexes, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: urls(indexes, distribution(served.sha256)), range(16)))
    assert len({tuple(one) for one in found}) == 1
    assert index.count("/simple/alpha") == 1


def test_a_page_that_fails_at_first(tmp_path: Path, index: PackageIndex) -> None:
    """500 and 429 are tried again, and give an error with the reason when they stay."""
    served = index.add(make_wheel(tmp_path, "alpha"))
    index.faults = [Fault(path="/simple/", status=500), Fault(path="/simple/", status=429)]
    with Indexes(PipConfig(index_url=index.url), retries=PATIENT) as indexes:
        assert urls(indexes, distribution(served.sha256))
    index.faults = [Fault(path="/simple/", status=503, times=99)]
    with (
        Indexes(PipConfig(index_url=index.url), retries=PATIENT) as indexes,
        pytest.raises(PackageIndexError, match=r"503.*tried 3 times"),
    ):
        urls(indexes, distribution(served.sha256))


def test_nobody_answers() -> None:
    """An index that cannot be reached is named, with what to check."""
    with (
        Indexes(PipConfig(index_url="http://127.0.0.1:9/simple"), retries=PATIENT) as indexes,
        pytest.raises(PackageIndexError, match="no connection"),
    ):
        urls(indexes, distribution("0" * 64))


def test_not_an_index(tmp_path: Path, index: PackageIndex) -> None:
    """An address that gives something else than a page is a mistake in the configuration."""
    index.add(make_wheel(tmp_path, "alpha"))
    name = "alpha-1.0-py3-none-any.whl"
    config = PipConfig(index_url="", find_links=(f"{index.origin}/files/{name}.metadata",))
    with (
        Indexes(config) as indexes,
        pytest.raises(PackageIndexError, match="is not a page of a package index"),
    ):
        urls(indexes, distribution("0" * 64))


def test_a_page_that_never_ends_is_broken_off() -> None:
    """No more of it is read than any page has."""
    wanted = distribution("a" * 64)
    with (
        endless() as address,
        Indexes(PipConfig(index_url=f"http://{address}/simple")) as indexes,
        pytest.raises(PackageIndexError, match="larger than any page"),
    ):
        urls(indexes, wanted)
