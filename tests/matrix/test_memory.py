"""What is remembered of a pass, and what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.matrix.cells import Cell, CellResult, Outcome, Proof
from eggcrate.matrix.keys import cell_key
from eggcrate.matrix.memory import LocalMemory, Memories, NoMemory, Pass
from eggcrate.repo.values import Component
from eggcrate.runtimes.protocol import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

KEY = "a" * 64
CELL = Cell(component="step", flavour="x", environment="one")
PASSED = CellResult(
    cell=CELL,
    outcome=Outcome.PASSED,
    image="sha256:1",
    seconds=1.5,
    memory_peak=7,
    output="x" * 5000 + "1 passed",
    proofs=(Proof(name="tests", outcome=Outcome.PASSED, seconds=1.5, exit_code=0, memory_peak=7),),
    key=KEY,
    date="2026-11-22T11:45:00Z",
    runtime="docker",
)


def passed() -> Pass:
    found = Pass.of(PASSED)
    assert found
    return found


def test_a_pass_is_recalled_with_its_figures(tmp_path: Path) -> None:
    """Reports and the division into parts go on with what was measured then."""
    memory = LocalMemory(tmp_path)
    memory.remember([("one", passed())])
    result = memory.recall({KEY: "one"})[KEY].result(CELL, "again")
    assert result.outcome is Outcome.REUSED
    assert result.reason == "passed on 2026-11-22 in the docker runtime"
    assert (result.seconds, result.memory_peak, result.key) == (1.5, 7, KEY)
    assert (result.date, result.runtime) == (PASSED.date, "docker")
    assert result.proofs == PASSED.proofs
    assert result.output.endswith("1 passed")
    assert len(result.output) < 5000


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.PASSED])
def test_only_a_plain_pass_is_remembered(outcome: Outcome) -> None:
    """Neither failures, nor what passed at last, nor what was itself remembered."""
    assert Pass.of(replace(PASSED, outcome=outcome)) is None


def test_without_a_key_nothing_is_remembered() -> None:
    """What cannot be found again need not be kept."""
    assert Pass.of(replace(PASSED, key="")) is None


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_record_is_no_record(place: int, change: int) -> None:
    """Whatever byte of it is another one, it is not believed, and is no error."""
    record = bytearray(passed().record.encode())
    record[place % len(record)] ^= change
    assert Pass.read(bytes(record), KEY) is None


@pytest.mark.parametrize("record", [b"", b"{}", b"[]", b'"x"', b"null", b"\xff", b'{"check":1}'])
def test_what_is_no_record_is_none(record: bytes, tmp_path: Path) -> None:
    """An emptied or foreign file does not stop a run."""
    memory = LocalMemory(tmp_path)
    memory.remember([("one", passed())])
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(record)
    assert memory.recall({KEY: "one"}) == {}


def test_a_record_counts_under_its_own_key_only(tmp_path: Path) -> None:
    """A file that was moved or copied proves nothing of another cell."""
    memory = LocalMemory(tmp_path)
    memory.remember([("one", passed())])
    (path,) = tmp_path.rglob("*.json")
    other = "b" * 64
    path.rename(path.parent / f"{other}.json")
    path.parent.rename(path.parent.with_name("bb"))
    assert memory.recall({other: "one", KEY: "one"}) == {}


def test_what_is_forgotten_is_not_recalled(tmp_path: Path) -> None:
    """Forgetting twice is no error."""
    memory = LocalMemory(tmp_path)
    memory.remember([("one", passed())])
    memory.forget({KEY: "one"})
    memory.forget({KEY: "one"})
    assert memory.recall({KEY: "one"}) == {}


def test_a_note_stands_where_a_pass_was_forgotten(tmp_path: Path) -> None:
    """This machine knows that the key failed here, until it passes; damaged, it knows nothing."""
    memory = LocalMemory(tmp_path)
    assert memory.failed([KEY]) == set()
    memory.remember([("one", passed())])
    assert memory.failed([KEY]) == set()
    memory.forget({KEY: "one"})
    assert memory.failed([KEY, "b" * 64]) == {KEY}
    (path,) = tmp_path.rglob("*.json")
    note = path.read_bytes()
    path.write_bytes(note[:-5])
    assert memory.failed([KEY]) == set()
    path.write_bytes(note)
    memory.remember([("one", passed())])
    assert memory.failed([KEY]) == set()
    assert set(memory.recall({KEY: "one"})) == {KEY}


def test_what_cannot_be_written_is_forgotten_all_the_same(tmp_path: Path) -> None:
    """Where there is no room for a note the pass is gone, and the run goes on."""
    (tmp_path / "proofs").write_text("in the way")
    LocalMemory(tmp_path).forget({KEY: "one"})
    assert not LocalMemory(tmp_path).recall({KEY: "one"})


class Far:
    """Another memory, which counts how often it is asked."""

    def __init__(self) -> None:
        self.kept: dict[str, Pass] = {}
        self.asked: list[str] = []
        self.told = 0

    def recall(self, keys: Mapping[str, str]) -> dict[str, Pass]:
        """Those that it has."""
        self.asked += keys
        return {key: self.kept[key] for key in keys if key in self.kept}

    def remember(self, passes: Sequence[tuple[str, Pass]]) -> None:
        """Keep them."""
        self.told += 1
        self.kept |= {one.key: one for _, one in passes}

    def forget(self, keys: Mapping[str, str]) -> None:
        """Drop them."""
        for key in keys:
            self.kept.pop(key, None)


def test_a_farther_memory_is_told_at_the_end_and_asked_for_the_rest(tmp_path: Path) -> None:
    """What it knows is known here from then on."""
    far = Far()
    mine = Memories(LocalMemory(tmp_path / "mine"), far)
    mine.remember([("one", passed())])
    assert not far.kept
    mine.share()
    mine.share()
    assert (set(far.kept), far.told) == ({KEY}, 1)
    yours = Memories(LocalMemory(tmp_path / "yours"), far)
    assert set(yours.recall({KEY: "one", "b" * 64: "one"})) == {KEY}
    far.asked.clear()
    assert set(yours.recall({KEY: "one"})) == {KEY}
    assert not far.asked
    yours.forget({KEY: "one"})
    assert not far.kept
    assert not yours.recall({KEY: "one"})


def test_of_what_failed_here_no_farther_memory_is_asked(tmp_path: Path) -> None:
    """What it says is not believed, whether or not it could be told."""
    far = Far()
    far.kept[KEY] = passed()
    near = LocalMemory(tmp_path)
    near.forget({KEY: "one"})
    mine = Memories(near, far)
    assert mine.recall({KEY: "one"}) == {}
    assert not far.asked
    mine.remember([("one", passed())])
    assert set(mine.recall({KEY: "one"})) == {KEY}


@pytest.mark.parametrize("first", ["pass", "failure"])
def test_of_two_cells_with_one_key_both_must_pass(first: str, tmp_path: Path) -> None:
    """Whichever of them ends first, nothing is remembered when the other failed."""
    far = Far()
    mine = Memories(LocalMemory(tmp_path), far)
    steps = [
        lambda: mine.remember([("one", passed())]),
        lambda: mine.forget({KEY: "one"}),
    ]
    for step_ in steps if first == "pass" else reversed(steps):
        step_()
    mine.share()
    assert not far.kept
    assert not Memories(LocalMemory(tmp_path), far).recall({KEY: "one"})


def test_no_memory_remembers_nothing() -> None:
    """Neither here nor later."""
    nothing = Memories(NoMemory())
    nothing.remember([("one", passed())])
    assert nothing.recall({KEY: "one"}) == {}
    nothing.forget({KEY: "one"})
    assert NoMemory().failed([KEY]) == set()


def step(**fields: object) -> Component:
    given_: dict[str, object] = {
        "name": "step",
        "path": None,
        "description": "",
        "requires_python": "",
        "dependencies": (),
        **fields,
    }
    return Component(**given_)  # type: ignore[arg-type] # kept short


def key(component: Component | None = None, cell: Cell = CELL, **fields: object) -> str:
    whole: dict[str, object] = {
        "closure": "c",
        "image": "sha256:1",
        "harness": "h",
        "limits": Limits(memory=1, seconds=2),
        **fields,
    }
    return cell_key(component or step(), cell, **whole)  # type: ignore[arg-type] # kept short


def test_a_key_covers_all_that_a_result_depends_on() -> None:
    """Each of them alone gives another key."""
    others = [
        key(closure="d"),
        key(image="sha256:2"),
        key(harness="i"),
        key(limits=Limits(memory=2, seconds=2)),
        key(limits=Limits(memory=1, seconds=3)),
        key(limits=Limits(memory=1, seconds=2, scratch=5)),
        key(arguments=("-k", "x")),
        key(step(env={"A": "1"})),
        key(step(network=True)),
        key(cell=replace(CELL, flavour="y")),
        key(cell=replace(CELL, environment="two")),
    ]
    assert len({key(), *others}) == 1 + len(others)


def test_a_key_covers_nothing_else() -> None:
    """A description, or how often to try, does not make anything run again."""
    assert key(step(description="better", retries=3)) == key()
    assert key(cell=replace(CELL, environment="one@stable")) == key()
