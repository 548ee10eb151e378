"""Read what components and pipelines declare, in a process of its own.

It imports kfp, which takes seconds, and users' code.
Standard input: ``{"root": …, "components": [name, …], "pipelines": [name, …]}``. Standard output:
under the same keys, for each name, what :mod:`eggcrate.pipelines.reading` turns into values.
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
from kfp.dsl.graph_component import GraphComponent

from eggcrate.errors import CompileError, EggcrateError
from eggcrate.pipelines.absent import Finder
from eggcrate.pipelines.kfp_component import Component

if TYPE_CHECKING:
    from collections.abc import Callable
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
        told = {
            kind: {name: _told(read, name, root) for name in request[kind]}
            for kind, read in (("components", read_component), ("pipelines", read_pipeline))
        }
        json.dump(told, answer, sort_keys=True)  # KFP's maps come in any order


def _told(read: Callable[[str, Path], dict[str, Any]], name: str, root: Path) -> dict[str, Any]:
    try:
        return read(name, root)
    except EggcrateError as error:
        return {"error": [error.what, error.why, error.hint]}


def read_component(name: str, root: Path) -> dict[str, Any]:
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
        "modules": list(found.choice.modules),
        "spec": json_format.MessageToDict(found.pipeline_spec),
    }


def read_pipeline(name: str, root: Path) -> dict[str, Any]:
    """One pipeline's specification, images and code still open.

    Raises:
        CompileError: it cannot be imported, or there is no pipeline in it.
    """
    where = f"pipelines/{name}/pipeline.py"
    module = _import(f"pipelines.{name}.pipeline", where, root)
    found = {
        key: item
        for key, item in vars(module).items()
        if isinstance(item, GraphComponent)
        and getattr(item.pipeline_func, "__module__", "") == module.__name__
    }
    chosen = found.get(name) or (next(iter(found.values())) if len(found) == 1 else None)
    if chosen is None:
        told = f"has {', '.join(sorted(found))}" if found else "has no pipeline in it"
        raise CompileError(
            f"{where} {told}",
            why=f"the pipeline is the function named {name}, or the only one",
            hint="mark it: from kfp import dsl, then @dsl.pipeline above the function",
        )
    return {
        "spec": json_format.MessageToDict(chosen.pipeline_spec),
        "platform": json_format.MessageToDict(chosen.platform_spec),
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
    except ModuleNotFoundError as error:
        if not (root / where).is_file():
            raise CompileError(f"{where} does not exist") from error
        raise _unread(error, where, root) from error
    except EggcrateError as error:
        at = _place(error, root)
        raise CompileError(error.what, why=error.why or at, hint=error.hint) from error
    except (Exception, SystemExit) as error:
        raise _unread(error, where, root) from error


def _unread(error: BaseException, where: str, root: Path) -> CompileError:
    at = _place(error, root)
    return CompileError(
        f"{where} cannot be read by KFP",
        why=f"{type(error).__name__}: {error}" + (f" ({at})" if at else ""),
        hint="KFP's types are str, int, float, bool, list, dict and artifacts: "
        "Input[Dataset], Output[Model], …"
        if isinstance(error, TypeError | ValueError)
        else "",
    )


def _place(error: BaseException, root: Path) -> str:
    """File and line of the repository that an error comes from."""
    frames = [
        f"{Path(frame.filename).relative_to(root)}, line {frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(f"{root}{os.sep}")
    ]
    return frames[-1] if frames else ""


if __name__ == "__main__":
    main()
