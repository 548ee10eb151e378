"""The matrix as a pipeline: compiled by KFP, run by tasks that are the cells, and brought home."""

from __future__ import annotations

import importlib.util
import json
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from eggcrate.report.task import LOST
from eggcrate.runtimes import sandbox
from support.endings import ENDINGS
from support.matrix import BASE, add_component
from support.repository import make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from support.repository import Ran, Repository

pytestmark = [
    pytest.mark.network,  # the base's packages and pytest, when no cache holds them
    pytest.mark.sandbox,
    pytest.mark.xdist_group("matrix"),
    pytest.mark.skipif(
        not importlib.util.find_spec("kfp"), reason="kfp (the extra `pipelines`) is not installed"
    ),
]

ALIKE = ("passes", "fails", "sleeps", "eats", "crashes")
MAKES = """
from pathlib import Path

from eggcrate import component
from kfp.dsl import Dataset, Input, Output


@component
def makes(source: Input[Dataset], table: Output[Dataset], times: int = 2) -> int:
    text = Path(source.path).read_text() * times
    Path(table.path).write_text(text)
    return len(text)
"""
EXAMPLE = """
[inputs]
source = "in.txt"

[expect]
Output = {length}
table = {{ contains = "abab" }}
"""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A pipeline of cells, its run, and what was reported of it."""

    repository: Repository
    compiled: Ran
    ran: Ran
    told: Ran
    spec: dict[str, Any]
    folder: Path

    @property
    def cells(self) -> dict[str, dict[str, Any]]:
        """Of the report, by component."""
        return {cell["component"]: cell for cell in json.loads(self.told.out)["cells"]}


def catalogue(folder: Path, cache: Path) -> Repository:
    repository = make_repository(folder, cache)
    repository.environment("bare", ())
    for name in ALIKE:
        settings, body = ENDINGS[name]
        lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        add_component(repository, name, settings=settings, test=f"def test_it(flavour):\n{lines}\n")
    # What ends a whole container, as a backend's own limit of memory does.
    kill = "import os, signal\n\n\ndef test_it():\n    os.kill(os.getppid(), signal.SIGKILL)\n"
    add_component(repository, "ends_all", test=kill)
    for name, length in (("makes", 4), ("errs", 5)):
        made = add_component(repository, name)
        (made / "component.py").write_text(MAKES.replace("def makes", f"def {name}"))
        case = made / "examples" / "twice"
        case.mkdir(parents=True)
        (case / "in.txt").write_text("ab")
        (case / "example.toml").write_text(EXAMPLE.format(length=length))
    return repository


@pytest.fixture(scope="module")
def sent(matrix_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    if reason := sandbox.available():
        pytest.skip(f"the sandbox does not work here: {reason}")
    repository = catalogue(tmp_path_factory.mktemp("sent") / "repo", matrix_cache)
    file = repository.root / "build" / "matrix" / "pipeline.yaml"
    compiled = repository.run(
        "matrix", "--compile", "--affected", "--environment", "bare", extra=BASE
    )
    assert compiled.code == 0, compiled.err
    ran = repository.run("run", str(file), "--runtime", "sandbox", extra=BASE)
    [folder] = (repository.root / ".eggcrate" / "runs" / "matrix").iterdir()
    told = repository.run("matrix", "--from", str(folder), "--json", extra=BASE)
    return Sent(
        repository=repository,
        compiled=compiled,
        ran=ran,
        told=told,
        spec=yaml.load(file.read_text(), Loader=yaml.CSafeLoader),
        folder=folder,
    )


def test_cells_end_in_the_same_words_as_in_the_matrix(sent: Sent) -> None:
    """The harness, the examples and the judge are those of the matrix."""
    found = {name: (cell["outcome"], cell["reason"]) for name, cell in sent.cells.items()}
    assert {name: outcome for name, (outcome, _) in found.items()} == {
        "passes": "passed",
        "fails": "failed",
        "sleeps": "timed-out",
        "eats": "killed",
        "crashes": "failed",
        "ends_all": "killed",
        "makes": "passed",
        "errs": "failed",
    }
    assert found["fails"][1] == "test_fails.py::test_it - AssertionError: sums are off"
    assert found["sleeps"][1] == "it did not end within 3 s"
    assert "134.2 MB" in found["eats"][1]
    assert "SIGSEGV" in found["crashes"][1]
    assert found["errs"][1] == "example twice: Output is 4, not 5"
    assert [proof["name"] for proof in sent.cells["makes"]["proofs"]] == ["tests", "example twice"]


def test_a_cell_whose_container_ends_is_gathered_too(sent: Sent) -> None:
    """It leaves no result; the report says so, and names the command that proves it here."""
    cell = sent.cells["ends_all"]
    assert cell["reason"] == LOST
    assert cell["command"] == "eggcrate matrix --component ends_all --environment bare"


def test_the_task_of_a_bad_cell_is_shown_as_failed(sent: Sent) -> None:
    """The run fails, and of each bad cell a task of its own, with the reason."""
    assert sent.ran.code == 1
    assert sent.told.code == 1
    run = json.loads((sent.folder / "run.json").read_text())
    ended = {task["name"]: task["state"] for task in run["tasks"]}
    assert ended["passes-in-bare"] == ended["report"] == "succeeded"
    assert ended["failed-fails-in-bare"] == "failed"
    assert ended["ends-all-in-bare"] in {"failed", "killed"}
    assert "failed-passes-in-bare" not in ended
    reasons = {task["name"]: task["reason"] for task in run["tasks"]}
    assert "sums are off" in reasons["failed-fails-in-bare"]


def test_the_last_task_writes_one_report(sent: Sent) -> None:
    """JSON, JUnit and a page, though cells failed and one left nothing."""
    written = [path for path in (sent.folder / "artifacts").rglob("*") if path.is_file()]
    texts = {path.name: path.read_text() for path in written if "report" in str(path)}
    assert 'failures="6"' in texts["junit"]
    assert json.loads(texts["results"])["schema"] == "eggcrate.matrix-results/1"
    assert "2 passed" in texts["page"]
    assert "sums are off" in texts["page"]


def test_every_task_is_in_the_image_of_its_cell_by_digest(sent: Sent) -> None:
    """And the parcel stands in the file once, in parts that Kubeflow takes."""
    executors = sent.spec["deploymentSpec"]["executors"]
    assert {e["container"]["image"].partition("@")[2][:7] for e in executors.values()} == {
        "sha256:"
    }
    sizes = {name: len(json.dumps(each["container"])) for name, each in executors.items()}
    assert max(sizes.values()) < 120 << 10
    parts = [name for name in sizes if name.startswith("exec-part")]
    assert sum(size for name, size in sizes.items() if name not in parts) < 60_000
    assert sent.spec["root"]["dag"]["tasks"]["passes-in-bare"]["cachingOptions"] == {}


def test_flags_of_the_matrix_select(sent: Sent) -> None:
    """By name; and what has not passed here, with --affected."""
    assert "build/matrix/pipeline.yaml: 8 cells" in sent.compiled.out
    none = sent.repository.run("matrix", "--compile", "--component", "none", extra=BASE)
    assert none.code == 2


def test_what_holds_no_results_is_an_error(sent: Sent, tmp_path: Path) -> None:
    """Nothing found is never nothing wrong."""
    ran = sent.repository.run("matrix", "--from", str(tmp_path), extra=BASE)
    assert ran.code == 2
    assert "holds no results of cells" in ran.err
    (tmp_path / "results").write_text('{"schema":"eggcrate.matrix-results/1","cells":[{}]}')
    assert sent.repository.run("matrix", "--from", str(tmp_path), extra=BASE).code == 1
