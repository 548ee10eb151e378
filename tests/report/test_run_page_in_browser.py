"""The page of a run in a real Chromium, opened from disk: seen, clicked and used by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.report.run_page import write_run_page
from support.browser import Page, browsing
from support.runs import HOSTILE, document, task, with_everything, write_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
VIEWS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
OPENED = "document.querySelector('dialog[open]')"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run_page(with_everything(tmp_path_factory.mktemp("runs")))


def click(page: Page, name: str) -> None:
    """Press the mouse on a task of the graph, where it is."""
    box = f"document.querySelector('[data-task=\"{name}\"] circle')"
    page.ask(f"{box}.scrollIntoView({{block: 'center', inline: 'center'}})")
    x, y = page.ask(
        f"(() => {{ const a = {box}.getBoundingClientRect();"
        "return [a.x + a.width / 2, a.y + a.height / 2]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    page.wait(OPENED)


def panel(page: Page) -> str:
    return str(page.ask(f"{OPENED}.innerText"))


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_it_is_drawn(page: Page, whole: Path, width: int, scheme: str) -> None:
    """Wide and narrow, light and dark: nothing is loaded, complained of or out of sight."""
    page.scheme(scheme)
    page.complaints.clear()
    page.requests.clear()
    page.open(whole, width=width)
    assert page.ask("document.title") == "Run of training: failed"
    assert page.ask("document.documentElement.scrollWidth") <= width
    assert page.ask("document.querySelectorAll('.graph .box').length") == 14
    overflowing = page.ask(
        "[...document.querySelectorAll('.box')].filter((box) => [...box.querySelectorAll('text')]"
        ".some((text) => { const a = text.getBoundingClientRect(),"
        " b = box.querySelector('.frame').getBoundingClientRect();"
        " return a.right > b.right || a.left < b.left; })).map((box) => box.dataset.task)"
    )
    assert overflowing == []
    assert [one for one in page.requests if one not in (whole.as_uri(), "about:srcdoc")] == []


@pytest.mark.parametrize("width", [1280, 390])
def test_a_click_shows_a_task(page: Page, whole: Path, width: int) -> None:
    """Its state in words, its inputs and outputs, its log as text; Escape closes it."""
    page.open(whole, width=width)
    click(page, "register-model-with-a-name-that-is-long")
    for told in ("✗failed", "the registry said no", "needs", "evaluate, prepare-data", "seed"):
        assert told in panel(page).replace("\n", "")
    log = page.ask("document.querySelector('dialog pre').textContent")
    assert log.startswith(HOSTILE.replace("\x1b[31m", ""))
    link = page.ask("document.querySelector('dialog a').href")
    assert link == (whole.parent / "tasks/register/log.txt").as_uri()
    page.press("Escape")
    page.wait(f"!{OPENED}")
    click(page, "for-loop-1[1]/score-it")
    assert "20261125-100000-bbbb" in panel(page)
    page.press("Escape")
    page.wait(f"!{OPENED}")
    click(page, "folds[*]")
    assert "12 iterations" in panel(page)
    assert panel(page).index("folds[7]") < panel(page).index("folds[0]")


def test_it_is_used_by_keyboard(page: Page, whole: Path) -> None:
    """Each task of the graph can be reached with Tab and opened with Enter."""
    page.open(whole)
    page.ask("document.querySelector('[data-task=evaluate]').focus()")
    assert page.ask("document.activeElement.getAttribute('aria-label')") == (
        "evaluate: succeeded, 1.8 s"
    )
    page.press("Enter")
    page.wait(OPENED)
    assert panel(page).startswith("evaluate")
    assert page.ask("location.hash") == "#task=evaluate"
    page.press("Escape")
    page.wait(f"!{OPENED}")
    assert page.ask("document.activeElement.dataset.task") == "evaluate"
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    named = {"button", "link", "img", "Iframe"}
    seen = [one for one in nodes if not one["ignored"] and one["role"]["value"] in named]
    assert [one for one in seen if not one.get("name", {}).get("value")] == []


def test_results_are_shown(page: Page, whole: Path) -> None:
    """Metrics as tables, curve and matrix drawn, slices listed, beside earlier runs."""
    page.open(whole)
    told = page.ask("document.getElementById('results').innerText")
    for one in ("accuracy\t0.96667", "area under the curve 0.827", "versicolor\t0\t8\t2", "north"):
        assert one in told
    assert "ROC curve of 11 points" in page.ask("document.querySelector('.roc').ariaLabel")
    compared = page.ask("document.getElementById('compared').innerText")
    assert "evaluate · metrics · accuracy\t0.91\t0.95 (+0.04)\t0.96667 (+0.016667)" in (
        compared.replace("0.016666", "0.016667")
    )
    assert page.ask("document.querySelectorAll('#times .track').length") > 8


def test_what_a_task_wrote_does_not_act(page: Page, whole: Path, tmp_path: Path) -> None:
    """An HTML artifact stands in a frame without scripts; Markdown and names are text."""
    page.complaints.clear()
    page.open(whole)
    frame = "document.querySelector('#results iframe')"
    assert page.ask(f"{frame}.getAttribute('sandbox')") == ""
    assert page.ask(f"{frame}.contentDocument") is None
    assert page.ask("document.title") == "Run of training: failed"
    assert "<b>not bold</b>" in page.ask("document.querySelector('pre.words').textContent")
    name = "<img src=x onerror=document.title='owned'>"
    hostile = document(task(name, name=name, reason=HOSTILE, state=name), pipeline="p")
    page.open(write_run_page(write_run(tmp_path / "run", hostile)))
    assert page.ask("document.querySelectorAll('img, main script').length") == 0
    assert name in page.ask("document.getElementById('tasks').innerText")
    assert page.ask("document.title") == "Run of p: failed".replace("failed", "succeeded")
