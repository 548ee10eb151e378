"""What of a compiled pipeline cannot be run on this machine: said before anything is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eggcrate.errors import CompileError
from eggcrate.pipelines.local.condition import compile_condition
from eggcrate.pipelines.local.settings import unsupported
from eggcrate.pipelines.local.values import producers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from eggcrate.pipelines.compiled_file import CompiledPipeline

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")
_UNDER = "/eggcrate/"


def check(
    compiled: CompiledPipeline, parameters: Mapping[str, Any], root: Path, volumes: set[str]
) -> None:
    """Refuse what could not be run to its end.

    Args:
        compiled: the pipeline.
        parameters: of this run.
        root: the repository, which local addresses are relative to.
        volumes: names of the volumes and config maps that are given.

    Raises:
        CompileError: the message names the task.
    """
    spec = compiled.spec
    executors = spec["deploymentSpec"].get("executors", {})
    kubernetes = kubernetes_of(compiled)
    for name, task, level in _tasks(spec):
        component = spec["components"].get(task["componentRef"]["name"], {})
        try:
            _check_order(name, level)
            if condition := task.get("triggerPolicy", {}).get("condition"):
                compile_condition(condition)
            if "dag" in component:
                continue
            executor = executors.get(component.get("executorLabel"), {})
            if "importer" in executor:
                _check_importer(task, parameters if level is spec["root"]["dag"] else {}, root)
            else:
                more = kubernetes.get(component.get("executorLabel", ""), {})
                _check_container(executor, more, volumes)
        except CompileError as error:
            raise CompileError(
                f"{name} cannot be run here: {error.what}", why=error.why, hint=error.hint
            ) from error


def kubernetes_of(compiled: CompiledPipeline) -> Mapping[str, Any]:
    """What Kubernetes alone understands, by executor."""
    platform = compiled.platform.get("platforms", {}).get("kubernetes", {})
    found: Mapping[str, Any] = platform.get("deploymentSpec", {}).get("executors", {})
    return found


def mounts_of(kubernetes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and path inside of each volume and config map of an executor."""
    found = [
        (_name(one, "pvcNameParameter", "constant"), str(one["mountPath"]))
        for one in kubernetes.get("pvcMount", ())
    ]
    return found + [
        (_name(one, "configMapNameParameter", "configMapName"), str(one["mountPath"]))
        for one in kubernetes.get("configMapAsVolume", ())
    ]


def local_path(uri: str, root: Path) -> Path | None:
    """The file or folder that an address names on this machine; ``None`` when it is elsewhere."""
    if uri.startswith("file://"):
        return Path(uri.removeprefix("file://"))
    return None if _SCHEME.match(uri) else root / uri


def _name(mount: Mapping[str, Any], parameter: str, old: str) -> str:
    told = mount.get(parameter, {}).get("runtimeValue", {}).get("constant")
    return str(told or mount.get(old, ""))


def _check_container(
    executor: Mapping[str, Any], kubernetes: Mapping[str, Any], volumes: set[str]
) -> None:
    if "container" not in executor:
        kinds = ", ".join(executor) or "nothing"
        raise CompileError(f"its executor is {kinds}, not a container or an importer")
    if problem := unsupported(executor, kubernetes):
        raise CompileError(f"this machine does not give it {problem}")
    for name, path in mounts_of(kubernetes):
        if not path.startswith(_UNDER):
            raise CompileError(f"{name or 'a volume'} is mounted at {path}, not below {_UNDER}")
        if name not in volumes:
            raise CompileError(
                f"it mounts {name or 'a volume named at run time'}, and no folder is given for it",
                hint=f"--volume {name or 'NAME'}=FOLDER, or --config-map for a config map",
            )


def _check_importer(task: Mapping[str, Any], parameters: Mapping[str, Any], root: Path) -> None:
    selector = task.get("inputs", {}).get("parameters", {}).get("uri", {})
    uri = selector.get("runtimeValue", {}).get("constant")
    if uri is None:
        uri = parameters.get(selector.get("componentInputParameter", ""))
    if isinstance(uri, str) and "{{$" not in uri:
        check_source(uri, root)


def check_source(uri: str, root: Path) -> Path:
    """Require that an imported artifact is on this machine.

    Raises:
        CompileError: it is not.
    """
    path = local_path(uri, root)
    if path is None:
        raise CompileError(
            f"{uri} is not on this machine",
            hint="local runs import files: give a path relative to the repository, or file://",
        )
    if not path.exists():
        raise CompileError(f"{path} does not exist")
    return path


def _check_order(name: str, dag: Mapping[str, Any]) -> None:
    """Require that a task does not need itself, through whatever others."""
    seen: set[str] = set()
    todo = list(producers(dag["tasks"][name]))
    while todo:
        one = todo.pop()
        if one == name:
            raise CompileError("it needs itself")
        if one not in dag["tasks"]:
            raise CompileError(f"it needs {one}, which is not there")
        if one not in seen:
            seen.add(one)
            todo += producers(dag["tasks"][one])


def _tasks(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Every task with the DAG that it stands in."""
    for component in (spec["root"], *spec["components"].values()):
        for name, task in component.get("dag", {}).get("tasks", {}).items():
            yield name, task, component["dag"]
