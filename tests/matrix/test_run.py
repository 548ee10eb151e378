"""Cells as they are asked of a runtime, and what is made of its answers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import BuildError, StoreError
from eggcrate.matrix.cells import Cell, CellResult, Outcome
from eggcrate.matrix.judge import judge
from eggcrate.matrix.run import Bench, command_of, limits_of, prove, prove_all
from eggcrate.repo.values import Component
from eggcrate.runtimes.protocol import Command, Ending, Result, UnpackedImage

if TYPE_CHECKING:
    from pathlib import Path


class FakeRuntime:
    """A runtime whose programs end as they are told; ``waits`` run until it is closed."""

    name = "fake"

    def __init__(self, results: dict[str, Result] | None = None) -> None:
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
        return self.results.get(name, Result(ending=Ending.EXITED, exit_code=0, seconds=1.5))

    def close(self) -> None:
        """Let what waits end."""
        self.closed.set()


def component(name: str, tmp_path: Path, **fields: object) -> Component:
    path = tmp_path / "components" / name
    (path / "tests").mkdir(parents=True, exist_ok=True)
    given = {"description": "", "requires_python": "", "dependencies": (), **fields}
    return Component(name=name, path=path, **given)  # type: ignore[arg-type] # kept short


def bench(runtime: FakeRuntime, root: Path, **fields: object) -> Bench:
    given: dict[str, object] = {
        "harness": {"one": root, "two": root, "lost": root},
        "images": {"one": "sha256:1", "two": "sha256:2", "lost": "damaged"},
        "unbuilt": {},
        "memory": 1 << 20,
        "seconds": 60,
        **fields,
    }
    return Bench(runtime=runtime, root=root, **given)  # type: ignore[arg-type] # kept short


def cell(name: str, environment: str = "one", flavour: str = "") -> Cell:
    return Cell(component=name, flavour=flavour, environment=environment)


def test_a_cell_is_asked_with_its_own_limits(tmp_path: Path) -> None:
    """Memory, time and network are the component's, else the settings'."""
    plain = component("plain", tmp_path)
    greedy = component("greedy", tmp_path, memory="2GiB", timeout=7.0, network=True)
    where = bench(FakeRuntime(), tmp_path)
    assert (limits_of(plain, where).memory, limits_of(plain, where).seconds) == (1 << 20, 60)
    assert (limits_of(greedy, where).memory, limits_of(greedy, where).seconds) == (2 << 30, 7)
    assert not command_of(plain, cell("plain"), where).network
    assert command_of(greedy, cell("greedy"), where).network


def test_a_cell_sees_only_its_component_and_the_harness(tmp_path: Path) -> None:
    """Both read-only; the flavour is told in the environment; pytest's arguments come last."""
    where = bench(FakeRuntime(), tmp_path, arguments=("-k", "x"))
    command = command_of(component("plain", tmp_path), cell("plain", flavour="blue"), where)
    assert [(mount.target, mount.writable) for mount in command.mounts] == [
        ("/eggcrate/repo/components", False),
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


@pytest.mark.parametrize(("workers", "threads"), [(4, "1"), (1, "1")])
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


SUMMARY = "=========== short test summary info ===========\n"


@pytest.mark.parametrize(
    ("code", "output", "reason"),
    [
        (1, "FAILED printed by a test\n", "its tests ended with exit code 1"),
        (
            1,
            (
                f"FAILED printed\n{SUMMARY}FAILED components/x/tests/test_x.py::test_a - Bad\n"
                "FAILED components/x/tests/test_x.py::test_b - Bad\n"
            ),
            "test_x.py::test_a - Bad (and 1 more)",
        ),
        (
            2,
            f"E   SyntaxError: invalid syntax\n{SUMMARY}ERROR components/x/tests/test_x.py\n",
            "test_x.py - SyntaxError: invalid syntax",
        ),
        (4, "ERROR: usage: x\n", "usage: x"),
        (4, "", "pytest could not start its tests"),
        (
            4,
            (
                "ImportError while loading conftest '/eggcrate/repo/components/conftest.py'.\n"
                "E   ModuleNotFoundError: No module named 'x'\n"
            ),
            "components/conftest.py cannot be imported: ModuleNotFoundError: No module named 'x'",
        ),
        (5, "", "its tests folder holds no test"),
        (3, "INTERNALERROR> ...", "its tests ended with exit code 3"),
    ],
)
def test_the_reason_is_what_pytest_says_last(code: int, output: str, reason: str) -> None:
    """Pytest's exit codes and summary, never what a test has printed, make the reason."""
    result = Result(ending=Ending.EXITED, exit_code=code, output=output)
    assert judge(result) == (Outcome.FAILED, reason)


def test_a_harness_that_cannot_start_is_not_the_components_fault() -> None:
    """Its exit code is a word of its own: broken."""
    result = Result(ending=Ending.EXITED, exit_code=86, output="")
    assert judge(result)[0] is Outcome.BROKEN


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
