"""What ``from eggcrate import component`` finds inside a container: travels as ``eggcrate.py``.

Standard library only, and as old a Python as components may run on. It names no version of
Eggcrate: its bytes are part of every bundle, and so of what KFP caches by.
"""

from __future__ import annotations

from typing import Any


def component(function: Any = None, /, **_: Any) -> Any:
    """Leave a component's function as it is: here it runs, it is not compiled.

    ``python_func``, by which tests call a KFP component's function, works here too.
    """
    if function is None:
        return component
    function.python_func = function
    return function
