"""The page in a real Chromium, opened from disk: seen, read aloud, and used by keyboard."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from eggcrate.build.engine import BuildResult
from eggcrate.build.values import Verdict
from eggcrate.matrix.cells import Outcome
from eggcrate.registry import oci
from eggcrate.report.folder import write_all
from eggcrate.report.trend import Before
from support.browser import Page, browsing
from support.matrices import HOSTILE, manifests, reader, result, session_of, vast, with_everything
from support.suggesting import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eggcrate.matrix.session import Session

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
VIEWS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark"), (320, "light")]
CONTRAST = """(() => {
  const style = (element) => getComputedStyle(element);
  const numbers = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith("color(") ? found.map((v, i) => (i < 3 ? v * 255 : v)) : found;
  };
  const over = (top, ground, alpha) =>
    top.slice(0, 3).map((v, i) => v * alpha + ground[i] * (1 - alpha));
  const behind = (element) => {
    if (!element) return numbers(style(document.documentElement).backgroundColor);
    const own = numbers(style(element).backgroundColor);
    const alpha = own.length > 3 ? own[3] : 1;
    return alpha === 1 ? own : over(own, behind(element.parentElement), alpha);
  };
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const poor = new Set();
  for (const element of document.querySelectorAll("main *, header *, dialog *")) {
    const said = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!said || !element.getClientRects().length) continue;
    let alpha = 1;
    for (let at = element; at; at = at.parentElement) alpha *= Number(style(at).opacity);
    const ground = behind(element);
    const ink = over(numbers(style(element).color), ground, alpha);
    const [low, high] = [light(ink), light(ground)].sort((x, y) => x - y);
    const ratio = (high + 0.05) / (low + 0.05);
    const what = `${element.className || element.tagName} ${element.textContent.slice(0, 20)}`;
    if (ratio < 4.5) poor.add(`${what} ${ratio.toFixed(2)}`);
  }
  return [...poor];
})()"""
"""What is written with less contrast than WCAG 2.2 asks for (1.4.3, level AA)."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything in it."""
    session = with_everything()
    previous = {one.cell: Before(outcome=Outcome.PASSED, seconds=0.5) for one in session.results}
    read = reader(manifests("bare", "sklearn-1-5", "sklearn-1-7"))
    folder = tmp_path_factory.mktemp("small")
    told = [suggestion("pandas may be <4")]
    write_all(session, folder, read_blob=read, previous=previous, suggestions=told)
    return folder / "index.html"


