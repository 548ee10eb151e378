"""Which cells are run is asked for: those affected, those that failed, a part of all."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from support.planning import commit, package
from support.published import fill_store
from support.rig import BAD, GOOD, Rig, cross

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.repository import Repository

    Run = Callable[..., tuple[int, str, str]]

BOTH = ("one", "two")
EVERY = cross("abc", BOTH)


@pytest.fixture
def rig(repository: Repository, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Rig:
    """A matrix that was never proven."""
    monkeypatch.setenv("EGGCRATE_REGISTRY", "")
    return Rig.make(repository, run, monkeypatch, tmp_path / "harness")


def test_only_the_affected(rig: Rig) -> None:
    """What passed before as it is now is not selected instead of reused."""
    assert rig.ran("--affected") == EVERY
    rig.write("components/shared/two.py", "TWO = 22\n")
    outcomes = rig.matrix("--affected")
    assert {name for name, word in outcomes.items() if word == "passed"} == cross("b", BOTH)
    assert {word for name, word in outcomes.items() if name[0] != "b"} == {"not-selected"}
    assert rig.run("matrix", "--affected")[0] == 0


def test_the_affected_are_listed_without_running(rig: Rig) -> None:
    """A dry run: nothing is built or run."""
    assert rig.ran() == EVERY
    rig.write("components/shared/two.py", "TWO = 22\n")
    rig.repository.environment("two", (package("six", "1.17"),))
    rig.runtime.ran.clear()
    code, out, _ = rig.run("matrix", "--affected", "--list")
    assert code == 0
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[2:5]}
    assert {name: words.count("yes") for name, words in rows.items()} == {"a": 1, "b": 2, "c": 1}
    assert not rig.runtime.ran


def test_git_explains_what_is_affected(rig: Rig) -> None:
    """By file, for each row and column; what git does not know is affected all the same."""
    commit(rig.repository.root, "all of it")
    assert rig.ran() == EVERY
    rig.write("components/shared/deep.py", "DEEP = 11\n")
    rig.repository.environment("two", (package("six", "1.17"),))
    fill_store(rig.repository)
    assert rig.ran("--affected", "--base", "main") == {*cross("a", BOTH), *cross("abc", ("two",))}
    assert "affected, by what changed since main:" in rig.err
    assert "  component a: components/shared/deep.py\n" in rig.err
    assert "  environment two: environments/two/p" in rig.err
    assert "component b" not in rig.err
    assert rig.ran("--affected", "--base", "no-such-thing") == set()
    assert "git does not tell what changed since no-such-thing" in rig.err


def test_base_belongs_to_affected(rig: Rig) -> None:
    """Alone it would be silently of no use."""
    code, _, err = rig.run("matrix", "--base", "main")
    assert code == 2
    assert "--affected" in err


def test_only_what_failed(rig: Rig) -> None:
    """Those that were not good in the last run, until they are."""
    rig.runtime.endings["b", "one"] = BAD
    rig.runtime.endings["c", "two"] = BAD
    assert rig.ran(code=1) == EVERY
    del rig.runtime.endings["c", "two"]
    assert rig.ran("--failed", "--rerun", code=1) == {("b", "one"), ("c", "two")}
    del rig.runtime.endings["b", "one"]
    assert rig.ran("--failed") == {("b", "one")}
    code, _, err = rig.run("matrix", "--failed")
    assert code == 0
    assert "nothing that was asked for failed the last time" in err


def test_what_failed_is_asked_for_until_it_is_proven(rig: Rig) -> None:
    """A run of a part says nothing of the rest: what failed there before still did."""
    rig.runtime.endings["a", "one"] = BAD
    rig.runtime.endings["b", "two"] = BAD
    assert rig.ran(code=1) == EVERY
    rig.runtime.endings.clear()
    assert rig.ran("--failed", "--component", "a") == {("a", "one")}
    assert rig.ran("--affected", "--environment", "one") == set()
    assert rig.ran("--failed") == {("b", "two")}
    assert rig.run("matrix", "--failed")[0] == 0
    assert rig.ran() == set()


def test_what_failed_and_is_gone_is_not_green(rig: Rig) -> None:
    """It was not proven: that is told, until a whole run tells what there is."""
    rig.runtime.endings["a", "one"] = BAD
    rig.runtime.endings["b", "two"] = BAD
    assert rig.ran(code=1) == EVERY
    rig.runtime.endings.clear()
    shutil.rmtree(rig.repository.root / "components" / "a")
    assert rig.ran("--failed", code=1) == {("b", "two")}
    for _ in range(2):
        code, _, err = rig.run("matrix", "--failed")
        assert code == 1
        assert "error: a in one failed the last time and is not there to be proven again" in err
        assert "without --failed" in err
    assert rig.run("matrix", "--failed", "--component", "b")[0] == 0
    assert rig.ran() == set()
    assert rig.run("matrix", "--failed")[0] == 0


def test_what_failed_and_does_not_fit_any_more_is_settled(rig: Rig) -> None:
    """It has no more to be proven there, which every run tells."""
    rig.runtime.endings["a", "two"] = BAD
    assert rig.ran(code=1) == EVERY
    path = rig.repository.root / "components/a/pyproject.toml"
    path.write_text(path.read_text().replace("[project]", "[project]\ndependencies = ['pandas']"))
    assert rig.run("matrix", "--failed")[0] == 0


def test_without_a_last_run_nothing_can_have_failed(rig: Rig) -> None:
    """That is a mistake, not a green run."""
    code, _, err = rig.run("matrix", "--failed")
    assert code == 2
    assert "there is no last run" in err
    report = rig.repository.root / "build" / "matrix" / "matrix.json"
    rig.write("build/matrix/matrix.json", "{")
    assert rig.run("matrix", "--failed")[0] == 2
    assert report.exists()


def test_parts_are_the_whole(rig: Rig, tmp_path: Path) -> None:
    """Whatever one machine proves or remembers meanwhile, no cell is left out or run twice."""
    seen: list[tuple[str, str]] = []
    for number in (1, 2, 3, 4):
        part = rig.ran("--shard", f"{number}/4")
        assert f"shard {number}/4: {len(part)} of 6 cells, division " in rig.err
        seen += part
    assert sorted(seen) == sorted(EVERY)
    assert rig.ran() == set()


def test_parts_of_the_affected_are_the_whole(rig: Rig) -> None:
    """What passed while the others work moves no cell into a part that is through."""
    commit(rig.repository.root, "all of it")
    seen: list[tuple[str, str]] = []
    for number in (1, 2, 3):
        seen += rig.ran("--affected", "--base", "main", "--shard", f"{number}/3")
    assert sorted(seen) == sorted(EVERY)


def test_parts_are_the_whole_for_machines_that_remember_other_durations(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One remembers durations of some, another none: the division is the same."""
    slow = replace(GOOD, seconds=500.0)
    rig.runtime.endings["a", "one"] = rig.runtime.endings["b", "one"] = slow
    assert rig.ran() == EVERY
    seen = rig.ran("--rerun", "--shard", "1/2")
    division = rig.err.partition("division ")[2][:8]
    monkeypatch.setenv("EGGCRATE_CACHE", str(tmp_path / "elsewhere"))
    rest = rig.ran("--rerun", "--shard", "2/2")
    assert f"division {division}" in rig.err
    assert seen | rest == EVERY
    assert not seen & rest


