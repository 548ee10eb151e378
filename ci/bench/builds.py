"""Making, publishing and pulling images: Docker with Poetry, Docker with uv, and Eggcrate.

One run, one machine, one registry, the same wheels from one server on loopback. Each step is the
command that a person would type, by the clock on the wall.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.contenders import DOCKERFILES, Docker, Eggcrate, poetry_projects, uv_projects
from bench.docker_base import debian_with_python, make_bases
from bench.docker_host import DockerHost
from bench.document import BENCHMARKS, human_seconds, machine, write_section
from bench.figures import (
    EGGCRATE,
    POETRY,
    UV,
    Figure,
    Figures,
    Step,
    aims_table,
    bytes_table,
    seconds_table,
)
from bench.inputs import POETRY as POETRY_PIN
from bench.inputs import UV as UV_PIN
from bench.inputs import prepare
from bench.servers import Registry, docker_daemon, file_server
from eggcrate.files import remove_tree
from eggcrate.progress import human_size
from eggcrate.repo.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.contenders import Contender
    from bench.inputs import Inputs, Variant
    from eggcrate.progress import Console

NAME = "builds"
PROGRAM = "import sklearn, pandas"
_RUNS = 3
_ENOUGH = 15.0
"""Seconds after which a step is not repeated: what takes long is steady enough."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What all contenders share."""

    console: Console
    scratch: Path
    inputs: Inputs
    server: str
    registry: Registry
    builder: DockerHost
    puller: DockerHost

    @property
    def index(self) -> str:
        """URL of the simple index."""
        return f"{self.server}/simple"


def run(console: Console, scratch: Path, *, write: bool) -> None:
    """Measure every step of every contender, for a small and for a large environment."""
    start = time.monotonic()
    cache = read_settings(BENCHMARKS.parent.parent, os.environ).cache
    inputs = prepare(scratch, console)
    archive = debian_with_python(scratch, cache, console)
    measured: dict[str, Figures] = {}
    with ExitStack() as stack:
        place = Place(
            console=console,
            scratch=scratch,
            inputs=inputs,
            server=stack.enter_context(file_server(inputs.files)),
            registry=stack.enter_context(Registry(scratch / "registry")),
            builder=DockerHost.at(stack.enter_context(docker_daemon(scratch / "builder"))),
            puller=DockerHost.at(stack.enter_context(docker_daemon(scratch / "puller"))),
        )
        make_bases(place.builder, archive, DOCKERFILES, place.index)
        console.info(f"set-up: {human_seconds(time.monotonic() - start)}")
        for variant in inputs.variants:
            figures: Figures = {}
            for name, contender in _contenders(place, variant).items():
                measure(name, contender, place, figures)
                place.builder.forget()
            measured[variant.name] = figures
        versions = (
            f"Docker Engine {place.builder.version()}, CNCF Distribution {place.registry.version()}"
        )
    text = page(inputs, measured, versions)
    console.info(f"builds: {human_seconds(time.monotonic() - start)} in all")
    print(text, flush=True)
    if write:
        write_section(BENCHMARKS, NAME, text)


def measure(name: str, contender: Contender, place: Place, figures: Figures) -> None:
    """All steps of one contender, in the order of an environment's life."""

    def step(
        step: Step, before: Callable[[int], None], *, new_machine: bool = False, runs: int = _RUNS
    ) -> None:
        figures[step, name] = figure = _repeated(
            before, lambda: contender.publish(new_machine=new_machine), place.registry, runs
        )
        told = ", ".join(map(human_seconds, figure.runs))
        place.console.info(f"  {step.value}: {told}; {human_size(figure.pushed)} pushed")

    def empty(_: int) -> None:
        place.registry.wipe()
        contender.forget()
        contender.write(0)

    def patched(_: int) -> None:
        contender.patch()

    def another(number: int) -> None:
        contender.forget()
        contender.write(number)
        contender.patch()

    place.console.info(f"{name}:")
    step(Step.COLD, empty)
    step(Step.NOTHING, lambda _: None)
    step(Step.ADDED, lambda number: contender.write(number + 1))
    last = len(figures[Step.ADDED, name].runs)
    step(Step.PATCHED, patched, runs=1)
    step(Step.NEW_NOTHING, lambda _: another(last), new_machine=True)
    step(Step.NEW_ADDED, lambda _: another(last + 1), new_machine=True, runs=1)
    figures[Step.PULLED, name] = pulled = _pulled(contender.image(), place.puller)
    place.console.info(f"  pull + first import: {', '.join(map(human_seconds, pulled.runs))}")


def _repeated(
    before: Callable[[int], None], action: Callable[[], None], registry: Registry, runs: int
) -> Figure:
    taken: list[float] = []
    pushed = 0
    while len(taken) < runs and sum(taken) < _ENOUGH:
        before(len(taken))
        held = registry.stored()
        taken.append(_timed(action))
        pushed = pushed or registry.stored() - held
    return Figure(runs=tuple(taken), pushed=pushed)


def _pulled(image: str, puller: DockerHost) -> Figure:
    def first_import() -> None:
        puller.docker("pull", "--quiet", image)
        puller.docker("run", "--rm", "--network", "none", image, "python", "-c", PROGRAM)

    taken: list[float] = []
    while len(taken) < _RUNS and sum(taken) < _ENOUGH:
        puller.forget_all()
        taken.append(_timed(first_import))
    puller.forget_all()
    return Figure(runs=tuple(taken))


def _timed(action: Callable[[], None]) -> float:
    os.sync()  # nobody pays for what another step left to be written
    start = time.monotonic()
    action()
    return time.monotonic() - start


def _contenders(place: Place, variant: Variant) -> dict[str, Contender]:
    host, index, registry = place.builder, place.index, place.registry.address
    folder = place.scratch / "contexts" / variant.name
    remove_tree(folder)
    docker = {
        POETRY: ("poetry", poetry_projects(variant, folder / "poetry")),
        UV: ("uv", uv_projects(variant, folder / "uv", host, index)),
    }
    contenders: dict[str, Contender] = {
        name: Docker(
            tool=tool, host=host, variant=variant, projects=projects, index=index, registry=registry
        )
        for name, (tool, projects) in docker.items()
    }
    contenders[EGGCRATE] = Eggcrate(
        inputs=place.inputs,
        variant=variant,
        scratch=place.scratch / "eggcrate",
        server=place.server,
        registry=registry,
    )
    return contenders


def page(inputs: Inputs, measured: dict[str, Figures], versions: str) -> str:
    """The section of docs/benchmarks.md."""
    poetry, uv = (pin.replace("==", " ") for pin in (POETRY_PIN, UV_PIN))
    parts = []
    for variant in inputs.variants:
        held = f"{len(variant.pins)} packages, {human_size(variant.wheels)} of wheels"
        unpacked = f"{human_size(variant.unpacked)} unpacked"
        figures = measured[variant.name]
        parts += [
            f"### The {variant.name} environment: {held}, {unpacked}",
            seconds_table(figures),
            bytes_table(figures),
        ]
    about = (
        f"On {machine()}; {versions}, {poetry.capitalize()}, {uv}. Medians of up to {_RUNS} "
        f"runs; a step is not repeated once it took {_ENOUGH:g} s."
    )
    return "\n\n".join([about, *parts, "### Aims", aims_table(measured)])
