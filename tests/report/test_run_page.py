"""The page of a run as a file: whole, bounded, and nothing in it acts but its own program."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eggcrate.errors import EggcrateError
from eggcrate.report.run_data import metrics_of, run_data
from eggcrate.report.run_page import write_run_page
from support.runs import HOSTILE, artifact, document, task, with_everything, write_run

if TYPE_CHECKING:
    from pathlib import Path

METRICS = [None, 3, {}, {"type": "system.Metrics", "metadata": {"a": float("nan"), "b": 2}}]
JSON = st.sampled_from(
    [
        *(None, True, 3, -1.5, float("nan"), float("inf"), 10**400, "", "x", "0", "\ud800"),
        *([], ["a", 1, None], [{"id": "0"}, {"id": 3}], {}, {"a": {"b": float("inf")}}),
        *({"artifacts": {"m": METRICS}}, {"parameters": {"p": [1]}, "artifacts": [1]}),
    ]
)


def data_of(page: Path) -> dict[str, Any]:
    text = page.read_text()
    found = text.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    told: dict[str, Any] = json.loads(found)
    return told


def test_it_needs_nothing_else(tmp_path: Path) -> None:
    """One file; its policy lets its own program run, and nothing be loaded."""
    page = write_run_page(with_everything(tmp_path))
    assert page == tmp_path / "run-3/index.html"
    text = page.read_text()
    assert text.count("<script") == 2
    script = text.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#x27;sha256-{digest}&#x27;" in text
    assert "default-src &#x27;none&#x27;" in text
    for loads in ("innerHTML", "eval(", "@import", "url(http", "src=", "allow-scripts"):
        assert loads not in text.replace(json.dumps(data_of(page)), "").split('id="data"')[0]
        assert loads not in script


def test_hostile_text_is_data(tmp_path: Path) -> None:
    """Names and logs end no element, and carry no control characters."""
    folder = write_run(
        tmp_path / "run",
        document(task(HOSTILE, reason=HOSTILE, log="log.txt"), pipeline=HOSTILE),
        {"log.txt": HOSTILE},
    )
    page = write_run_page(folder)
    text = page.read_text()
    assert text.count("</script>") == 2
    assert "<img" not in text
    [told] = data_of(page)["tasks"]
    assert told["log"] == HOSTILE.replace("\x1b[31m", "")
    assert "\x1b" not in text


def test_no_path_leads_out_of_the_run(tmp_path: Path) -> None:
    """Neither a log nor an artifact shows, or links to, a file that is not the run's."""
    (tmp_path / "secret").write_text("secret")
    folder = write_run(tmp_path / "run", {})
    (folder / "link").symlink_to(tmp_path / "secret")
    outside = [artifact("HTML", str(tmp_path / "secret")), artifact("Markdown", "../secret")]
    outside += [artifact("HTML", "link"), artifact("HTML", "a\0b"), artifact("Model", "gone")]
    bad = task("a", log="../secret", outputs={"parameters": {}, "artifacts": {"x": outside}})
    write_run(folder, document(bad, task("b", log="link")))
    data = data_of(write_run_page(folder))
    assert not [one for one in data["tasks"] if "log" in one or "file" in one]
    artifacts = data["tasks"][0]["outputs"]["artifacts"]
    assert len(artifacts) == 5
    assert not [one for one in artifacts if "link" in one or "content" in one]


def test_logs_and_files_have_a_budget(tmp_path: Path) -> None:
    """The end of a long log is in the page, what is cut is counted; large files are linked."""
    line = "x" * 79 + "\n"
    large = {"page": [artifact("HTML", "page")]}
    folder = write_run(
        tmp_path / "run",
        document(
            task("good", log="log", outputs={"parameters": {}, "artifacts": large}),
            task("bad", log="log", state="failed"),
        ),
        {"log": line * 10_000, "page": "<p>" * 400_000},
    )
    good, bad = data_of(write_run_page(folder))["tasks"]
    assert 19_000 < len(good["log"]) <= 20_000
    assert 199_000 < len(bad["log"]) <= 200_000
    assert good["cut"] + len(good["log"]) == 800_000
    assert good["file"] == "log"
    [shown] = good["outputs"]["artifacts"]
    assert "content" not in shown
    assert shown["link"] == "page"


def test_metrics_stand_beside_those_of_earlier_runs(tmp_path: Path) -> None:
    """Runs of the same pipeline that began before, the oldest first; others do not count."""
    folder = with_everything(tmp_path)
    write_run(tmp_path / "later", document(started="2027-01-01T00:00:00Z"))
    write_run(tmp_path / "other", document(started="2020-01-01T00:00:00Z", pipeline="x"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/run.json").write_text("{")
    compared = data_of(write_run_page(folder))["compared"]
    assert [run for run, _ in compared["runs"]][:2] == [
        "20261121-100000-aaaa",
        "20261122-100000-aaaa",
    ]
    assert compared["rows"][0] == ["evaluate · metrics · accuracy", [0.91, 0.95, 0.966666]]


def test_a_loop_of_many_iterations_is_one_box(tmp_path: Path) -> None:
    """Few are drawn one by one; many as one, with all of them behind it."""
    data = data_of(write_run_page(with_everything(tmp_path)))
    assert list(data["stacks"]) == ["folds[*]"]
    assert len(data["stacks"]["folds[*]"]) == 12
    boxes = {name for name, *_ in data["graphs"][0]["boxes"]}
    assert {"folds[*]", "for-loop-1[0]", "for-loop-1[1]/split"} <= boxes
    assert "folds[3]" not in boxes


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "eggcrate.run/2"}', "[" * 99999])
def test_what_is_no_run_is_refused(tmp_path: Path, text: str) -> None:
    """With a sentence."""
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(EggcrateError, match=r"run\.json"):
        write_run_page(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.dictionaries(st.sampled_from(["state", "tasks", "outputs", "seconds", "started"]), JSON),
    st.lists(st.dictionaries(st.sampled_from(list(task("x"))), JSON), max_size=3),
)
@example(more={}, tasks=[{"id": ""}, {"id": "a", "parent": "", "needs": [""]}])
def test_any_document_has_a_page(tmp_path: Path, more: Any, tasks: Any) -> None:
    """Whatever is of another kind than the schema says is left out."""
    told = document(*[{"id": str(at), **one} for at, one in enumerate(tasks)]) | more
    json.dumps(run_data(told, tmp_path))
    assert metrics_of(told) == {} or metrics_of(told)
