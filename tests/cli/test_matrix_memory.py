"""What changed is proven again, exactly that, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import RuntimeUnavailableError
from eggcrate.matrix import workbench
from support.planning import package
from support.published import fill_store
from support.rig import BAD, GOOD, Rig, cross

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from eggcrate.runtimes.protocol import Result
    from support.repository import Repository

    Run = Callable[..., tuple[int, str, str]]

BOTH = ("one", "two")


@pytest.fixture
def rig(repository: Repository, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Rig:
    """A matrix that was proven once, with nothing to share its memory with."""
    monkeypatch.setenv("EGGCRATE_REGISTRY", "")
    made = Rig.make(repository, run, monkeypatch, tmp_path / "harness")
    assert made.ran() == cross("abc", BOTH)
    return made


def test_nothing_changed_reuses_every_pass(rig: Rig) -> None:
    """Nothing is run, no image is made ready, no runtime is asked for."""
    rig.runtime.prepared.clear()
    cells = rig.cells()
    assert {cell["outcome"] for cell in cells.values()} == {"reused"}
    assert not rig.runtime.ran
    assert not rig.runtime.prepared
    assert "to prove in the" not in rig.err
    assert {cell["seconds"] for cell in cells.values()} == {1.5}
    assert all(cell["reason"].startswith("passed on 20") for cell in cells.values())


@pytest.mark.parametrize(
    ("path", "components"),
    [
        ("components/shared/deep.py", "a"),
        ("components/shared/one.py", "a"),
        ("components/shared/two.py", "b"),
        ("components/shared/__init__.py", "ab"),
        ("components/c/component.py", "c"),
        ("components/c/tests/test_c.py", "c"),
        ("components/b/tests/more/table.csv", "b"),
        ("components/conftest.py", "abc"),
        ("components/shared/unused.py", ""),
        ("components/c/README.md", ""),
        ("README.md", ""),
    ],
)
def test_a_changed_file_runs_exactly_the_rows_that_depend_on_it(
    rig: Rig, path: str, components: str
) -> None:
    """A helper those components that import it, however deep; a test its own row; and no other."""
    file = rig.repository.root / path
    rig.write(path, (file.read_text() if file.exists() else "") + "# changed\n")
    assert rig.ran() == cross(components, BOTH)
    assert rig.ran() == set()


def test_a_changed_lock_runs_exactly_its_column(rig: Rig) -> None:
    """The image is another one; those of other environments are not."""
    rig.repository.environment("two", (package("six", "1.17"),))
    fill_store(rig.repository)
    assert rig.ran() == cross("abc", ("two",))
    rig.repository.environment("two", (package("six"),))
    assert rig.ran() == set()  # as it was before


def test_a_new_component_runs_its_row_alone(rig: Rig) -> None:
    """What is there already need not be proven because something joined it."""
    rig.component("d", "Y = 1\n")
    assert rig.ran() == cross("d", BOTH)


@pytest.mark.parametrize(
    ("settings", "again"),
    [
        ("memory = '1GiB'", True),
        ("timeout = 9", True),
        ("network = true", True),
        ("env = {TZ = 'UTC'}", True),
        ("retries = 2", False),
        ("environment = 'two'", False),
    ],
)
def test_limits_and_variables_count_and_the_rest_does_not(
    rig: Rig, settings: str, again: bool
) -> None:
    """A result is of what the cell may use; how often to try, or the default, is not."""
    rig.component("c", "X = 1\n", settings)
    assert rig.ran() == (cross("c", BOTH) if again else set())


def test_pytest_arguments_count(rig: Rig) -> None:
    """Passing a part of the tests is not passing all of them."""
    assert rig.ran("--", "-k", "x") == cross("abc", BOTH)
    assert rig.ran("--", "-k", "x") == set()
    assert rig.ran() == set()


def test_another_harness_proves_anew(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs the tests is part of what a result rests on."""
    monkeypatch.setattr("eggcrate.matrix.proving.harness_version", lambda _: "another")
    assert rig.ran() == cross("abc", BOTH)


