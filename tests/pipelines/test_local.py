"""The interpreter, over pipelines that KFP compiled, with tasks that run in process."""

from __future__ import annotations

import _thread
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eggcrate.errors import CompileError
from eggcrate.pipelines.compiled_file import CompiledPipeline
from eggcrate.pipelines.local.check import check
from eggcrate.pipelines.local.condition import compile_condition
from eggcrate.pipelines.local.interpret import Finished, Interpreter, Ready
from eggcrate.pipelines.local.memory import TaskMemory
from eggcrate.pipelines.local.placeholders import filled
from eggcrate.pipelines.local.record import (
    Artifact,
    RunRecord,
    RunState,
    TaskRecord,
    TaskState,
    Values,
    document,
    parse_record,
)
from eggcrate.pipelines.local.session import RunJournal, run_pipeline
from eggcrate.pipelines.local.settings import backoff, wanted

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(kw_only=True)
class InProcess:
    """Runs tasks as functions; remembers in which order, and how many ran at once."""

    ran: list[str] = field(default_factory=list)
    most: int = 0
    _running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, task: Ready) -> Finished:
        with self._lock:
            self.ran.append(task.id)
            self._running += 1
            self.most = max(self.most, self._running)
        try:
            return self._answer(task)
        finally:
            with self._lock:
                self._running -= 1

    def _answer(self, task: Ready) -> Finished:
        given = task.inputs.parameters
        answers: dict[str, Callable[[], Any]] = {
            "num": lambda: given["x"],
            "word": lambda: given["s"],
            "items": lambda: list(range(given["n"])),
            "total": lambda: sum(given["xs"]),
            "count": lambda: len(task.inputs.artifacts["ds"]),
            "bye": lambda: given["status"]["state"] + given["m"],
        }
        kind = task.definition["executorLabel"].removeprefix("exec-").rstrip("0123456789-")
        if kind == "boom":
            return Finished(state=TaskState.FAILED, reason="boom")
        if kind == "make":
            made = Artifact(name="d", type="system.Dataset", path=given["s"], uri=given["s"])
            outputs = Values(artifacts={"d": (made,)})
        else:
            outputs = Values(parameters={"Output": answers[kind]()})
        return Finished(state=TaskState.SUCCEEDED, outputs=outputs)


@dataclass
class Kept:
    """The last record of each task."""

    tasks: dict[str, TaskRecord] = field(default_factory=dict)

    def put(self, record: TaskRecord) -> None:
        self.tasks[record.id] = record

    changed = put

    def states(self) -> dict[str, str]:
        return {name: task.state.value for name, task in self.tasks.items()}


@pytest.fixture(scope="module")
def pipelines() -> dict[str, Any]:
    program = Path(__file__).parent.parent / "support" / "local_pipelines.py"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(program)],
        capture_output=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run(spec: Any, **parameters: Any) -> tuple[bool, Values, Kept, InProcess]:
    kept, runner = Kept(), InProcess()
    good, outputs = Interpreter(spec=spec, runner=runner, journal=kept, jobs=4).run(parameters)
    return good, outputs, kept, runner


def test_pipelines_in_pipelines(pipelines: dict[str, Any]) -> None:
    """A pipeline's output is that of a task two levels down; defaults are whole numbers."""
    good, outputs, kept, _ = run(pipelines["nested"])
    assert (good, outputs.parameters) == (True, {"Output": 3})
    assert kept.tasks["inner/num"].parent == "inner"


@pytest.mark.parametrize(
    ("n", "who", "told"), [(3, "me", "three"), (9, "you", "many-you"), (4, "me", "other")]
)
def test_one_of_several_branches(pipelines: dict[str, Any], n: int, who: str, told: str) -> None:
    """Exactly one branch runs; what follows takes its output, and the others are skipped."""
    good, outputs, kept, runner = run(pipelines["branches"], n=n, who=who)
    assert (good, outputs.parameters) == (True, {"Output": told})
    branches = [
        one for one in kept.tasks.values() if "/" in one.id and one.kind.value == "pipeline"
    ]
    assert sorted(one.state.value for one in branches) == ["skipped", "skipped", "succeeded"]
    assert ("condition-5/word-4" in runner.ran) == (who == "me")


def test_loops_and_what_they_collect(pipelines: dict[str, Any]) -> None:
    """Over constants one at a time, and over what a task gave, in its order; over nothing too."""
    good, outputs, kept, _ = run(pipelines["loops"], n=4)
    assert (good, outputs.parameters) == (True, {"Output": 6})
    assert kept.tasks["count"].outputs.parameters == {"Output": 2}
    assert [one.path for one in kept.tasks["count"].inputs.artifacts["ds"]] == ["a", "b"]
    assert run(pipelines["loops"], n=0)[1].parameters == {"Output": 0}


