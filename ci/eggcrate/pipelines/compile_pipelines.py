"""Compile pipelines: read what they declare, find images and code, put both in place."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from eggcrate.errors import CompileError, EggcrateError
from eggcrate.pipelines.bundle import KUBEFLOW, VERTEX
from eggcrate.pipelines.code import code_of
from eggcrate.pipelines.pickling import captured
from eggcrate.pipelines.place import check_foreign, only_kubernetes, place
from eggcrate.pipelines.reading import read_pipelines
from eggcrate.pipelines.sharing import ship
from eggcrate.pipelines.weight import check_weight
from eggcrate.repo.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from eggcrate.pipelines.open_task import Choice, Share
    from eggcrate.pipelines.place import Placed
    from eggcrate.pipelines.reading import OpenPipeline
    from eggcrate.pipelines.sharing import Shipment, Site, Ways
    from eggcrate.repo.values import Component

_BUDGETS = {
    "any": (KUBEFLOW, VERTEX),
    "kubeflow": (KUBEFLOW,),
    "vertex": (VERTEX,),
    "here": (KUBEFLOW, VERTEX),
}


class Finder(Protocol):
    """Knows environments and their images; see :mod:`eggcrate.matrix.sites`."""

    def prepare(self, environments: Sequence[str]) -> None:
        """Have the images of all of them, as far as they can be had."""

    def site(self, component: Component, choice: Choice) -> Site:
        """Where a task runs.

        Raises:
            EggcrateError: there is no such environment, it has no image, or it does not hold what
                the component needs.
        """

    def bake(self, image: str, files: Mapping[str, bytes]) -> str:
        """The name, with digest, of an image plus files by absolute path."""


@dataclass(frozen=True, kw_only=True)
class Repository:
    """What of a repository compiling needs."""

    root: Path
    components: Mapping[str, Component]
    broken: Mapping[str, EggcrateError]
    """Folders that cannot be read, ``components/x``, each with its error."""
    ways: Ways


@dataclass(frozen=True, kw_only=True)
class CompileResult:
    """What became of a pipeline."""

    name: str
    placed: Placed | None = None
    warnings: tuple[str, ...] = ()
    error: EggcrateError | None = None

    def failed(self, error: EggcrateError) -> CompileResult:
        """The same pipeline, which turned out not to be good."""
        return replace(self, placed=None, error=error)


def compile_pipelines(
    names: Sequence[str],
    repository: Repository,
    finder: Finder,
    *,
    target: str = "any",
    share: Share | None = None,
) -> list[CompileResult]:
    """Compile pipelines; one that cannot be does not stop the others.

    Args:
        names: folders in ``pipelines/``.
        repository: where they are.
        finder: gives images.
        target: whose limits hold: ``any``, ``vertex``, ``kubeflow``, or ``here`` for what is not
            sent to either now.
        share: how code travels that would be injected; default: as it is.
    """
    try:
        read = read_pipelines(names, repository.root)
    except EggcrateError as error:
        return [CompileResult(name=name, error=error) for name in names]
    if share:
        read = {
            name: item if isinstance(item, EggcrateError) else item.sharing(share)
            for name, item in read.items()
        }
    opened = [item for item in read.values() if not isinstance(item, EggcrateError)]
    wanted = {
        _environment(choice, repository) for item in opened for choice in item.choices.values()
    }
    finder.prepare(sorted(wanted - {""}))
    return [_compiled(name, read[name], repository, finder, target) for name in names]


def _compiled(
    name: str,
    pipeline: OpenPipeline | EggcrateError,
    repository: Repository,
    finder: Finder,
    target: str,
) -> CompileResult:
    if isinstance(pipeline, EggcrateError):
        return CompileResult(name=name, error=pipeline)
    try:
        if target == "vertex" and (bound := only_kubernetes(pipeline.choices.values())):
            raise CompileError(
                f"{name}: {bound[0].component} shares code by {bound[0].share.value}",
                why="Vertex AI has neither volumes nor ConfigMaps of Kubernetes",
                hint='use share="inject", "package" or "image"',
            )
        sources = Sources(repository.root)
        shipped = functools.partial(_ship, repository=repository, finder=finder, sources=sources)
        placed = place(pipeline, shipped, budgets=_BUDGETS[target])
        heavy = check_weight(placed.pipeline) if target in {"any", "kubeflow"} else ""
    except EggcrateError as error:
        return CompileResult(name=name, error=error)
    warnings = [heavy] if heavy else []
    warnings += [
        f"{name}: the image {image} is not pinned by a digest; what it is may change"
        for image in check_foreign(pipeline)
    ]
    return CompileResult(name=name, placed=placed, warnings=tuple(warnings))


def _ship(choice: Choice, *, repository: Repository, finder: Finder, sources: Sources) -> Shipment:
    component = _component(choice, repository)
    return ship(
        choice,
        code_of(component, repository.root, sources=sources, modules=choice.modules),
        finder.site(component, choice),
        repository.ways,
        bake=finder.bake,
        capture=functools.partial(captured, root=repository.root),
    )


def _component(choice: Choice, repository: Repository) -> Component:
    found = repository.components.get(choice.component)
    if found is None:
        broken = repository.broken.get(f"components/{choice.component}")
        raise broken or CompileError(
            f"{choice.module}.{choice.function} is in no component's folder",
            hint="components stand in components/<name>/component.py",
        )
    return found


def _environment(choice: Choice, repository: Repository) -> str:
    known = repository.components.get(choice.component)
    return choice.environment or (known.environment if known else "")