def test_a_failure_is_not_remembered(rig: Rig) -> None:
    """It is run until it passes; what passes meanwhile is not run again."""
    rig.write("components/c/component.py", "X = 2\n")
    rig.runtime.endings["c", "one"] = BAD
    assert rig.ran(code=1) == cross("c", BOTH)
    assert rig.ran(code=1) == {("c", "one")}
    rig.runtime.endings.clear()
    assert rig.ran() == {("c", "one")}
    assert rig.ran() == set()


def _next(endings: Iterator[Result]) -> Callable[[object], Result]:
    return lambda _: next(endings)


def test_a_flaky_cell_is_not_remembered(rig: Rig) -> None:
    """It is told as flaky in every run, not once, and then green."""
    rig.component("c", "X = 3\n", "retries = 1")
    for _ in range(2):
        endings = iter((BAD, GOOD))
        rig.runtime.endings["c", "one"] = _next(endings)
        cells = rig.cells()
        assert cells["c", "one"]["outcome"] == "flaky"


def test_rerun_runs_everything_and_remembers(rig: Rig) -> None:
    """Its failures do not undo what was remembered of other contents."""
    assert rig.ran("--rerun") == cross("abc", BOTH)
    assert rig.ran() == set()


def test_a_failure_under_rerun_undoes_the_pass(rig: Rig) -> None:
    """The very same cell failed: no later run takes it as proven, until it passes."""
    rig.runtime.endings["b", "two"] = BAD
    cells = rig.cells("--rerun", code=1)
    assert cells["b", "two"]["outcome"] == "failed"
    assert rig.ran(code=1) == {("b", "two")}
    rig.runtime.endings.clear()
    assert rig.ran() == {("b", "two")}
    assert rig.ran() == set()


def test_flakiness_under_rerun_undoes_the_pass(rig: Rig) -> None:
    """It is told as flaky, and is not taken as proven."""
    rig.component("c", "X = 1\n", "retries = 1")
    endings = iter((BAD, GOOD))
    rig.runtime.endings["c", "one"] = _next(endings)
    assert rig.cells("--rerun")["c", "one"]["outcome"] == "flaky"
    rig.runtime.endings.clear()
    assert rig.ran() == {("c", "one")}


@pytest.mark.parametrize("option", [("--rerun",), ("--prove", "99")])
def test_what_could_not_be_run_undoes_nothing(rig: Rig, option: tuple[str, ...]) -> None:
    """A runtime that does not start says nothing of the cell: the run fails, the pass stays."""

    def broken(_: object) -> Result:
        raise RuntimeUnavailableError("it does not start")

    rig.runtime.endings["b", "two"] = broken
    assert rig.cells(*option, code=1)["b", "two"]["outcome"] == "broken"
    assert rig.ran() == set()


def test_an_edit_while_a_sample_runs_is_not_what_ran(rig: Rig) -> None:
    """What runs is a copy: its pass counts for the files as they were, and is kept."""

    def edit(_: object) -> Result:
        rig.write("components/c/component.py", "X = 6\n")
        return GOOD

    rig.runtime.endings["c", "one"] = edit
    arguments = ("--component", "c", "--environment", "one", "--prove", "1")
    assert rig.cells(*arguments)["c", "one"]["outcome"] == "passed"
    rig.runtime.endings.clear()
    rig.write("components/c/component.py", "X = 1\n")
    assert rig.ran() == set()


