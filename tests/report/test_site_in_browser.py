"""The site in a real Chromium, opened from disk: searched, read, and used by keyboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet

from eggcrate import cli
from report.test_page_in_browser import CONTRAST, VIEWS
from support.browser import Page, browsing

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
ROOT = Path(__file__).resolve().parents[2]
VERSIONS = [
    *("0", "1", "1.0", "1.0.0", "1.0.1", "1.1", "2.0", "2.0.5", "2.10", "2.9", "10.0", "1!0.5"),
    *("1.0a1", "1.0b2", "1.0rc1", "1.0.dev3", "1.0a1.dev2", "1.0.post1", "1.0.post1.dev4", "1.0-2"),
    *("2.0+cpu", "2.0+cpu.1", "2024.1", "v1.0", "1.0.0.0.1"),
]
SPECIFIERS = [
    *("", "<1", "<=1", ">1", ">=1", "==1", "!=1", "==1.0", "==1.*", "!=1.*", "==1.0.*", "~=1.0"),
    *(
        "~=1.0.0",
        "~=2.0",
        ">=1.0a1",
        "<1.0rc1",
        "<1.0.post1",
        ">1.0.post1",
        ">=1.0.dev1",
        "==1!0.*",
    ),
    *(
        ">=1,<2",
        ">=1.0,!=1.0.1,<3",
        "==2.0+cpu",
        "==2.0",
        "===1.0",
        "~=1.0a1",
        ">1.0a1",
        "<2,>=1.0b1",
    ),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of this repository."""
    folder = tmp_path_factory.mktemp("site") / "made"
    assert cli.main(["--repo", str(ROOT), "report", "--offline", "--site", str(folder)]) == 0
    return folder


def _type(page: Page, text: str) -> str:
    page.ask("document.getElementById('search').select()")
    page.press(*text)
    found: str = page.ask("document.getElementById('found').textContent")
    return found


def _rows(page: Page) -> list[str]:
    found: list[str] = page.ask(
        "[...document.querySelectorAll('#answer tbody tr')].map((row) => row.innerText)"
    )
    return [" ".join(row.split()) for row in found if row.strip()]


def test_a_package_is_found_by_keyboard(page: Page, site: Path) -> None:
    """A name, versions of it, several at once; a part of a name leads on; nonsense is said."""
    page.open(site / "index.html")
    page.press("/")
    assert page.ask("document.activeElement.id") == "search"
    assert "environments hold numpy" in _type(page, "numpy")
    everyone = _rows(page)
    assert any("(direct)" in row for row in everyone)
    told = _type(page, "NumPy < 2.3")
    assert "hold numpy<2.3" in told.replace("holds", "hold")
    assert any(row.startswith("sklearn-1-5") for row in _rows(page))
    assert len(_rows(page)) < len(everyone)
    assert page.ask("location.hash") == "#q=NumPy%20%3C%202.3"
    told = _type(page, "scikit-learn~=1.7.0 xgboost-cpu")
    assert [row.split()[0] for row in _rows(page)] == ["xgboost-2"], told
    assert "No package is called scikit" in _type(page, "scikit")
    page.ask("document.querySelector('#answer button').focus()")
    page.press("Enter")
    assert page.ask("document.getElementById('search').value") == "scikit-learn"
    assert "No environment holds leftpad" in _type(page, "leftpad")
    for nonsense in ("numpy<<2", "numpy>=x", "<2", "numpy~=2"):
        assert "Write a package" in _type(page, nonsense), nonsense
    page.press("Escape")
    assert page.ask("document.getElementById('answer').childElementCount") == 0
    page.open(site / "index.html", fragment="#q=pandas%3E%3D3")
    assert "hold pandas>=3" in page.ask("document.getElementById('found').textContent")
    page.ask("document.querySelector('#answer a').click()")
    page.wait("location.pathname.includes('/environments/')")
    assert not page.complaints
    assert all(url.startswith(("file:", "about:")) for url in page.requests)


def test_versions_are_compared_as_packaging_does(page: Page, site: Path) -> None:
    """Every specifier with every version: the page's program and PyPA's agree."""
    page.open(site / "index.html")
    pairs = [(specifier, version) for specifier in SPECIFIERS for version in VERSIONS]
    told = page.ask(f"{json.dumps(pairs)}.map(([one, other]) => eggcrateAllows(one, other))")
    ours = dict(zip(pairs, told, strict=True))
    wrong = {
        pair: allowed
        for pair, allowed in ours.items()
        if allowed != SpecifierSet(pair[0], prereleases=True).contains(pair[1])
    }
    assert wrong == {}


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_pages_fit_and_can_be_read(page: Page, site: Path, width: int, scheme: str) -> None:
    """Nothing is wider than the window, and every text has the contrast that WCAG asks for."""
    page.scheme(scheme)
    names = ("environments/xgboost-2", "components/train_model", "pipelines/training")
    for name, fragment in [("index", "#q=numpy<2.4"), *((name, "") for name in names)]:
        page.open(site / f"{name}.html", fragment=fragment, width=width)
        assert page.ask("document.documentElement.scrollWidth") <= width, name
        assert page.ask(CONTRAST) == [], name
    assert not page.complaints


def test_a_page_is_skipped_into_by_keyboard(page: Page, site: Path) -> None:
    """The first key leads past the header, as on the matrix's page; the title says what it is."""
    page.open(site / "environments" / "xgboost-2.html")
    page.press("Tab")
    assert page.ask("document.activeElement.className") == "skip"
    page.press("Enter")
    assert page.ask("location.hash") == "#main"
    assert page.ask("document.title").startswith("xgboost-2")
    heads = page.ask("[...document.querySelectorAll('h1')].map((one) => one.textContent)")
    assert heads == ["xgboost-2"]
