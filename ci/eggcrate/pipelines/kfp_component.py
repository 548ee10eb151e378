"""A function as KFP's own component object, image and code left open until it is compiled."""

from __future__ import annotations

import copy
import functools
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfp import dsl
from kfp.dsl.python_component import PythonComponent

from eggcrate.errors import CompileError
from eggcrate.pipelines.open_task import Choice, Share
from eggcrate.pipelines.timeouts import set_timeout
from eggcrate.repo.components import read_component

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kfp.dsl import PipelineTask

    from eggcrate.repo.values import Component as Declared

_OURS = ("environment", "share")


class Component(PythonComponent):  # type: ignore[misc] # kfp has no types
    """A KFP component of ours, told from others by its class."""

    def __init__(self, function: Callable[..., Any], share: Share, modules: Sequence[str]) -> None:
        self.choice = Choice(
            module=function.__module__,
            function=function.__name__,
            share=share,
            modules=tuple(modules),
        )
        made = dsl.component(function, base_image=self.choice.image, target_image=self.choice.image)
        super().__init__(component_spec=made.component_spec, python_func=function)

    def __call__(self, *args: Any, **inputs: Any) -> PipelineTask:
        """Make a task of it in a pipeline.

        Args:
            args: none: KFP takes inputs by name.
            inputs: the component's; and, unless it has inputs of these names, ``environment``:
                where it runs, the component's default without; and ``share``: how the code of
                helpers gets there, the component's own way without.
        """
        own = self.component_spec.inputs or {}
        chosen = {name: "" if name in own else inputs.pop(name, "") for name in _OURS}
        choice = self.choice.where(**chosen)
        made = copy.copy(self)
        made.component_spec = copy.deepcopy(self.component_spec)
        made.component_spec.implementation.container.image = choice.image
        task = super(Component, made).__call__(*args, **inputs)
        _ask_for(task, self.declared)
        return task

    @functools.cached_property
    def declared(self) -> Declared:
        """Its ``pyproject.toml``.

        Raises:
            CompileError: it is not a component of the repository.
            ConfigError: the file is not valid.
        """
        name = self.choice.component
        if not name:
            raise CompileError(
                f"{self.choice.module}.{self.choice.function} is not in a component's folder",
                why="what a component needs stands in components/<name>/pyproject.toml",
                hint="move the function to components/<name>/component.py",
            )
        here = Path(inspect.getfile(self.python_func))
        return read_component(
            next(folder for folder in here.parents if folder.parent.name == "components")
        )


def make(
    function: Callable[..., Any], *, share: Share = Share.INJECT, modules: Sequence[str] = ()
) -> Component:
    """Let KFP read the function's interface.

    A *containerized* component in KFP's words: its command runs KFP's executor on a module that
    is there, where a lightweight one carries the text of the function alone.
    """
    return Component(function, share, modules)


def _ask_for(task: PipelineTask, declared: Declared) -> None:
    """Have a task ask for what its component's settings say; pipelines may say otherwise after."""
    wanted = declared.task
    if wanted.cpu:
        task.set_cpu_limit(wanted.cpu)
    if wanted.memory:
        task.set_memory_limit(wanted.memory)
    if wanted.accelerator:
        task.set_accelerator_type(wanted.accelerator)
        task.set_accelerator_limit(wanted.accelerators)
    if wanted.retries:
        task.set_retry(num_retries=wanted.retries)
    if not wanted.cache:
        task.set_caching_options(enable_caching=False)
    for name, value in declared.env.items():
        task.set_env_variable(name, value)
    if wanted.timeout:
        set_timeout(task, wanted.timeout)
