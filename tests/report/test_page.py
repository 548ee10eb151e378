"""The page as a file: one, whole, and with nothing in it that acts but its own program."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from poetry.core.masonry.api import build_wheel

from eggcrate.matrix.cells import Outcome
from eggcrate.report.page import _ASSETS, embedded, page
from eggcrate.report.page_cells import Strings, cells_data
from support.matrices import HOSTILE, proof, result, session_of, with_everything

if TYPE_CHECKING:
    import pytest


class Parts(HTMLParser):
    """Every element with its attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - as the parser calls it
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in self.texts:
            self.texts[self._open].append(data)


def hostile_page() -> str:
    names = session_of(result("<b>x", "{{script}}", Outcome.FAILED, reason=HOSTILE, output=HOSTILE))
    return page(names, {}, (), [HOSTILE])


def test_it_needs_nothing_else() -> None:
    """No element loads anything; the policy forbids what is not in the file."""
    parts = Parts(page(with_everything(), {}))
    for tag, attributes in parts.found:
        assert not {"src", "srcset", "onclick", "onload", "style"} & set(attributes), tag
        assert tag not in {"link", "iframe", "object", "img"}
    text = "".join(parts.texts["style"] + parts.texts["script"][-1:])
    assert not re.search(r"https?://(?!www\.w3\.org/WAI)|@import|url\(|innerHTML|eval\(", text)


def test_only_its_own_program_may_run() -> None:
    """The policy names the hashes of the one script and the one style sheet."""
    for text in (page(with_everything(), {}), hostile_page()):
        parts = Parts(text)
        assert len(parts.texts["script"]) == 2
        policy = next(one["content"] or "" for _, one in parts.found if "http-equiv" in one)
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        for kind, content in (
            ("script", parts.texts["script"][1]),
            ("style", parts.texts["style"][0]),
        ):
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{digest}'" in policy


def test_hostile_text_is_data() -> None:
    """Names, reasons, logs and suggestions end no element, and come out as they went in."""
    text = hostile_page()
    data = json.loads(Parts(text).texts["script"][0])
    assert text.count("</script>") == 2
    assert data["rows"] == ["<b>x"]
    assert data["columns"] == ["{{script}}"]
    assert "</script><script>document.title='owned'</script>" in data["more"]["0"]["log"]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", text)


@given(
    st.recursive(
        st.text(st.characters()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_embedded_data_opens_no_tag(value: object) -> None:
    """Whatever it holds, it is the same value again, and has no character that HTML reads."""
    text = embedded(value)
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")


def test_logs_have_a_budget_that_failures_get_first() -> None:
    """A page of a large run stays small; what is cut is counted, and the log file named."""
    long = "x" * 79 + "\n"
    cells = [
        result("a", "x", Outcome.PASSED, output=long * 1000),
        result("b", "x", Outcome.FAILED, proofs=(proof(Outcome.FAILED, output=long * 1000),)),
        result("c", "x", Outcome.PASSED, output=long * 1000),
        result("d", "x", Outcome.PASSED, output=long * 1000),
    ]
    data = cells_data(cells, {}, Strings(), room=70_000)
    logs = {place: more.get("log", "") for place, more in data["more"].items()}
    assert 59_000 < len(data["more"][1]["proofs"][0]["log"]) <= 60_000
    assert 5_900 < len(logs[0]) <= 6_000
    assert sum(map(len, logs.values())) <= 70_000 - 59_000
    assert data["more"][3]["cut"] >= 74_000
    assert data["more"][0]["cut"] + len(logs[0]) == 80_000
    assert data["more"][3]["file"] == "logs/x/d.log"


def test_a_pairing_stands_in_every_row_of_its_component() -> None:
    """Once in the data, in the rows of all flavours in the grid."""
    data = cells_data(with_everything().results, {}, Strings())
    boost, trees = data["rows"].index("train[boost]"), data["rows"].index("train[trees]")
    assert [boost, trees] in [one[0] for one in data["cells"]]


def test_a_wheel_holds_what_the_page_is_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed from a wheel, Eggcrate has its style and programs too."""
    monkeypatch.chdir(Path(__file__).parent.parent.parent)
    wheel = tmp_path / build_wheel(str(tmp_path))
    held = set(zipfile.ZipFile(wheel).namelist())
    assets = {path.name for path in _ASSETS.iterdir()}
    assert {f"eggcrate/report/assets/{name}" for name in assets} <= held
