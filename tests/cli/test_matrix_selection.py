"""Which cells are run is asked for: those affected, those that failed, a part of all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.planning import commit, package
from support.published import fill_store
from support.rig import BAD, Rig, cross

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


def test_parts_are_balanced_by_what_was_measured(rig: Rig, tmp_path: Path) -> None:
    """By what this machine remembers, or by a report that all machines are given."""
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
    assert rig.ran("--shard", "9/9") == set()
    assert rig.run("matrix", "--shard", "10/9")[0] == 2
