"""Cells as they are asked of a runtime, and what is made of its answers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from eggcrate.errors import BuildError, StoreError
from eggcrate.matrix.budget import Budget, available_memory, side_by_side
from eggcrate.matrix.cells import Cell, CellResult, Outcome
from eggcrate.matrix.harness.mounted.run_cell import FINISHED
from eggcrate.matrix.proofs import Program
from eggcrate.matrix.run import Bench, command_of, limits_of, prove, prove_all
from eggcrate.repo.values import Component
from eggcrate.runtimes import cgroup
from eggcrate.runtimes.protocol import Command, Ending, Limits, Result, UnpackedImage

PASSED = f"1 passed\n\n{FINISHED}\n"
GOOD = Result(ending=Ending.EXITED, exit_code=0, seconds=1.5, memory_peak=5, output=PASSED)
BAD = Result(ending=Ending.EXITED, exit_code=1, seconds=2.0, memory_peak=9, output="1 failed\n")


class FakeRuntime:
    """A runtime whose programs end as they are told; ``waits`` run until it is closed."""

    name = "fake"

    def __init__(self, results: dict[str, Result | list[Result]] | None = None) -> None:
        self.results = results or {}
        self.commands: list[Command] = []
        self.closed = threading.Event()
        self.waiting = threading.Event()

    def prepare(self, digest: str) -> UnpackedImage:
        """Any image is there, but the damaged one."""
        if digest == "damaged":
            raise StoreError("the store is damaged", why="two bits differ")
        return UnpackedImage(name=digest, digest=digest, platform="linux/amd64", env={})

    def run(self, image: UnpackedImage, command: Command) -> Result:
        """End as told, by the component's name."""
        assert image.digest
        self.commands.append(command)
        name = command.argv[2].split("/")[-2]
        if name == "waits":
            self.waiting.set()
            assert self.closed.wait(60)
        found = self.results.get(name, GOOD)
        if isinstance(found, list):
            return found.pop(0)
        return found

    def attend(self, image: UnpackedImage, command: Command) -> Result:
        """Nobody is there."""
        return self.run(image, command)

    def close(self) -> None:
        """Let what waits end."""
        self.closed.set()


class Roots(dict[str, Path]):
    """The same folder for every component."""

    def __missing__(self, name: str) -> Path:
        """It is nowhere."""
        return Path("/nowhere") / name


def component(name: str, tmp_path: Path, **fields: object) -> Component:
    path = tmp_path / "components" / name
    (path / "tests").mkdir(parents=True, exist_ok=True)
    given = {"description": "", "requires_python": "", "dependencies": (), **fields}
    return Component(name=name, path=path, **given)  # type: ignore[arg-type] # kept short


def bench(runtime: FakeRuntime, root: Path, **fields: object) -> Bench:
    given: dict[str, object] = {
        "roots": Roots(),
        "harness": {"one": root, "two": root, "lost": root},
        "images": {"one": "sha256:1", "two": "sha256:2", "lost": "damaged"},
        "unbuilt": {},
        "memory": 1 << 20,
        "seconds": 60,
        **fields,
    }
    return Bench(runtime=runtime, **given)  # type: ignore[arg-type] # kept short


def cell(name: str, environment: str = "one", flavour: str = "") -> Cell:
    return Cell(component=name, flavour=flavour, environment=environment)


def test_a_cell_is_asked_with_its_own_limits(tmp_path: Path) -> None:
    """Memory, time and network are the component's, else the settings'."""
    plain = component("plain", tmp_path)
    greedy = component("greedy", tmp_path, memory="2GiB", timeout=7.0, network=True)
    where = bench(FakeRuntime(), tmp_path)
    small, large = (limits_of(one, memory=1 << 20, seconds=60) for one in (plain, greedy))
    assert small == Limits(memory=1 << 20, seconds=60, scratch=1 << 19)
    assert large == Limits(memory=2 << 30, seconds=7, scratch=1 << 30)
    assert not command_of(plain, cell("plain"), where).network
    assert command_of(greedy, cell("greedy"), where).network


def test_a_cell_sees_only_its_component_and_the_harness(tmp_path: Path) -> None:
    """Both read-only; the flavour is told in the environment; pytest's arguments come last."""
    where = bench(FakeRuntime(), tmp_path, arguments=("-k", "x"))
    command = command_of(component("plain", tmp_path), cell("plain", flavour="blue"), where)
    assert [(mount.target, mount.writable) for mount in command.mounts] == [
        ("/eggcrate/repo", False),
        ("/eggcrate/harness", False),
    ]
    assert command.env["EGGCRATE_FLAVOUR"] == "blue"
    assert command.argv[-3:] == ("/eggcrate/repo/components/plain/tests", "-k", "x")