def test_parts_of_what_failed_are_the_whole(rig: Rig) -> None:
    """Each machine knows of its own part what failed there."""
    for name in EVERY:
        rig.runtime.endings[name] = BAD
    report = rig.repository.root / "build/matrix/matrix.json"
    reports = []
    for number in (1, 2):
        report.unlink(missing_ok=True)
        rig.ran("--shard", f"{number}/2", code=1)
        reports.append(report.read_text())
    seen: list[tuple[str, str]] = []
    for number, told in zip((1, 2), reports, strict=True):
        report.write_text(told)
        seen += rig.ran("--failed", "--shard", f"{number}/2", code=1)
    assert sorted(seen) == sorted(EVERY)


def test_parts_are_balanced_by_what_was_measured(rig: Rig, tmp_path: Path) -> None:
    """By a report that all machines are given."""
    assert rig.ran() == EVERY
    report = tmp_path / "measured.json"
    document = json.loads((rig.repository.root / "build/matrix/matrix.json").read_text())
    for cell in document["cells"]:
        cell["seconds"] = 100.0 if cell["component"] == "a" else 1.0
    report.write_text(json.dumps(document))
    parts = [
        rig.ran("--rerun", "--shard", f"{number}/3", "--durations", str(report))
        for number in (1, 2, 3)
    ]
    assert sorted(len(part) for part in parts) == [1, 1, 4]
    assert rig.run("matrix", "--shard", "1/3", "--durations", str(tmp_path / "no"))[0] == 2


def test_a_part_may_be_empty(rig: Rig) -> None:
    """More machines than cells: the last have nothing to do, and that is fine."""
    for more in ((), ("--affected",), ("--affected", "--base", "main")):
        assert rig.ran("--shard", "9/9", *more) == set()
        assert "shard 9/9: 0 of 6 cells" in rig.err
        assert "in part 9/9 nothing that was asked for is" in rig.err
    code, _, err = rig.run("matrix", "--shard", "9/9", "--component", "a")
    assert code == 0
    assert "in part 9/9 nothing that was asked for is to be proven" in err
    assert rig.run("matrix", "--shard", "10/9")[0] == 2
