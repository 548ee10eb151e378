"""Carry out tasks of a run: in their images, or from memory."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eggcrate.errors import EggcrateError, TaskOutputError
from eggcrate.files import atomic_write, remove_tree
from eggcrate.pipelines.launch import OUTPUT_FILE, executor_input
from eggcrate.pipelines.local.check import check_source, mounts_of
from eggcrate.pipelines.local.content import copy_plain, tree_digest
from eggcrate.pipelines.local.interpret import Finished, Ready
from eggcrate.pipelines.local.memory import TaskMemory, key_of
from eggcrate.pipelines.local.placeholders import WHOLE, filled
from eggcrate.pipelines.local.record import Artifact, TaskState, Values
from eggcrate.pipelines.local.settings import Wanted, backoff, wanted
from eggcrate.pipelines.local.values import as_text
from eggcrate.pipelines.outputs import read_outputs
from eggcrate.pipelines.run import INPUTS, OUTPUTS, exit_reason
from eggcrate.runtimes.protocol import Command, Ending, Limits, Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eggcrate.pipelines.outputs import Outputs
    from eggcrate.runtimes.protocol import Result, Runtime

_ENDINGS = {
    Ending.TIMED_OUT: TaskState.TIMED_OUT,
    Ending.OUT_OF_MEMORY: TaskState.KILLED,
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where and how the tasks of a run are carried out."""

    root: Path
    """The repository."""
    folder: Path
    """The run's."""
    run: str
    pipeline: str
    runtime: Runtime
    digest: Callable[[str], str]
    """Gives the digest of an image that is in the store, by its name."""
    kubernetes: Mapping[str, Any]
    """By executor."""
    volumes: Mapping[str, Path]
    """Folders by name of a volume or config map."""
    memory: TaskMemory | None
    """Without it every task is run."""
    bytes: int
    """Memory of a task that does not say."""
    threads: int
    network: bool = False
    """Whether every task may open connections."""
    networked: frozenset[str] = frozenset()
    """Labels of the executors whose tasks may."""

    def open_to(self, executor: str) -> bool:
        """Whether the tasks of an executor may open connections."""
        return self.network or executor in self.networked


