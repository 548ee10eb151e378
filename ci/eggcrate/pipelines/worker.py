"""Read components' interfaces: a process of its own, for it imports kfp and users' code.

Standard input: ``{"root": …, "components": [name, …]}``. Standard output: for each name what
:mod:`eggcrate.pipelines.compile` turns into values.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from kfp.dsl.base_component import BaseComponent

from eggcrate.errors import CompileError
from eggcrate.pipelines.absent import Finder
from eggcrate.pipelines.kfp_component import Component

if TYPE_CHECKING:
    from types import ModuleType


def main() -> None:
    """Answer one request."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what users' modules print is not the answer
    request = json.load(sys.stdin)
    root = Path(request["root"])
    sys.path.insert(0, str(root))
    sys.meta_path.append(Finder(root))
    sys.dont_write_bytecode = True
    with answer:
        told = {name: _told(name, root) for name in request["components"]}
        json.dump(told, answer, sort_keys=True)  # KFP's maps come in any order


def _told(name: str, root: Path) -> dict[str, Any]:
    try:
        return read(name, root)
    except CompileError as error:
        return {"error": [error.what, error.why, error.hint]}


def read(name: str, root: Path) -> dict[str, Any]:
    """One component's module, function and specification.

    Raises:
        CompileError: it cannot be imported, or has no component of ours in it.
    """
    where = f"components/{name}/component.py"
    found = choose(_import(f"components.{name}.component", where, root), name, where)
    function = found.python_func
    return {
        "module": function.__module__,
        "function": function.__name__,
        "spec": json_format.MessageToDict(found.pipeline_spec),
    }


def choose(module: ModuleType, name: str, where: str) -> Component:
    """The component of a module: the one named as its folder, or the only one.

    Raises:
        CompileError: there is none or there are several, or one that only KFP's compiler knows.
    """
    everything = {
        key: item for key, item in vars(module).items() if isinstance(item, BaseComponent)
    }
    if foreign := [key for key, item in everything.items() if not isinstance(item, Component)]:
        raise CompileError(
            f"{where} makes {foreign[0]} with KFP's own decorator",
            why="the file is imported where the component runs, and `kfp.dsl` has no `component`, "
            "`container_component` or `pipeline` there",
            hint="use `from eggcrate import component`; pipelines belong in a file of their own",
        )
    ours: dict[str, Component] = {
        key: item
        for key, item in everything.items()
        if item.python_func.__module__ == module.__name__
    }
    if name in ours:
        return ours[name]
    if len(ours) == 1:
        return next(iter(ours.values()))
    told = f"has {', '.join(sorted(ours))}" if ours else "has no component in it"
    raise CompileError(
        f"{where} {told}",
        why=f"the component's function is the one named {name}, or the only one",
        hint="mark it: from eggcrate import component, then @component above the function",
    )


def _import(dotted: str, where: str, root: Path) -> ModuleType:
    try:
        return importlib.import_module(dotted)
    except CompileError:
        raise
    except (Exception, SystemExit) as error:
        frames = [
            f"{Path(frame.filename).relative_to(root)}, line {frame.lineno}"
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename.startswith(f"{root}{os.sep}")
        ]
        why = f"{type(error).__name__}: {error}" + (f" ({frames[-1]})" if frames else "")
        raise CompileError(
            f"{where} cannot be read by KFP",
            why=why,
            hint="KFP's types are str, int, float, bool, list, dict and artifacts: "
            "Input[Dataset], Output[Model], …"
            if isinstance(error, TypeError | ValueError)
            else "",
        ) from error


if __name__ == "__main__":
    main()
