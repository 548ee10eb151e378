"""The decorator that makes a KFP component of a function."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import os
from typing import TYPE_CHECKING, Any, overload

from eggcrate.errors import CompileError
from eggcrate.pipelines import inside

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RUNTIME_VARIABLE = "_KFP_RUNTIME"
"""KFP's own: set where a component runs, so that ``kfp.dsl`` leaves its compiler out."""


@overload
def component(function: Callable[..., Any], /) -> Any: ...


@overload
def component(
    *, share: str = "inject", modules: Sequence[str] = ()
) -> Callable[[Callable[..., Any]], Any]: ...


def component(
    function: Callable[..., Any] | None = None,
    /,
    *,
    share: str = "inject",
    modules: Sequence[str] = (),
) -> Any:
    """Make a KFP component whose code arrives at run time, in the image of an environment.

    Types, artifacts, defaults, docstrings and outputs are those of ``kfp.dsl.component``. The
    function's module is imported as it stands in the repository: imports at its top, relative
    imports, sub-packages and files beside it work.

    In a pipeline ``component(..., environment="NAME", share="WAY")`` chooses where a task runs and
    how its code gets there.

    Where the component runs, and where kfp is not installed, the function stays what it is.
    ``component.python_func`` is the function in both.

    Args:
        function: the component's.
        share: how helper code gets to where it runs: ``inject``, ``package``, ``volume``,
            ``config-map``, ``pickle`` or ``image``; see ``docs/how-to-share-code.md``.
        modules: dotted names of modules that are imported in ways that cannot be seen in source
            (by a name that is computed); they travel too.

    Raises:
        CompileError: KFP cannot read the function's annotations, or there is no such way.
    """
    if function is None:
        return functools.partial(component, share=share, modules=modules)
    if not compiling():
        return inside.component(function)
    _check(function)
    from eggcrate.pipelines.kfp_component import make  # noqa: PLC0415 - kfp takes seconds
    from eggcrate.pipelines.open_task import Share  # noqa: PLC0415 - as above

    return make(function, share=Share.of(share), modules=modules)


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
