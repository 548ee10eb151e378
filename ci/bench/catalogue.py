"""The environments of this repository: sizes, shared layers, builds, pulls, imports, one basket.

Seconds are of one run. Cold: every unit is made anew, from wheels and Debian packages that are
downloaded already, on a base that is built. Warm: all units are there, the store is empty.
"""

from __future__ import annotations

import collections
import contextlib
import os
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

from bench import basket
from bench.docker_host import DockerHost
from bench.document import ROOT, human_ratio, human_seconds, machine, markdown_table, write_section
from bench.drawing import Bar, bars
from bench.environment_image import Bench, Measured
from bench.servers import Registry, docker_daemon
from eggcrate.cli.build import workshop
from eggcrate.cli.context import Context
from eggcrate.files import atomic_write
from eggcrate.packages.relock import locker
from eggcrate.progress import human_size
from eggcrate.repo.environments import read_environment
from eggcrate.runtimes.choose import choose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.progress import Console

NAME = "catalogue"
PAGE = ROOT / "docs" / "catalogue-numbers.md"
PLOT = ROOT / "docs" / "catalogue-numbers.svg"
PYTHON = ">=3.13,<3.14"
"""Of the basket."""
SMALLER, SHARED = 5.0, 2.0
"""Aims: how many median environments a basket weighs, what sharing layers divides bytes by."""
TIMES = {
    "cold": "cold build",
    "warm": "warm build",
    "pulled": "pull",
    "imported": "first import",
}


def run(console: Console, scratch: Path, *, write: bool) -> None:
    """Build, pull, import, print; with ``write`` keep table and plot in docs/."""
    context = Context.open(ROOT, os.environ, console)
    context.settings = replace(context.settings, store=scratch / "store")
    shop = workshop(context, locked=False)
    chosen = [one for one in context.monorepo.environments.values() if not one.on_request]
    with contextlib.ExitStack() as stack:
        place = Bench(
            shop=shop,
            runtime=choose("sandbox", store=shop.store, cache=shop.cache, progress=console),
            registry=stack.enter_context(Registry(scratch / "registry")),
            puller=DockerHost.at(stack.enter_context(docker_daemon(scratch / "puller"))),
            scratch=scratch,
        )
        measured = []
        for one in chosen:
            console.info(f"catalogue: {one.name}")
            measured.append(place.measure(one))
        console.info("catalogue: the one basket")
        folder = scratch / basket.NAME
        with locker(context.pip, cache=shop.cache, progress=console) as lock:
            found = basket.make(chosen, PYTHON, folder, lock)
        whole = place.measure(read_environment(folder))
    text = page(measured, whole, found)
    print(text, flush=True)
    if write:
        atomic_write(PLOT, plot(measured, whole))
        write_section(PAGE, NAME, text)


def holders(measured: Iterable[Measured]) -> collections.Counter[str]:
    """How many images hold each layer."""
    return collections.Counter(digest for one in measured for digest in one.layers)


def page(measured: Sequence[Measured], whole: Measured, found: basket.Basket) -> str:
    """The section of docs/catalogue-numbers.md."""
    held = holders(measured)
    middle = statistics.median(one.size for one in measured)
    apart = sum(one.size for one in measured)
    together = sum({key: size for one in measured for key, size in one.layers.items()}.values())
    header = (
        "environment",
        "compressed",
        "unpacked",
        "packages",
        "layers",
        "shared",
        "shared bytes",
        *TIMES.values(),
    )
    aims = [
        _aim(
            "the median environment, beside the one basket",
            f"{human_size(int(middle))} of {human_size(whole.size)}",
            whole.size / middle,
            SMALLER,
        ),
        _aim(
            "registry bytes of all environments, layers shared",
            f"{human_size(together)} of {human_size(apart)}",
            apart / together,
            SHARED,
        ),
    ]
    basketed = ", ".join(f"`{name}`" for name in found.held)
    dropped = "; ".join(f"`{name}`: {why}" for name, why in sorted(found.dropped.items()))
    return "\n\n".join(
        [
            f"On {machine()}, one run of each.",
            markdown_table(header, [_row(one, held) for one in (*measured, whole)]),
            markdown_table(("", "measured", "times less", "aim"), aims),
            markdown_table(
                ("", "median environment", "one basket", "times less"),
                [_compared(name, measured, whole) for name in TIMES],
            ),
            f"The basket holds {basketed}. Left out: {dropped or 'nothing'}.",
        ]
    )


def _row(one: Measured, held: Mapping[str, int]) -> tuple[str, ...]:
    shared = [size for digest, size in one.layers.items() if held[digest] > 1]
    return (
        f"`{one.name}`",
        human_size(one.size),
        human_size(one.unpacked),
        str(one.packages),
        str(len(one.layers)),
        str(len(shared)),
        human_size(sum(shared)),
        *(human_seconds(getattr(one, name)) for name in TIMES),
    )


def _compared(name: str, measured: Iterable[Measured], whole: Measured) -> tuple[str, ...]:
    middle, other = statistics.median(getattr(one, name) for one in measured), getattr(whole, name)
    return TIMES[name], human_seconds(middle), human_seconds(other), human_ratio(other, middle)


def _aim(what: str, told: str, ratio: float, least: float) -> tuple[str, ...]:
    judged = "met" if ratio >= least else "missed"
    return (what, told, human_ratio(ratio, 1), f"{human_ratio(least, 1)}: {judged}")


def plot(measured: Sequence[Measured], whole: Measured) -> str:
    """Each image as a bar: bytes that another environment holds too, and its own."""
    held = holders(measured)
    rows = []
    for one in (*sorted(measured, key=lambda each: each.size), whole):
        shared = sum(size for digest, size in one.layers.items() if held[digest] > 1)
        own = one.size - shared
        rows.append(Bar(name=one.name, shared=shared, own=own, told=human_size(one.size)))
    legend = ("layers another one has too", "layers of its own")
    return bars("Compressed size of each environment's image", legend, rows)
