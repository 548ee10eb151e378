"""A function as KFP's own component object, image and code left open until it is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp import dsl
from kfp.dsl.python_component import PythonComponent

if TYPE_CHECKING:
    from collections.abc import Callable

OPEN_IMAGE = "eggcrate.invalid"
"""Stands where the image will be; it tells what is missing to whoever runs it uncompiled."""


class Component(PythonComponent):  # type: ignore[misc] # kfp has no types
    """A KFP component of ours, told from others by its class."""


def make(function: Callable[..., Any]) -> Component:
    """Let KFP read the function's interface.

    A *containerized* component in KFP's words: its command runs KFP's executor on a module that
    is there, where a lightweight one carries the text of the function alone.
    """
    image = f"{OPEN_IMAGE}/{function.__module__}.{function.__name__}"
    made = dsl.component(function, base_image=image, target_image=image)
    return Component(component_spec=made.component_spec, python_func=function)
