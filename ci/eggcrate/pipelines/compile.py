"""Components as KFP runs them: interface, code that travels, image by digest.

kfp takes seconds to import, and components are users' code: both are in a process of their own
(:mod:`eggcrate.pipelines.worker`), one for all components of a run.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import eggcrate
from eggcrate import process
from eggcrate.errors import CompileError, EggcrateError
from eggcrate.pipelines.bundle import make_bundle
from eggcrate.pipelines.executor import package
from eggcrate.repo.closure import closure
from eggcrate.repo.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eggcrate.pipelines.bundle import Bundle
    from eggcrate.repo.values import Component

_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A component as its own file declares it, in KFP's words."""

    module: str
    function: str
    spec: Mapping[str, Any]
    """``PipelineSpec`` of a pipeline with this one task, as JSON; image and command open."""


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A component ready to be placed in any image that satisfies it."""

    component: str
    """Its folder's name."""
    interface: Interface
    bundle: Bundle

    @property
    def definition(self) -> Mapping[str, Any]:
        """KFP's ``ComponentSpec``: ``inputDefinitions``, ``outputDefinitions``."""
        [found] = self.interface.spec["components"].values()
        told: Mapping[str, Any] = found
        return told

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows the command, placeholders unresolved."""
        return tuple(_container(self.interface.spec)["args"])


@dataclass(frozen=True, kw_only=True)
class Place:
    """An environment that a component is to run in, as far as compiling needs to know it."""

    environment: str
    image: str
    """``NAME@sha256:...``: KFP caches by it, so a tag that moves would give stale results."""
    unfit: str = ""
    """Why it does not hold what the component needs; empty when it does. Judged by
    :func:`eggcrate.matrix.compatibility.compatibility`, a room above this one."""


def compile_components(
    components: Iterable[Component], root: Path
) -> dict[str, Compiled | EggcrateError]:
    """Compile components; one that cannot be does not stop the others.

    Args:
        components: which.
        root: the repository, or a staged copy of its code.

    Returns:
        Each by name: what it was compiled into, or why it was not.
    """
    wanted = list(components)
    try:
        told = read_interfaces([item.name for item in wanted], root)
    except EggcrateError as error:
        return dict.fromkeys((item.name for item in wanted), error)
    sources = Sources(root)
    compiled: dict[str, Compiled | EggcrateError] = {}
    for item in wanted:
        interface = told[item.name]
        try:
            if isinstance(interface, EggcrateError):
                raise interface
            compiled[item.name] = _bundled(item, interface, root, sources)
        except EggcrateError as error:
            compiled[item.name] = error
    return compiled


def _bundled(component: Component, interface: Interface, root: Path, sources: Sources) -> Compiled:
    found = closure(component, root, sources=sources)
    if found.missing:
        first = found.missing[0]
        raise CompileError(
            f"{first.path}:{first.line} imports {first.module}"
            + (f".{first.name}" if first.name else "")
            + ", which the repository does not hold",
            why=f"component {component.name} could not be imported where it runs",
        )
    files = {path: sources.read(path) for path in (*found.modules, *found.data)}
    bundle = make_bundle(files, module=interface.module, function=interface.function)
    return Compiled(component=component.name, interface=interface, bundle=bundle)


def read_interfaces(names: Iterable[str], root: Path) -> dict[str, Interface | CompileError]:
    """What components' files declare, read by KFP itself; one that ends it does not stop others.

    Raises:
        CompileError: kfp is not installed.
    """
    wanted = list(names)
    if not wanted:
        return {}
    package()
    try:
        return _ask(wanted, root)
    except CompileError as error:
        if len(wanted) == 1:
            return {wanted[0]: error}
    return {name: told for one in wanted for name, told in read_interfaces([one], root).items()}


def _ask(names: list[str], root: Path) -> dict[str, Interface | CompileError]:
    """Have them all read by one process.

    Raises:
        CompileError: it ended before it answered.
    """
    request = {"root": str(root.resolve()), "components": names}
    done = process.run(
        [sys.executable, "-P", "-m", "eggcrate.pipelines.worker"],
        cwd=root,
        env=_environment(),
        stdin=json.dumps(request).encode(),
        timeout=_SECONDS,
        check=False,
    )
    try:
        answer = json.loads(done.stdout) if done.returncode == 0 else None
    except ValueError:
        answer = None
    if answer is None:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CompileError(
            f"components/{names[0]}/component.py ended the process that imports it",
            why="\n".join([f"exit code {done.returncode}", *said[-12:]]),
            hint="what a module runs when it is imported must not end its process",
        )
    return {
        name: CompileError(told["error"][0], why=told["error"][1], hint=told["error"][2])
        if "error" in told
        else Interface(**told)
        for name, told in answer.items()
    }


def placed(compiled: Compiled, place: Place) -> dict[str, Any]:
    """The ``PipelineSpec`` of a component in an image: what KFP's backends run.

    Raises:
        CompileError: the environment does not hold what the component needs.
    """
    if place.unfit:
        raise CompileError(
            f"{compiled.component} cannot run in environment {place.environment}",
            why=place.unfit,
            hint="`eggcrate matrix --list` shows which environments fit",
        )
    spec = copy.deepcopy(dict(compiled.interface.spec))
    container = _container(spec)
    container["image"] = place.image
    container["command"] = list(compiled.bundle.command)
    return spec


def _container(spec: Mapping[str, Any]) -> dict[str, Any]:
    [executor] = spec["deploymentSpec"]["executors"].values()
    found: dict[str, Any] = executor["container"]
    return found


def _environment() -> dict[str, str]:
    """For the worker: ours, with this very Eggcrate on its path and nothing of a task's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "_KFP_", "COV_"))
    }
    return kept | {"PYTHONPATH": str(Path(eggcrate.__file__).parent.parent), "PYTHONHASHSEED": "0"}
