"""A pipeline as KFP's backends run it: images by digest, and the code that travels."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.errors import CompileError
from eggcrate.pipelines.bundle import check_size
from eggcrate.pipelines.compiled_file import CompiledPipeline
from eggcrate.pipelines.open_task import Share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from eggcrate.pipelines.bundle import Budget
    from eggcrate.pipelines.open_task import Choice
    from eggcrate.pipelines.reading import OpenPipeline
    from eggcrate.pipelines.sharing import ConfigMap, Shipment

_KUBERNETES_ONLY = (Share.VOLUME, Share.CONFIG_MAP)


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A compiled pipeline with what has to be there before it runs."""

    pipeline: CompiledPipeline
    config_maps: tuple[ConfigMap, ...]
    shipments: Mapping[Choice, Shipment]
    components: Mapping[str, str]
    """Label of each executor that is of a component here, to the component's folder."""


def place(
    pipeline: OpenPipeline,
    ship: Callable[[Choice], Shipment],
    *,
    budgets: Sequence[Budget],
) -> Placed:
    """Put image and code into each executor of a pipeline.

    Args:
        pipeline: as its file declares it.
        ship: what a task's container is started with, by what its author chose.
        budgets: of the backends that it is to run on.

    Raises:
        CompileError: code or image cannot be had, or a command is larger than a backend takes.
    """
    spec = copy.deepcopy(dict(pipeline.spec))
    platform = copy.deepcopy(dict(pipeline.platform))
    shipments: dict[Choice, Shipment] = {}
    for label, choice in sorted(pipeline.choices.items()):
        if choice not in shipments:
            shipments[choice] = ship(choice)
        shipment = shipments[choice]
        container = spec["deploymentSpec"]["executors"][label]["container"]
        container["image"] = shipment.image
        container["command"] = list(shipment.command)
        for budget in budgets:
            check_size(
                shipment.bundle,
                budget,
                concerning=choice.component,
                command=shipment.command,
                extra=sum(len(argument) + 4 for argument in container.get("args", ())),
            )
        if shipment.kubernetes:
            _extend(_executor(platform, label), shipment.kubernetes)
        if not shipment.cacheable:
            _never_cache(spec, label)
    maps = {one.name: one for item in shipments.values() if (one := item.config_map)}
    return Placed(
        pipeline=CompiledPipeline(spec=spec, platform=platform),
        config_maps=tuple(maps[name] for name in sorted(maps)),
        shipments=shipments,
        components={label: choice.component for label, choice in pipeline.choices.items()},
    )


def only_kubernetes(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """Those whose way needs Kubernetes: Vertex AI cannot read such a pipeline."""
    return tuple(choice for choice in choices if choice.share in _KUBERNETES_ONLY)


def check_foreign(pipeline: OpenPipeline) -> tuple[str, ...]:
    """Images of other people's components that are not pinned by digest, sorted."""
    ours = pipeline.choices
    executors = pipeline.spec["deploymentSpec"].get("executors", {})
    return tuple(
        sorted(
            {
                executor["container"]["image"]
                for label, executor in executors.items()
                if "container" in executor
                and label not in ours
                and "@sha256:" not in executor["container"]["image"]
            }
        )
    )


def _executor(platform: dict[str, Any], label: str) -> dict[str, Any]:
    kubernetes = platform.setdefault("platforms", {}).setdefault("kubernetes", {})
    executors = kubernetes.setdefault("deploymentSpec", {}).setdefault("executors", {})
    found: dict[str, Any] = executors.setdefault(label, {})
    return found


def _extend(executor: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, mounts in more.items():
        there = executor.setdefault(key, [])
        taken = {mount["mountPath"] for mount in there}
        for mount in mounts:
            if mount["mountPath"] in taken:
                raise CompileError(
                    f"{mount['mountPath']} is where code is mounted, and something else is as well",
                    hint="mount the other volume at another path",
                )
            there.append(dict(mount))


def _never_cache(spec: Mapping[str, Any], label: str) -> None:
    """Have tasks of an executor run every time."""
    components = spec["components"]
    executed = {name for name, item in components.items() if item.get("executorLabel") == label}
    for dag in (spec["root"], *components.values()):
        for task in dag.get("dag", {}).get("tasks", {}).values():
            if task["componentRef"]["name"] in executed:
                task["cachingOptions"] = {}