@pytest.mark.parametrize("ending", [GOOD, BAD])
def test_a_result_of_other_files_disproves_nothing(
    rig: Rig, ending: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edited between being read and being copied: it has no key, and what it ended with stays."""
    with monkeypatch.context() as patch:
        patch.setattr(workbench.Proving, "_keyed", lambda _, result, __: replace(result, key=""))
        rig.runtime.endings["c", "one"] = ending
        arguments = ("--component", "c", "--environment", "one", "--prove", "1")
        cell = rig.cells(*arguments, code=0 if ending is GOOD else 1)["c", "one"]
    assert cell["outcome"] == ("passed" if ending is GOOD else "failed")
    assert "remembered" not in cell["reason"]
    assert rig.ran() == set()


def test_cells_with_one_key_are_recalled_each(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One image can be in use under two names: neither cell is run again."""
    monkeypatch.setattr(workbench, "cell_key", lambda *_, **__: "c" * 64)
    assert rig.ran() == cross("abc", BOTH)
    assert rig.ran() == set()


def test_without_memory_nothing_is_used_or_kept(rig: Rig) -> None:
    """Neither what passed before, nor later what passes now."""
    rig.write("components/c/component.py", "X = 4\n")
    assert rig.ran("--no-memory") == cross("abc", BOTH)
    assert rig.ran() == cross("c", BOTH)


def test_a_sample_of_what_is_remembered_is_run_again(rig: Rig) -> None:
    """As many as asked for, the same ones for the same seed; when all pass nothing else is said."""
    first = rig.ran("--prove", "3", "--seed", "7")
    assert len(first) == 3
    assert "--seed 7" in rig.err
    assert rig.ran("--prove", "3", "--seed", "7") == first
    assert rig.ran("--prove", "99") == cross("abc", BOTH)


def test_a_disagreement_is_loud_and_forgotten(rig: Rig) -> None:
    """The run fails and names the cell; it is not believed any more in the next."""
    rig.runtime.endings["b", "two"] = BAD
    cells = rig.cells("--prove", "99", code=1)
    assert cells["b", "two"]["outcome"] == "failed"
    assert "it was remembered as passed on 20" in cells["b", "two"]["reason"]
    assert "warning: b in two: it was remembered as passed" in rig.err
    assert rig.ran(code=1) == {("b", "two")}


def test_a_flaky_disagreement_is_one_too(rig: Rig) -> None:
    """A remembered pass that needs a second attempt was luck."""
    rig.component("c", "X = 1\n", "retries = 1")
    endings = iter((BAD, GOOD))
    rig.runtime.endings["c", "one"] = _next(endings)
    cells = rig.cells("--prove", "99", code=1)
    assert cells["c", "one"]["outcome"] == "failed"
    assert "it passed in attempt 2 of 2" in cells["c", "one"]["reason"]


@pytest.mark.parametrize(
    "arguments", [("--prove", "1", "--rerun"), ("--prove", "-1"), ("--prove", "1", "--no-memory")]
)
def test_a_proof_of_what_is_not_used_makes_no_sense(rig: Rig, arguments: tuple[str, ...]) -> None:
    """Told as a mistake of the command line."""
    code, _, err = rig.run("matrix", *arguments)
    assert code == 2
    assert "--prove" in err


def test_a_damaged_memory_is_no_memory(rig: Rig) -> None:
    """Cells whose record is damaged are run again; it is no error."""
    records = sorted(rig.repository.cache.glob("proofs/*/*.json"))
    assert len(records) == 6
    told = json.loads(records[0].read_text())["cell"]
    records[0].write_bytes(records[0].read_bytes()[:-9])
    component, environment = told.split(" in ")
    assert rig.ran() == {(component, environment)}
    assert rig.ran() == set()


def test_what_is_edited_while_it_runs_is_not_remembered_as_it_is_now(rig: Rig) -> None:
    """A pass is remembered of the files that were run."""
    rig.write("components/c/component.py", "X = 5\n")

    def edit(_: object) -> Result:
        rig.write("components/c/component.py", "X = 6\n")
        return GOOD

    rig.runtime.endings["c", "one"] = edit
    assert rig.ran("--environment", "one") == {("c", "one")}
    rig.runtime.endings.clear()
    assert rig.ran("--environment", "one") == {("c", "one")}
    rig.write("components/c/component.py", "X = 5\n")
    assert rig.ran("--environment", "one") == set()


def test_interrupted_work_is_kept(rig: Rig) -> None:
    """Ctrl-C: 130; what had passed by then is remembered, what ran is not."""
    rig.write("components/conftest.py", "# all of them\n")
    calls = iter(range(100))

    def interrupted(_: object) -> Result:
        if next(calls) == 0:
            raise KeyboardInterrupt
        return GOOD

    rig.runtime.endings["c", "two"] = interrupted
    code, out, err = rig.run("matrix")
    assert code == 130
    assert not out
    assert err.rstrip().endswith("interrupted")
    assert rig.runtime.closed.is_set()
    rig.runtime.endings.clear()
    again = rig.ran()
    assert ("c", "two") in again
    assert len(again) < 6
