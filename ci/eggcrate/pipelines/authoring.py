"""The decorator that makes a KFP component of a function."""

from __future__ import annotations

import importlib.util
import inspect
import os
from typing import TYPE_CHECKING, Any, overload

from eggcrate.errors import CompileError
from eggcrate.pipelines import inside

if TYPE_CHECKING:
    from collections.abc import Callable

RUNTIME_VARIABLE = "_KFP_RUNTIME"
"""KFP's own: set where a component runs, so that ``kfp.dsl`` leaves its compiler out."""


@overload
def component(function: Callable[..., Any], /) -> Any: ...


@overload
def component() -> Callable[[Callable[..., Any]], Any]: ...


def component(function: Callable[..., Any] | None = None, /) -> Any:
    """Make a KFP component whose code arrives at run time, in the image of an environment.

    Types, artifacts, defaults, docstrings and outputs are those of ``kfp.dsl.component``. The
    function's module is imported as it stands in the repository: imports at its top, relative
    imports, sub-packages and files beside it work.

    Where the component runs, and where kfp is not installed, the function stays what it is.
    ``component.python_func`` is the function in both.

    Raises:
        CompileError: KFP cannot read the function's annotations.
    """
    if function is None:
        return component
    if not compiling():
        return inside.component(function)
    _check(function)
    from eggcrate.pipelines.kfp_component import make  # noqa: PLC0415 - kfp takes seconds

    return make(function)


def compiling() -> bool:
    """Whether components are to be compiled here: there is a kfp, and no task is running."""
    if os.environ.get(RUNTIME_VARIABLE, "false") == "true":
        return False
    return importlib.util.find_spec("kfp") is not None


def _check(function: Callable[..., Any]) -> None:
    if any(isinstance(kind, str) for kind in inspect.get_annotations(function).values()):
        raise CompileError(
            f"{function.__module__}.{function.__name__} has annotations that KFP cannot read",
            why="they are texts, not types",
            hint="remove `from __future__ import annotations` from this file, and quotes "
            "around the function's types",
        )