@dataclass(kw_only=True)
class Carrier:
    """Runs tasks; see :class:`~eggcrate.pipelines.local.interpret.Runner`."""

    place: Place
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self, task: Ready) -> Finished:
        """Run one to its end; never raises for what the task does."""
        try:
            if "importer" in task.executor:
                return self._import(task)
            return self._contain(task)
        except TaskOutputError as error:
            return Finished(state=TaskState.FAILED, reason=error.sentence)
        except EggcrateError as error:
            return Finished(state=TaskState.FAILED, reason=error.sentence, attempts=0)
        except OSError as error:
            return Finished(state=TaskState.FAILED, reason=str(error), attempts=0)

    def _import(self, task: Ready) -> Finished:
        told = task.executor["importer"]
        address = told["artifactUri"]
        uri = address.get("constant") or task.inputs.parameters[address["runtimeParameter"]]
        source = check_source(str(uri), self.place.root)
        [(name, kind)] = task.definition["outputDefinitions"]["artifacts"].items()
        target = self.place.folder / "artifacts" / task.id / source.name
        copy_plain(source, target)
        metadata = {
            key: _meta(value, task.inputs.parameters)
            for key, value in told.get("metadata", {}).items()
        }
        artifact = Artifact(
            name=name,
            type=_kind(told.get("typeSchema") or kind["artifactType"]),
            path=str(target.relative_to(self.place.folder)),
            uri=str(uri),
            metadata=metadata,
        )
        return Finished(
            state=TaskState.SUCCEEDED, outputs=Values(artifacts={name: (artifact,)}), attempts=1
        )

    def _contain(self, task: Ready) -> Finished:
        place = self.place
        container = task.executor["container"]
        more = place.kubernetes.get(task.definition["executorLabel"], {})
        limits = wanted(task.executor, more, memory=place.bytes, threads=place.threads)
        digest = place.digest(container["image"])
        given, mounts = self._given(task)
        words = [*container.get("command", ()), *container.get("args", ())]
        argv = tuple(filled(words, given, self._names(task)))
        shared = [Mount(source=place.volumes[name], target=path) for name, path in mounts_of(more)]
        folder = place.folder / "artifacts" / task.id
        key = self._key(task, digest, argv, [*mounts, *shared], limits)
        if key and place.memory and (run := place.memory.recall(key, folder)):
            outputs = read_outputs(task.definition, folder, OUTPUTS)
            return Finished(
                state=TaskState.REUSED,
                outputs=self._values(task, outputs),
                attempts=0,
                reused_from=run,
            )
        command = Command(
            argv=argv,
            limits=Limits(memory=limits.memory, seconds=limits.seconds),
            env=dict(limits.env),
            mounts=(*mounts, *shared, Mount(source=folder, target=OUTPUTS, writable=True)),
            network=place.open_to(task.definition["executorLabel"]),
        )
        done = self._attempts(task, digest, command, folder, written=WHOLE in "".join(words))
        if key and place.memory and done.state is TaskState.SUCCEEDED:
            place.memory.remember(key, place.run, folder)
        return done

    def _attempts(
        self, task: Ready, digest: str, command: Command, folder: Path, *, written: bool
    ) -> Finished:
        policy = task.spec.get("retryPolicy", {})
        most = 1 + int(policy.get("maxRetryCount", 0) or 0)
        image = self.place.runtime.prepare(digest)
        log = self.place.folder / "tasks" / task.id / "log.txt"
        told = ""
        for attempt in range(1, most + 1):
            _empty(folder)
            result = self.place.runtime.run(image, command)
            told += (f"===== attempt {attempt} =====\n" if most > 1 else "") + result.output
            atomic_write(log, told, flush=False)
            if self.stopped.is_set():
                return Finished(
                    state=TaskState.CANCELLED,
                    reason="the run was interrupted",
                    attempts=attempt,
                )
            done = self._judged(task, result, folder, attempt, written=written)
            if done.state.good or attempt == most:
                return done
            if self.stopped.wait(backoff(policy, attempt)):
                return Finished(
                    state=TaskState.CANCELLED, reason="the run was interrupted", attempts=attempt
                )
        raise AssertionError

    def _judged(
        self, task: Ready, result: Result, folder: Path, attempt: int, *, written: bool
    ) -> Finished:
        if result.ending is not Ending.EXITED:
            state = _ENDINGS.get(result.ending, TaskState.FAILED)
            return Finished(state=state, reason=result.reason, attempts=attempt)
        if result.exit_code != 0:
            return Finished(state=TaskState.FAILED, reason=exit_reason(result), attempts=attempt)
        try:
            if not written and not (folder / OUTPUT_FILE).exists():
                _tell_plainly(task, folder)
            outputs = read_outputs(task.definition, folder, OUTPUTS)
        except TaskOutputError as error:
            return Finished(state=TaskState.FAILED, reason=error.sentence, attempts=attempt)
        return Finished(
            state=TaskState.SUCCEEDED, outputs=self._values(task, outputs), attempts=attempt
        )

    def _given(self, task: Ready) -> tuple[dict[str, Any], list[Mount]]:
        """The executor input, and the mounts that it tells of."""
        inputs = task.definition.get("inputDefinitions", {})
        plain = {"inputDefinitions": {"parameters": dict(inputs.get("parameters", {}))}}
        plain["outputDefinitions"] = task.definition.get("outputDefinitions", {})
        known = inputs.get("parameters", {})
        given = executor_input(
            plain,
            parameters={n: v for n, v in task.inputs.parameters.items() if n in known},
            artifacts={},
            folder=OUTPUTS,
        )
        mounts: list[Mount] = []
        for name, items in task.inputs.artifacts.items():
            if name not in inputs.get("artifacts", {}):
                continue
            kind = inputs["artifacts"][name]
            listed = []
            for number, item in enumerate(items):
                below = (
                    f"{INPUTS}/{name}/{number}"
                    if kind.get("isArtifactList")
                    else (f"{INPUTS}/{name}")
                )
                target = f"{below}/{Path(item.path or item.name).name}"
                if item.path:
                    mounts.append(Mount(source=self.place.folder / item.path, target=target))
                listed.append(
                    {
                        "name": item.name,
                        "type": {**kind["artifactType"], "schemaTitle": item.type},
                        "uri": target if item.path else item.uri,
                        "metadata": dict(item.metadata),
                    }
                )
            given.setdefault("inputs", {}).setdefault("artifacts", {})[name] = {"artifacts": listed}
        return given, mounts

    def _values(self, task: Ready, outputs: Outputs) -> Values:
        promised = task.definition.get("outputDefinitions", {}).get("artifacts", {})
        return Values(
            parameters=dict(outputs.parameters),
            artifacts={
                name: (
                    Artifact(
                        name=name,
                        type=_kind(promised[name]["artifactType"]),
                        path=str(one.path.relative_to(self.place.folder)) if one.path else "",
                        uri=one.uri,
                        metadata=dict(one.metadata),
                    ),
                )
                for name, one in outputs.artifacts.items()
            },
        )

    def _names(self, task: Ready) -> dict[str, str]:
        place = self.place
        return {
            "{{$.pipeline_job_name}}": f"{place.pipeline}-{place.run}",
            "{{$.pipeline_job_resource_name}}": f"{place.pipeline}-{place.run}",
            "{{$.pipeline_job_uuid}}": place.run,
            "{{$.pipeline_task_name}}": task.name,
            "{{$.pipeline_task_uuid}}": task.id,
            "{{$.pipeline_root}}": OUTPUTS,
            "{{$.pipeline_job_create_time_utc}}": place.run,
            "{{$.pipeline_job_schedule_time_utc}}": place.run,
        }

    def _key(
        self,
        task: Ready,
        digest: str,
        argv: tuple[str, ...],
        mounts: list[Mount],
        limits: Wanted,
    ) -> str:
        """What this task is remembered by; empty when it is not to be."""
        if not self.place.memory or not task.spec.get("cachingOptions", {}).get("enableCache"):
            return ""
        return key_of(
            {
                "image": digest,
                "command": argv,
                "env": dict(limits.env),
                "network": self.place.open_to(task.definition["executorLabel"]),
                "outputs": task.definition.get("outputDefinitions", {}),
                "files": {one.target: tree_digest(one.source) for one in mounts},
            }
        )


def _tell_plainly(task: Ready, folder: Path) -> None:
    """The executor output of a container that knows nothing of KFP: only its files count."""
    promised = task.definition.get("outputDefinitions", {}).get("artifacts", {})
    told = {name: {"artifacts": [{"uri": f"{OUTPUTS}/{name}"}]} for name in promised}
    atomic_write(folder / OUTPUT_FILE, json.dumps({"artifacts": told}), flush=False)


def _empty(folder: Path) -> None:
    if folder.exists():
        folder.chmod(0o755)
        remove_tree(folder)
    folder.mkdir(parents=True)


def _meta(value: Any, parameters: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and "{{$" in value:
        for name, given in parameters.items():
            value = value.replace(f"{{{{$.inputs.parameters['{name}']}}}}", as_text(given))
    return value


def _kind(told: Mapping[str, Any]) -> str:
    return str(told.get("schemaTitle") or "system.Artifact")