def test_an_exit_handler_runs_whatever_happened(pipelines: dict[str, Any]) -> None:
    """It is told that its tasks failed; those that do not depend on the failed one have run."""
    good, _, kept, _ = run(pipelines["leaving"])
    assert not good
    assert kept.tasks["bye"].outputs.parameters == {"Output": "FAILED!"}
    assert kept.states() == {
        "bye": "succeeded",
        "exit-handler-1": "failed",
        "exit-handler-1/boom": "failed",
        "exit-handler-1/num": "skipped",
        "exit-handler-1/num-2": "succeeded",
    }


def test_a_pipeline_that_gives_something_is_told_of_too(pipelines: dict[str, Any]) -> None:
    """As `batch_prediction` does it: what gives something can be in no exit handler."""
    good, _, kept, _ = run(pipelines["telling"])
    assert not good
    assert kept.tasks["bye"].outputs.parameters == {"Output": "FAILED!"}


def test_a_failure_can_be_ignored(pipelines: dict[str, Any]) -> None:
    """The task has its default then; the run has failed all the same."""
    good, _, kept, _ = run(pipelines["ignoring"])
    assert not good
    assert kept.tasks["num"].outputs.parameters == {"Output": 0}


def graph(needs: dict[str, list[str]], failing: set[str]) -> Any:
    tasks = {
        name: {
            "componentRef": {"name": "comp-boom" if name in failing else "comp-num"},
            "dependentTasks": list(others),
            "inputs": {"parameters": {"x": {"runtimeValue": {"constant": 1.0}}}},
        }
        for name, others in needs.items()
    }
    names = ("num", "boom")
    definition = {"parameters": {"x": {"parameterType": "NUMBER_INTEGER"}}}
    return {
        "pipelineInfo": {"name": "random"},
        "root": {"dag": {"tasks": tasks}},
        "components": {
            f"comp-{name}": {"executorLabel": f"exec-{name}", "inputDefinitions": definition}
            for name in names
        },
        "deploymentSpec": {
            "executors": {f"exec-{n}": {"container": {"image": "x"}} for n in names}
        },
    }


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, list[str]], set[str]]:
    names = [f"t{number}" for number in range(draw(st.integers(1, 8)))]
    needs = {
        name: draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        for place, name in enumerate(names)
    }
    return needs, draw(st.sets(st.sampled_from(names), max_size=2))


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_any_graph(drawn: tuple[dict[str, list[str]], set[str]]) -> None:
    """Order is kept, each task runs once, and a failure skips exactly what depends on it."""
    needs, failing = drawn
    good, _, kept, runner = run(graph(needs, failing))
    lost: set[str] = set()
    for name, others in needs.items():
        if set(others) & (failing | lost):
            lost.add(name)
    assert sorted(runner.ran) == sorted(set(needs) - lost)
    for name in runner.ran:
        assert all(runner.ran.index(one) < runner.ran.index(name) for one in needs[name])
    assert {name for name, state in kept.states().items() if state == "skipped"} == lost
    assert good == (not failing)
    assert runner.most <= 4


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("inputs.parameter_values['a'] == 'x'", True),
        ("int(inputs.parameter_values['n']) > 2 && !(inputs.parameter_values['a'] == 'y')", True),
        ("(double(inputs.parameter_values['n']) <= 2.5) || false", False),
        ("inputs.parameter_values['a'] != 'it\\'s'", True),
        ("inputs.parameter_values['gone'] == 'x'", False),
        ("inputs.parameter_values['flag'] == true", True),
    ],
)
def test_conditions(text: str, holds: bool) -> None:
    """What KFP's compiler writes is decided; nothing is evaluated as Python."""
    assert compile_condition(text)({"a": "x", "n": 3, "flag": True}) is holds


