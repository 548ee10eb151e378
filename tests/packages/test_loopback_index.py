"""The loopback index shows pip's view of several sources as one."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from eggcrate.packages.indexes import Indexes, shared_sources
from eggcrate.packages.loopback_index import LoopbackIndex, _interval, loopback_index
from eggcrate.packages.pip_config import PipConfig
from eggcrate.packages.web import Retries
from support.package_index import Fault, package_index
from support.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


@contextmanager
def serving(config: PipConfig, *, include_local: bool = False) -> Iterator[LoopbackIndex]:
    retries = Retries(attempts=2, sleep=lambda _: None)
    with Indexes(config, retries=retries) as indexes:
        sources = shared_sources(indexes, include_local=include_local)
        with loopback_index(indexes, sources) as loopback:
            yield loopback


def rows(loopback: LoopbackIndex, project: str) -> dict[str, dict[str, Any]]:
    page = httpx2.get(f"{loopback.url}/{project}/", headers=JSON).json()
    return {row["filename"]: row for row in page["files"]}


def fetched(loopback: LoopbackIndex, row: dict[str, Any], suffix: str = "", **headers: str) -> Any:
    url = httpx2.URL(f"{loopback.url}/x/").join(row["url"] + suffix)
    return httpx2.get(url, headers=headers)


def test_sources_are_one(tmp_path: Path) -> None:
    """Files of all sources are offered; of two with one name the first source's wins."""
    with package_index(credentials="me:secret") as main, package_index() as extra:
        first = main.add(make_wheel(tmp_path / "1", "alpha", files={"a.py": "first"}))
        extra.add(make_wheel(tmp_path / "2", "alpha", files={"a.py": "second"}))
        newer = extra.add(make_wheel(tmp_path / "2", "alpha", "2.0"))
        with serving(PipConfig(index_url=main.url, extra_index_urls=(extra.url,))) as loopback:
            offered = rows(loopback, "alpha")
            assert list(offered) == [first.filename, newer.filename]
            for served in (first, newer):
                row = offered[served.filename]
                assert row["hashes"] == {"sha256": served.sha256}
                assert fetched(loopback, row).content == served.content


@pytest.mark.parametrize("json", [True, False])
def test_attributes_pass_through(tmp_path: Path, json: bool) -> None:
    """Yanked, requires-python and metadata are told as the source tells them."""
    with package_index() as main:
        main.json = json
        wheel = make_wheel(tmp_path, "alpha", requires=["beta"])
        served = main.add(wheel, requires_python=">=3.9,<4", yanked="broken")
        main.add(make_sdist(tmp_path, "alpha"))
        with serving(PipConfig(index_url=main.url)) as loopback:
            row = rows(loopback, "alpha")[served.filename]
            assert row["requires-python"] == ">=3.9,<4"
            assert row["yanked"] == "broken"
            assert served.metadata is not None
            assert row["core-metadata"] == {"sha256": hashlib.sha256(served.metadata).hexdigest()}
            assert fetched(loopback, row, ".metadata").content == served.metadata
            page = httpx2.get(f"{loopback.url}/alpha/").text
        assert 'data-requires-python="&gt;=3.9,&lt;4"' in page
        assert 'data-yanked="broken"' in page
        assert f"#sha256={served.sha256}" in page


def test_ranges(tmp_path: Path) -> None:
    """A part of a file can be had, from an index and from a folder."""
    with package_index() as main:
        served = main.add(make_wheel(tmp_path / "1", "alpha"))
        local = make_wheel(tmp_path / "2", "beta")
        config = PipConfig(index_url=main.url, find_links=((tmp_path / "2").as_uri(),))
        with serving(config, include_local=True) as loopback:
            for name, content in (("alpha", served.content), ("beta", local.read_bytes())):
                (row,) = rows(loopback, name).values()
                answer = fetched(loopback, row, Range="bytes=-10")
                assert (answer.status_code, answer.content) == (206, content[-10:])
                assert answer.headers["Content-Range"].endswith(f"/{len(content)}")


def test_local_sources_are_left_out(tmp_path: Path) -> None:
    """What one machine holds is offered only on request; a local main index always."""
    with package_index() as main:
        main.add(make_wheel(tmp_path / "1", "alpha"))
        make_wheel(tmp_path / "2", "beta")
        config = PipConfig(index_url=main.url, find_links=((tmp_path / "2").as_uri(),))
        with serving(config) as loopback:
            assert httpx2.get(f"{loopback.url}/beta/").status_code == 404
            assert loopback.missing == {"beta"}
    wheel = make_wheel(tmp_path / "3", "gamma")
    page = tmp_path / "simple" / "gamma" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../../3/{wheel.name}">{wheel.name}</a>')
    with serving(PipConfig(index_url=(tmp_path / "simple").as_uri())) as loopback:
        assert list(rows(loopback, "gamma")) == [wheel.name]


def test_nobody_else_can_use_it(tmp_path: Path) -> None:
    """Without the secret in the path there is nothing: it holds our credentials' rights."""
    with package_index() as main:
        main.add(make_wheel(tmp_path, "alpha"))
        with serving(PipConfig(index_url=main.url)) as loopback:
            origin = loopback.url.rsplit("/", 2)[0]
            assert httpx2.get(f"{origin}/simple/alpha/").status_code == 404
            assert httpx2.get(f"{origin}/guess/simple/alpha/").status_code == 404
            assert httpx2.get(f"{loopback.url}/alpha/").status_code == 200


def test_what_fails_upstream_is_remembered(tmp_path: Path) -> None:
    """A failing source is an error to the client, and its cause is kept for the user."""
    with package_index() as main:
        main.add(make_wheel(tmp_path, "alpha"))
        main.faults = [Fault(path="/simple/", status=500, times=9)]
        with serving(PipConfig(index_url=main.url)) as loopback:
            assert httpx2.get(f"{loopback.url}/alpha/").status_code == 424
            assert "500" in str(loopback.failures[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", (0, 9)), ("bytes=2-4", (2, 5)), ("bytes=5-", (5, 9)), ("bytes=-3", (6, 9))],
)
def test_interval(text: str, expected: tuple[int, int]) -> None:
    """Byte ranges are read as RFC 9110 defines them."""
    assert _interval(text, 9) == expected