def with_images(session: Session) -> tuple[Session, dict[str, bytes]]:
    names = sorted({one.cell.environment for one in session.results})
    found = manifests(*names, packages=30)
    images = tuple(
        BuildResult(
            environment=name,
            platform="linux/amd64",
            verdict=Verdict.UP_TO_DATE,
            digest=oci.digest_of(content),
        )
        for name, content in found.items()
    )
    results = tuple(replace(one, image="") for one in session.results)
    return replace(session, images=images, results=results), found


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of 200 environments and 100 components."""
    session, found = with_images(vast())
    folder = tmp_path_factory.mktemp("vast")
    write_all(session, folder, read_blob=reader(found))
    return folder / "index.html"


def click(page: Page, selector: str, text: str) -> None:
    found = f"[...document.querySelectorAll({selector!r})]"
    page.ask(f"{found}.find((one) => one.textContent.includes({text!r})).click()")


def dialog(page: Page) -> str:
    return str(page.ask("document.querySelector('dialog[open]')?.innerText ?? ''"))


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_it_is_drawn(page: Page, small: Path, width: int, scheme: str, tmp_path: Path) -> None:
    """Wide and narrow, light and dark: nothing is loaded, complained of or out of sight."""
    page.scheme(scheme)
    page.complaints.clear()
    page.requests.clear()
    page.open(small, width=width)
    assert page.ask("document.title") == "Matrix: 4 of 9 cells are not good"
    assert page.ask("document.documentElement.scrollWidth") <= width
    dark = page.ask("matchMedia('(prefers-color-scheme: dark)').matches")
    ground = page.ask("getComputedStyle(document.body).backgroundColor")
    assert dark == (scheme == "dark")
    assert (ground == "rgb(20, 23, 27)") == dark
    page.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000
    assert page.complaints == []
    assert page.requests == [small.as_uri()]


@pytest.mark.parametrize(("width", "scheme"), VIEWS[:4])
def test_everything_written_can_be_read(page: Page, small: Path, width: int, scheme: str) -> None:
    """Text stands out from its ground as WCAG 2.2 asks, on the page and in its panel."""
    page.scheme(scheme)
    page.open(small, width=width)
    assert page.ask(CONTRAST) == []
    page.open(small, fragment="#cell=train[trees]~sklearn-1-7", width=width)
    page.wait("document.querySelector('dialog[open]')")
    assert page.ask(CONTRAST) == []


def test_it_is_used_by_keyboard(page: Page, small: Path) -> None:
    """Tab reaches the grid, arrows move in it, Enter opens, Escape closes, N finds failures."""
    page.open(small)
    page.ask("document.querySelector('.outcomes button:last-child').focus()")
    page.press("Tab")
    assert page.ask("document.activeElement.getAttribute('role')") == "grid"

    def current() -> str:
        return str(
            page.ask(
                "document.getElementById(document.activeElement"
                ".getAttribute('aria-activedescendant')).getAttribute('aria-label')"
            )
        )

    assert current() == "clean in bare: timed-out, 5 min 0 s, took longer than 300 s"
    page.press("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight")
    assert current() == "split in sklearn-1-7: passed, 9.0 s"
    page.press("Home")
    assert current() == "split in bare: passed, 1.0 s"
    page.press("n")
    assert current().startswith("train[trees] in sklearn-1-7: failed, 2.0 s")
    page.press("p", "n", "Enter")
    page.wait("document.querySelector('dialog[open]')")
    assert dialog(page).startswith("train[trees] in sklearn-1-7")
    page.press("Escape")
    page.wait("!document.querySelector('dialog[open]')")
    assert page.ask("document.activeElement.getAttribute('role')") == "grid"


def test_everything_has_a_name(page: Page, small: Path) -> None:
    """What can be used or read says to assistive technology what it is."""
    page.open(small, fragment="#cell=train[trees]~sklearn-1-7")
    page.wait("document.querySelector('dialog[open]')")
    named = {"button", "searchbox", "combobox", "grid", "gridcell", "dialog", "link", "img"}
    for closing in (False, True):
        if closing:
            page.press("Escape")
        nodes = page.call("Accessibility.getFullAXTree")["nodes"]
        seen = [one for one in nodes if not one["ignored"] and one["role"]["value"] in named]
        assert [one for one in seen if not one.get("name", {}).get("value")] == []
        roles = {one["role"]["value"] for one in seen}
        assert roles >= ({"grid", "gridcell", "searchbox", "combobox"} if closing else {"dialog"})


def test_a_cell_shows_its_evidence(page: Page, small: Path) -> None:
    """How it ended, what it used, its proofs, its attempts, its log as text."""
    page.open(small, fragment="#cell=predict~sklearn-1-7")
    page.wait("document.querySelector('dialog[open]')")
    for told in (
        "killed",
        "9 (SIGKILL)",
        "4.3 GB of 4.3 GB (100%)",
        "example large",
        "passed, 0.5 s",
    ):
        assert told in dialog(page)
    page.open(small, fragment="#cell=clean~sklearn-1-7")
    page.wait("document.querySelector('dialog[open]')")
    assert "Earlier attempts" in dialog(page)
    assert "too late" in dialog(page)
    page.open(small, fragment="#cell=train[trees]~sklearn-1-7")
    page.wait("document.querySelector('dialog[open]')")
    log = page.ask("document.querySelector('dialog pre').textContent")
    assert "</script><script>document.title='owned'</script><!-- <b>bold</b>" in log
    assert page.ask("document.title") == "Matrix: 4 of 9 cells are not good"


def test_the_command_can_be_copied(page: Page, small: Path) -> None:
    """One press, and the button says so."""
    page.call("Browser.grantPermissions", permissions=["clipboardReadWrite"])
    page.open(small, fragment="#cell=train[trees]~sklearn-1-7")
    page.wait("document.querySelector('dialog[open]')")
    page.ask("document.querySelector('.command button').click()")
    page.wait("document.querySelector('.command button').textContent === 'Copied'")


def test_filters_leave_what_is_asked_for(page: Page, small: Path) -> None:
    """Outcome, environment, component and words; the address remembers them."""
    page.open(small)

    def rows() -> list[str]:
        return list(
            page.ask("[...document.querySelectorAll('#grid .rowhead')].map((e) => e.title)")
        )

    assert rows() == ["clean", "predict", "split", "train[boost]", "train[trees]"]
    click(page, ".outcomes button", "killed")
    assert rows() == ["predict"]
    assert page.ask("location.hash") == "#outcome=killed"
    click(page, ".filters button", "Clear")
    assert len(rows()) == 5
    page.ask("document.querySelector('input[type=search]').focus()")
    page.press(*"xgboost")
    page.wait("document.getElementById('shown').textContent.startsWith('2 cells')")
    assert rows() == ["train[boost]"]
    page.open(small, fragment="#environment=bare&component=train")
    assert rows() == ["train[boost]", "train[trees]"]
    assert page.ask("document.querySelectorAll('#grid .columnhead').length") == 1
    page.open(small, fragment="#text=no+such+thing")
    assert rows() == []


def test_images_show_what_fills_them(page: Page, small: Path) -> None:
    """Size, packages with bytecode, layers with who else holds them, bytes shared."""
    page.open(small)
    told = page.ask("document.getElementById('images').innerText")
    assert "537.5 MB in all, compressed; 489.5 MB to store" in told
    shared = "document.querySelector('#sharing [data-place=\"0,1\"]')"
    assert page.ask(f"{shared}.ariaLabel") == "bare shares 24.0 MB (13%) with sklearn-1-5"
    page.ask("document.querySelector('#images button.link').click()")
    assert "package-0 1.0\t50.0 MB\t10.0 MB" in dialog(page)
    assert "24.0 MB\t3 images\tpython-3.11 1.0" in dialog(page)


def test_changes_and_reasons_are_told(page: Page, small: Path) -> None:
    """What became worse and slower, what does not fit and why, what is suggested."""
    page.open(small)
    changes = page.ask("document.getElementById('changes').innerText")
    assert "Worse (9)" in changes
    assert "Slower (3)" in changes
    assert "needs xgboost>=2\tsklearn-1-5, sklearn-1-7" in page.ask(
        "document.getElementById('incompatible').innerText"
    )
    assert "pandas may be <4" in page.ask("document.getElementById('suggestions').innerText")


def test_a_vast_page_stays_usable(page: Page, huge: Path) -> None:
    """Of 20,000 cells those are drawn that are seen; all are reached, found and filtered."""
    page.complaints.clear()
    page.open(huge)
    assert "20,000 cells: 100 rows, 200 environments" in page.ask(
        "document.getElementById('shown').textContent"
    )
    drawn = "document.querySelectorAll('[role=gridcell]').length"
    assert 100 < page.ask(drawn) < 4000
    page.ask("document.getElementById('grid').focus()")
    page.press("End")
    for _ in range(8):
        page.call("Input.dispatchKeyEvent", type="keyDown", key="PageDown", code="PageDown")
    label = page.ask("document.querySelector('#grid .current').getAttribute('aria-label')")
    assert label.startswith("component_099 in environment-199")
    seen = page.ask(
        "(() => { const a = document.querySelector('#grid .current').getBoundingClientRect(), "
        "b = document.getElementById('grid').getBoundingClientRect(); "
        "return a.bottom <= b.bottom + 1 && a.right <= b.right + 1 && a.left >= b.left; })()"
    )
    assert seen
    assert page.ask(drawn) < 4000
    page.ask("document.querySelector('input[type=search]').focus()")
    page.press(*"failed")
    page.wait("document.getElementById('shown').textContent.startsWith('41 cells')")
    page.ask("document.querySelector('#grid .cell').click()")
    assert "AssertionError" in dialog(page)
    assert page.complaints == []


def test_names_of_any_kind_are_text(page: Page, tmp_path: Path) -> None:
    """Markup in names, reasons and suggestions is shown, in the grid and everywhere else."""
    name = "<img src=x onerror=document.title='owned'>"
    session = session_of(result(name, name, Outcome.FAILED, reason=HOSTILE, output=HOSTILE))
    write_all(session, tmp_path / "run", read_blob=reader({}), suggestions=[suggestion(name)])
    page.complaints.clear()
    page.open(tmp_path / "run" / "index.html")
    assert page.ask("document.querySelectorAll('img, b, main script').length") == 0
    assert name in page.ask("document.body.innerText")
    assert page.ask("document.title") == "Matrix: 1 of 1 cells is not good"
    assert page.complaints == []
