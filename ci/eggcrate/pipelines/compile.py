"""Components as KFP runs them: their interface, and the code that travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.errors import EggcrateError
from eggcrate.pipelines.bundle import import_of, make_bundle
from eggcrate.pipelines.code import code_of
from eggcrate.pipelines.reading import read_interfaces
from eggcrate.repo.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from eggcrate.pipelines.bundle import Bundle
    from eggcrate.pipelines.reading import Interface
    from eggcrate.repo.values import Component


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A component ready to run in any image that satisfies it."""

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
    code = code_of(component, root, sources=sources, modules=interface.modules)
    task = import_of(interface.module, interface.function)
    return Compiled(
        component=component.name, interface=interface, bundle=make_bundle(code.files, task=task)
    )


def _container(spec: Mapping[str, Any]) -> dict[str, Any]:
    [executor] = spec["deploymentSpec"]["executors"].values()
    found: dict[str, Any] = executor["container"]
    return found