def test_an_image_that_was_not_built_breaks_its_cells_alone(tmp_path: Path) -> None:
    """The cells of other environments are proven; the reason is the image's, in a line."""
    error = BuildError("wheel six is damaged", why="a CRC differs", hint="download it again")
    where = bench(FakeRuntime(), tmp_path, unbuilt={"two": error})
    cells = [cell("plain", name) for name in ("one", "two", "lost")]
    results = prove_everything(cells, where, tmp_path)
    assert [(result.outcome, result.reason) for result in results] == [
        (Outcome.PASSED, ""),
        (Outcome.BROKEN, "its image could not be built: wheel six is damaged"),
        (Outcome.BROKEN, "the store is damaged"),
    ]
    assert all("--environment" in result.command for result in results)


def test_results_come_in_the_order_of_the_cells(tmp_path: Path) -> None:
    """Whatever ends first; each is told when it starts and when it ends."""
    seen: list[object] = []
    cells = [cell(name) for name in ("c", "a", "b")]
    results = prove_everything(
        cells, bench(FakeRuntime(), tmp_path), tmp_path, started=seen.append, done=seen.append
    )
    assert [result.cell for result in results] == cells
    assert {item for item in seen if isinstance(item, Cell)} == set(cells)
    assert {item.cell for item in seen if isinstance(item, CellResult)} == set(cells)


@pytest.mark.parametrize(("workers", "threads"), [(4, "2"), (2, "1"), (1, "1")])
def test_cells_share_the_processors(workers: int, threads: str, tmp_path: Path) -> None:
    """More OpenMP threads than processors make cells side by side wait for each other."""
    runtime = FakeRuntime()
    prove_everything([cell("a"), cell("b")], bench(runtime, tmp_path), tmp_path, workers=workers)
    assert {command.env["OMP_NUM_THREADS"] for command in runtime.commands} == {threads}


def test_one_cell_at_a_time_may_use_all_processors(tmp_path: Path) -> None:
    """When memory allows no more than one cell at once, it gets all of them."""
    runtime = FakeRuntime()
    where = bench(runtime, tmp_path, memory=1 << 60)
    prove_everything([cell("a"), cell("b")], where, tmp_path, workers=4)
    assert {command.env["OMP_NUM_THREADS"] for command in runtime.commands} == {"4"}


def test_an_interruption_ends_what_runs(tmp_path: Path) -> None:
    """The runtime is closed, what waits is not begun, and the interruption goes on upwards."""
    runtime = FakeRuntime()

    def interrupted(result: CellResult) -> None:
        assert runtime.waiting.wait(60)
        raise KeyboardInterrupt

    cells = [cell("a"), *(cell("waits", name) for name in ("one", "two", "one", "two"))]
    with pytest.raises(KeyboardInterrupt):
        prove_everything(cells, bench(runtime, tmp_path), tmp_path, workers=2, done=interrupted)
    assert runtime.closed.is_set()
    assert len(runtime.commands) < len(cells)


def test_a_component_without_tests_is_not_proven(tmp_path: Path) -> None:
    """Nothing is run for it."""
    empty = component("empty", tmp_path)
    (empty.path / "tests").rmdir()
    runtime = FakeRuntime()
    result = prove(empty, cell("empty"), bench(runtime, tmp_path))
    assert (result.outcome, result.reason) == (Outcome.FAILED, "it has no tests folder")
    assert not runtime.commands


def test_evidence_is_kept_of_every_proof(tmp_path: Path) -> None:
    """Exit code, signal, and memory against its limit, for whoever looks for the cause."""
    crashed = Result(
        ending=Ending.SIGNALLED, exit_code=None, signal=11, memory_peak=7, reason="by SIGSEGV"
    )
    where = bench(FakeRuntime({"plain": crashed}), tmp_path)
    result = prove(component("plain", tmp_path), cell("plain"), where)
    (proof,) = result.proofs
    assert (proof.name, proof.outcome, proof.exit_code, proof.signal) == (
        "tests",
        Outcome.FAILED,
        None,
        11,
    )
    assert (proof.memory_peak, proof.memory_limit, result.memory_peak) == (7, 1 << 20, 7)
    assert (result.runtime, result.date[:2]) == ("fake", "20")


def test_a_cell_that_passes_at_last_is_flaky(tmp_path: Path) -> None:
    """Never silently green: the word is another, and what went wrong before is kept."""
    runtime = FakeRuntime({"plain": [BAD, BAD, GOOD, GOOD]})
    result = prove(component("plain", tmp_path, retries=3), cell("plain"), bench(runtime, tmp_path))
    assert result.outcome is Outcome.FLAKY
    assert result.reason == (
        "it passed in attempt 3 of 4; before: its tests ended with exit code 1"
    )
    assert (result.attempts, len(runtime.commands)) == (3, 3)
    assert [proof.exit_code for proof in (*result.earlier, *result.proofs)] == [1, 1, 0]
    assert result.output.count("1 failed") == 2
    assert "=== tests, attempt 3: passed in 1.5 s\n1 passed\n" in result.output
    assert result.seconds == 5.5


