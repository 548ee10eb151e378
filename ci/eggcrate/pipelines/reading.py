"""What components' and pipelines' files declare, read by KFP itself in a process of its own.

kfp takes seconds to import, and what it reads is users' code: both are in
:mod:`eggcrate.pipelines.worker`, one process for all that a run needs.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import eggcrate
from eggcrate import process
from eggcrate.errors import CompileError
from eggcrate.pipelines.executor import package
from eggcrate.pipelines.open_task import Choice, Share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SECONDS = 300
_Told = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A component as its own file declares it, in KFP's words."""

    module: str
    function: str
    spec: Mapping[str, Any]
    """``PipelineSpec`` of a pipeline with this one task, as JSON; image and command open."""
    modules: tuple[str, ...] = ()
    """Modules that its author says it needs beside those that its source imports."""


@dataclass(frozen=True, kw_only=True)
class OpenPipeline:
    """A pipeline as its own file declares it, in KFP's words; images and commands open."""

    name: str
    """Its folder's."""
    spec: Mapping[str, Any]
    platform: Mapping[str, Any]

    @property
    def choices(self) -> Mapping[str, Choice]:
        """For each executor of a component of ours, what its author chose."""
        found = {
            label: Choice.parse(executor["container"]["image"])
            for label, executor in self.spec["deploymentSpec"].get("executors", {}).items()
            if "container" in executor
        }
        return {label: choice for label, choice in found.items() if choice}

    def sharing(self, share: Share) -> OpenPipeline:
        """The same, with code that would be injected travelling another way."""
        spec = copy.deepcopy(dict(self.spec))
        for label, choice in self.choices.items():
            if choice.share is Share.INJECT:
                container = spec["deploymentSpec"]["executors"][label]["container"]
                container["image"] = replace(choice, share=share).image
        return replace(self, spec=spec)


def read_interfaces(names: Iterable[str], root: Path) -> dict[str, Interface | CompileError]:
    """What components' files declare; one that ends the reading process does not stop others.

    Raises:
        CompileError: kfp is not installed.
    """
    return {
        name: told
        if isinstance(told, CompileError)
        else Interface(**{**told, "modules": tuple(told["modules"])})
        for name, told in _read("components", list(names), root).items()
    }


def read_pipelines(names: Iterable[str], root: Path) -> dict[str, OpenPipeline | CompileError]:
    """What pipelines' files declare; one that ends the reading process does not stop others.

    Raises:
        CompileError: kfp is not installed.
    """
    return {
        name: told if isinstance(told, CompileError) else OpenPipeline(name=name, **told)
        for name, told in _read("pipelines", list(names), root).items()
    }


def _read(kind: str, names: Sequence[str], root: Path) -> dict[str, _Told | CompileError]:
    if not names:
        return {}
    package()
    try:
        return _ask(kind, names, root)
    except CompileError as error:
        if len(names) == 1:
            return {names[0]: error}
    return {name: told for one in names for name, told in _read(kind, [one], root).items()}


def _ask(kind: str, names: Sequence[str], root: Path) -> dict[str, _Told | CompileError]:
    """Have them all read by one process.

    Raises:
        CompileError: it ended before it answered.
    """
    request = {"root": str(root.resolve()), "components": [], "pipelines": [], kind: names}
    told = ask("eggcrate.pipelines.worker", request, root, f"{kind}/{names[0]}")
    return {
        name: CompileError(item["error"][0], why=item["error"][1], hint=item["error"][2])
        if "error" in item
        else item
        for name, item in told[kind].items()
    }


def ask(module: str, request: Mapping[str, Any], root: Path, concerning: str) -> _Told:
    """Have a module of ours answer a request in a process of its own, which imports users' code.

    Args:
        module: reads JSON from standard input and answers on standard output.
        request: for it.
        root: the repository; its working directory.
        concerning: folder of what it imports, for the message.

    Raises:
        CompileError: it ended before it answered.
    """
    done = process.run(
        [sys.executable, "-P", "-m", module],
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
        file = _FILES[concerning.partition("/")[0]]
        raise CompileError(
            f"{concerning}/{file} ended the process that imports it",
            why="\n".join([f"exit code {done.returncode}", *said[-12:]]),
            hint="what a module runs when it is imported must not end its process",
        )
    found: _Told = answer
    return found


_FILES = {"components": "component.py", "pipelines": "pipeline.py"}


def _environment() -> dict[str, str]:
    """For the process: ours, with this very Eggcrate on its path and nothing of a task's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "_KFP_", "COV_"))
    }
    return kept | {"PYTHONPATH": str(Path(eggcrate.__file__).parent.parent), "PYTHONHASHSEED": "0"}
