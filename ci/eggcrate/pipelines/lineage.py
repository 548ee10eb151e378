"""Which runs use which images, by digest: of this machine, of Vertex AI and of Kubeflow."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eggcrate.errors import UsageError
from eggcrate.pipelines.local.record import FILE, RUNS, TaskState, read_record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

_DIGEST = re.compile(r"(?:sha256:)?(?P<hex>[0-9a-f]{7,64})")
_DID_NOT_RUN = {TaskState.WAITING, TaskState.SKIPPED, TaskState.CANCELLED}


def moment_text(moment: datetime) -> str:
    """A moment in UTC as :class:`Use` has it, so that texts sort by time."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Kind(enum.Enum):
    """What uses an image."""

    RUN = "run"
    SCHEDULE = "schedule"
    """It will, again and again."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """A run or a schedule, with its images."""

    kind: Kind = Kind.RUN
    where: str
    """``here``, ``vertex`` or ``kubeflow``."""
    name: str
    """As people see it."""
    reference: str
    """What finds it: a folder, ``projects/…``, or the address of its page."""
    pipeline: str
    state: str
    started: str
    """UTC, ISO 8601; of a schedule when it was made; empty when that is not known."""
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Image to the tasks that run in it. On platforms those of branches that are not taken too."""

    def only(self, images: Collection[str]) -> Use:
        """The same with some of its images."""
        kept = {image: tasks for image, tasks in self.images.items() if image in images}
        return Use(**{**vars(self), "images": kept})


def images_of(spec: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The images of a ``PipelineSpec``, each with the tasks that run in it."""
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    images = {
        label: str(executor["container"]["image"])
        for label, executor in executors.items()
        if "container" in executor
    }
    components = spec.get("components", {})
    tasks: dict[str, set[str]] = {image: set() for image in images.values()}
    for dag in (spec.get("root", {}), *components.values()):
        for name, task in dag.get("dag", {}).get("tasks", {}).items():
            component = components.get(task.get("componentRef", {}).get("name", ""), {})
            image = images.get(component.get("executorLabel", ""))
            if image:
                tasks[image].add(name)
    return {image: tuple(sorted(tasks[image])) for image in sorted(tasks)}


def runs_here(root: Path, since: str) -> Iterator[Use]:
    """The runs of this checkout, those that were started since a moment.

    Args:
        root: the repository.
        since: UTC, ISO 8601.

    Raises:
        StoreError: a record cannot be read.
    """
    for path in sorted((root / RUNS).glob(f"*/*/{FILE}")):
        record = read_record(path)
        if record.started < since:
            continue
        tasks: dict[str, set[str]] = {}
        for task in record.tasks:
            if task.image and task.state not in _DID_NOT_RUN:
                tasks.setdefault(task.image, set()).add(task.name)
        yield Use(
            where="here",
            name=record.run,
            reference=path.parent.relative_to(root).as_posix(),
            pipeline=record.pipeline,
            state=record.state.value,
            started=record.started,
            images={image: tuple(sorted(names)) for image, names in sorted(tasks.items())},
        )


def environment_of(image: str) -> str:
    """The name of an image, which is its environment's where it is one of ours."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def digest_in(image: str) -> str:
    """The digest that an image is named by; empty when it is not."""
    return image.partition("@")[2]


def asked_for(uses: Iterable[Use], what: str, environments: Collection[str]) -> tuple[Use, ...]:
    """The uses that a question is about, each with the images that it is about.

    Args:
        uses: all there are.
        what: a digest or the beginning of one, an environment, ``ENV@DIGEST``, or a run by its
            name or reference; empty: all of them.
        environments: those of the repository.

    Raises:
        UsageError: it is none of these.
    """
    every = tuple(uses)
    if not what:
        return every
    if found := tuple(one for one in every if what in (one.name, one.reference)):
        return found
    name, mark, digest = what.partition("@")
    known = {*environments, *(environment_of(image) for one in every for image in one.images)}
    wanted = _DIGEST.fullmatch(digest if mark else what)
    if what in known:
        name, start = what, ""
    elif wanted and (not mark or name in known):
        name, start = (name if mark else ""), f"sha256:{wanted['hex']}"
    else:
        raise UsageError(
            f"{what!r} is no digest, no environment, and no run that was looked at",
            hint="look further back with --days, or elsewhere with --vertex or --kubeflow",
        )
    matched = (
        one.only(
            {
                image
                for image in one.images
                if name in ("", environment_of(image)) and digest_in(image).startswith(start)
            }
        )
        for one in every
    )
    return tuple(one for one in matched if one.images)


def unpinned(uses: Iterable[Use]) -> tuple[str, ...]:
    """Images that are named by a tag: which digest it was is not known."""
    return tuple(sorted({image for one in uses for image in one.images if not digest_in(image)}))