def test_a_cell_that_never_passes_failed(tmp_path: Path) -> None:
    """It is tried as often as its component allows, and not at all when it does not."""
    for retries, attempts in ((0, 1), (2, 3)):
        runtime = FakeRuntime({"plain": BAD})
        patient = component("plain", tmp_path, retries=retries)
        result = prove(patient, cell("plain"), bench(runtime, tmp_path))
        assert (result.outcome, result.attempts) == (Outcome.FAILED, attempts)
        assert ("in the last of 3 attempts" in result.reason) == bool(retries)


def test_a_broken_image_is_not_tried_again(tmp_path: Path) -> None:
    """Another attempt would meet the same image: that is no flakiness of the component."""
    broken = Result(ending=Ending.BROKEN, exit_code=None, reason="no such daemon")
    runtime = FakeRuntime({"plain": [broken, GOOD]})
    patient = component("plain", tmp_path, retries=1)
    result = prove(patient, cell("plain"), bench(runtime, tmp_path))
    assert (result.outcome, result.reason) == (Outcome.BROKEN, "no such daemon")


def test_further_programs_prove_a_cell_too(tmp_path: Path) -> None:
    """The outcome is that of the first which is not good; each is told by its name."""
    example = Program(
        name="example small",
        command=command_of(
            component("other", tmp_path), cell("other"), bench(FakeRuntime(), tmp_path)
        ),
        judge=lambda _: (Outcome.FAILED, "output model is missing"),
    )
    where = bench(FakeRuntime(), tmp_path, further=lambda *_: (example,))
    result = prove(component("plain", tmp_path), cell("plain"), where)
    assert [(proof.name, proof.outcome) for proof in result.proofs] == [
        ("tests", Outcome.PASSED),
        ("example small", Outcome.FAILED),
    ]
    assert (result.outcome, result.reason) == (
        Outcome.FAILED,
        "example small: output model is missing",
    )


def test_declared_variables_are_there(tmp_path: Path) -> None:
    """A component's own variables reach its tests beside those of its cell."""
    told = component("plain", tmp_path, env={"TZ": "UTC"})
    command = command_of(told, cell("plain", "one@stable", "blue"), bench_of(tmp_path))
    assert command.env["TZ"] == "UTC"
    assert command.env["EGGCRATE_FLAVOUR"] == "blue"
    assert command.env["EGGCRATE_ENVIRONMENT"] == "one"


def bench_of(tmp_path: Path) -> Bench:
    return bench(FakeRuntime(), tmp_path, harness={"one@stable": tmp_path})


def test_a_large_cell_waits_for_room(tmp_path: Path) -> None:
    """Cells that need little run beside each other; one that needs all of it runs alone."""
    budget = Budget(100)
    order: list[str] = []
    with budget.room(60) as first:
        large = threading.Thread(target=lambda: enter(budget, 90, "large", order))
        large.start()
        with budget.room(40) as second:
            order.append("small")
            assert first
            assert second
    large.join(60)
    assert order == ["small", "large"]
    with budget.room(1000) as alone:
        assert alone
    budget.close()
    with budget.room(1) as late:
        assert not late


def enter(budget: Budget, need: int, name: str, order: list[str]) -> None:
    with budget.room(need):
        order.append(name)


@pytest.mark.parametrize(
    ("needs", "count"), [((10, 10, 10), 2), ((90, 10, 10), 2), ((200,), 1), ((), 1), ((50, 60), 1)]
)
def test_how_many_run_at_once(needs: tuple[int, ...], count: int) -> None:
    """As many as there are processors, as long as the smallest of them fit into memory."""
    assert side_by_side(needs, 100, workers=2) == count


def test_memory_that_cells_may_have_is_within_what_a_container_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A control group around us counts, not only what the machine has free."""
    whole = available_memory()
    assert whole > 1 << 20
    monkeypatch.setattr(cgroup, "headroom", lambda: 1 << 20)
    assert available_memory() == 1 << 20


def prove_everything(
    cells: list[Cell],
    where: Bench,
    tmp_path: Path,
    *,
    workers: int = 2,
    started: object = lambda _: None,
    done: object = lambda _: None,
) -> tuple[CellResult, ...]:
    components = {item.component: component(item.component, tmp_path) for item in cells}
    return prove_all(
        cells,
        components,
        where,
        workers=workers,
        started=started,  # type: ignore[arg-type] # any callable
        done=done,  # type: ignore[arg-type] # any callable
    )