@pytest.mark.parametrize("text", ["__import__('os')", "1 +", "a ==", "'x", "1 == 2 3"])
def test_what_is_no_condition(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(CompileError, match="is not one that KFP's compiler writes"):
        compile_condition(text)


def test_placeholders() -> None:
    """All that a container component can write, lists of words included."""
    told = {
        "inputs": {"parameterValues": {"a": "x", "n": 3}},
        "outputs": {
            "artifacts": {"f": {"artifacts": [{"uri": "/out/f"}]}},
            "outputFile": "/out/executor_output.json",
        },
    }
    words = [
        "{{$.inputs.parameters['a']}}-{{$.inputs.parameters['n']}}",
        json.dumps({"Concat": ["p=", "{{$.inputs.parameters['a']}}"]}),
        json.dumps({"IfPresent": {"InputName": "b", "Then": ["--b", "y"], "Else": ["--no"]}}),
        json.dumps({"IfPresent": {"InputName": "b", "Then": ["--b"]}}),
        "{{$.outputs.artifacts['f'].path}}",
        "{{$.pipeline_job_name}}",
    ]
    assert filled(words, told, {"{{$.pipeline_job_name}}": "job"}) == [
        *("x-3", "p=x", "--no", "/out/f", "job")
    ]
    with pytest.raises(CompileError, match="no placeholder that is known"):
        filled(["{{$.other.thing}}"], told, {})


def test_what_a_task_asks_for() -> None:
    """Sizes in both of KFP's ways; waits grow between attempts, up to a limit."""
    box = {"resources": {"resourceMemoryLimit": "512Mi", "resourceCpuLimit": "1500m"}}
    found = wanted({"container": box}, {"activeDeadlineSeconds": 9}, memory=1, threads=1)
    assert (found.memory, found.threads, found.seconds) == (512 << 20, 2, 9.0)
    old = {"container": {"resources": {"memoryLimit": 1.5}}}
    assert wanted(old, {}, memory=1, threads=1).memory == 1_500_000_000
    policy = {"backoffDuration": "2s", "backoffFactor": 3, "backoffMaxDuration": "10s"}
    assert [backoff(policy, attempt) for attempt in (1, 2, 3)] == [2, 6, 10]


def test_what_cannot_be_run_is_said_first(tmp_path: Path) -> None:
    """By the task's name: circles, accelerators, conditions, files that are not there."""
    circle = CompiledPipeline(spec=graph({"a": ["b"], "b": ["a"]}, set()))
    with pytest.raises(CompileError, match="a cannot be run here: it needs itself"):
        check(circle, {}, tmp_path, set())
    spec = graph({"a": []}, set())
    spec["deploymentSpec"]["executors"]["exec-num"]["container"]["resources"] = {
        "accelerator": {"resourceType": "nvidia.com/gpu"}
    }
    with pytest.raises(CompileError, match=r"a cannot be run here: .*accelerator"):
        check(CompiledPipeline(spec=spec), {}, tmp_path, set())
    spec["deploymentSpec"]["executors"]["exec-num"] = {"importer": {}}
    uri = spec["root"]["dag"]["tasks"]["a"]["inputs"]["parameters"]
    uri["uri"] = {"runtimeValue": {"constant": "gs://bucket/file"}}
    with pytest.raises(CompileError, match="is not on this machine"):
        check(CompiledPipeline(spec=spec), {}, tmp_path, set())


def test_memory_is_of_whole_entries_only(tmp_path: Path) -> None:
    """What was kept is given back; what is damaged is not, and is forgotten."""
    memory = TaskMemory(folder=tmp_path / "memory")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "model").write_text("good")
    memory.remember("k", "run-1", tmp_path / "given")
    assert memory.recall("other", tmp_path / "x") is None
    assert memory.recall("k", tmp_path / "back") == "run-1"
    assert (tmp_path / "back" / "model").read_text() == "good"
    (tmp_path / "back" / "model").write_text("bad")  # the same file, by another name
    assert memory.recall("k", tmp_path / "again") is None
    assert not (tmp_path / "memory" / "k").exists()


@dataclass
class Blocked:
    """A runner whose tasks meet Ctrl-C, and end only when they are stopped."""

    ended: threading.Event = field(default_factory=threading.Event)

    def run(self, task: Ready) -> Finished:
        assert task.inputs.parameters == {"x": 1}
        _thread.interrupt_main()  # as Ctrl-C does
        assert self.ended.wait(30)
        time.sleep(0.3)  # stopping takes its time, and the record waits for it
        return Finished(state=TaskState.CANCELLED, reason="the run was interrupted")

    def close(self) -> None:
        self.ended.set()


def test_an_interrupt_stops_what_runs(tmp_path: Path) -> None:
    """Running tasks are stopped, waiting ones never begin, and the record says so."""
    blocked, kept = Blocked(), Kept()
    journal = RunJournal(folder=tmp_path, record=RunRecord(pipeline="p", run="r"), watcher=kept)
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(
            graph({"a": [], "b": ["a"]}, set()),
            {},
            runner=blocked,
            journal=journal,
            jobs=1,
            ends=blocked,
            stopped=threading.Event(),
        )
    told = json.loads((tmp_path / "run.json").read_text())
    assert told["state"] == "interrupted"
    assert [task["state"] for task in told["tasks"]] == ["cancelled", "cancelled"]
    record = parse_record(told)
    assert record.state is RunState.INTERRUPTED
    assert json.loads(json.dumps(document(record))) == told
