"""The environments of this repository: sizes, shared layers, builds, imports, and the one basket.

Seconds are of one run. Cold: every unit is made anew, from wheels and Debian packages that are
downloaded already, on a base that is built. Warm: all units are there, the store is empty.
"""

from __future__ import annotations

import collections
import os
import statistics
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from bench import basket
from bench.document import ROOT, human_ratio, human_seconds, machine, markdown_table, write_section
from bench.drawing import Bar, bars
from eggcrate.build.bases import build_base
from eggcrate.build.layered import build_image
from eggcrate.build.resolve import resolve
from eggcrate.cli.build import workshop
from eggcrate.cli.context import Context
from eggcrate.errors import EggcrateError
from eggcrate.files import atomic_write
from eggcrate.packages.relock import locker
from eggcrate.packages.target import Platform
from eggcrate.progress import human_size
from eggcrate.registry import oci
from eggcrate.registry.layout import Layout
from eggcrate.repo.environments import read_environment, requirement
from eggcrate.runtimes.choose import choose
from eggcrate.runtimes.protocol import Command, Limits
from eggcrate.runtimes.rootfs import root_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.workshop import Workshop
    from eggcrate.progress import Console
    from eggcrate.repo.values import Environment
    from eggcrate.runtimes.protocol import Runtime

NAME = "catalogue"
PAGE = ROOT / "docs" / "catalogue-numbers.md"
PLOT = ROOT / "docs" / "catalogue-numbers.svg"
PYTHON = ">=3.13,<3.14"
"""Of the basket."""
COLD = ("sklearn-1-9", "xgboost-3", "gcp-data")
"""Those that are built cold: it takes minutes for all of them."""
SMALLER, SHARED = 5.0, 2.0
"""Aims: how many median environments a basket weighs, what sharing layers divides bytes by."""
LIMITS = Limits(memory=4 << 30, seconds=300)
_MODULES = {
    "lightgbm": "lightgbm",
    "py3langid": "py3langid",
    "scikit-learn": "sklearn",
    "tensorflow-cpu": "tensorflow",
    "vadersentiment": "vaderSentiment.vaderSentiment",
    "xgboost-cpu": "xgboost",
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One image."""

    name: str
    layers: Mapping[str, int]
    """Digest to compressed size."""
    unpacked: int
    packages: int
    warm: float
    imported: float
    """Seconds of the first import of its main packages, in a fresh sandbox."""
    cold: float = 0.0
    """0 where it was not measured."""

    @property
    def size(self) -> int:
        """Compressed bytes."""
        return sum(self.layers.values())


def run(console: Console, scratch: Path, *, write: bool) -> None:
    """Build, measure, print; with ``write`` keep table and plot in docs/."""
    context = Context.open(ROOT, os.environ, console)
    context.settings = replace(context.settings, store=scratch / "store")
    shop = workshop(context, locked=False)
    runtime = choose("sandbox", store=shop.store, cache=shop.cache, progress=console)
    chosen = [one for one in context.monorepo.environments.values() if not one.on_request]
    measured = []
    for one in chosen:
        console.info(f"catalogue: {one.name}")
        cold = _cold(one, shop, scratch / f"cold-{one.name}") if one.name in COLD else 0.0
        measured.append(replace(_measured(one, shop, runtime, scratch), cold=cold))
    console.info("catalogue: the one basket")
    folder = scratch / basket.NAME
    with locker(context.pip, cache=shop.cache, progress=console) as lock:
        found = basket.make(chosen, PYTHON, folder, lock)
    whole = _measured(read_environment(folder), shop, runtime, scratch)
    text = page(measured, whole, found)
    print(text, flush=True)
    if write:
        atomic_write(PLOT, plot(measured, whole))
        write_section(PAGE, NAME, text)


def _measured(one: Environment, shop: Workshop, runtime: Runtime, scratch: Path) -> Measured:
    digest, packages = _built(one, shop)
    fresh = replace(shop, store=Layout(scratch / f"warm-{one.name}"), new_bytes={}, built_bases={})
    start = time.monotonic()
    _built(one, fresh)
    warm = time.monotonic() - start
    manifest = oci.parse(shop.store.read_blob(digest))
    if not isinstance(manifest, oci.Manifest):
        raise EggcrateError(f"{digest} is not an image")
    image = runtime.prepare(digest)
    program = "; ".join(f"import {name}" for name in modules(one.dependencies))
    result = runtime.run(image, Command(argv=("/opt/env/bin/python", "-c", program), limits=LIMITS))
    if result.exit_code != 0:
        raise EggcrateError(f"`{program}` failed in {one.name}", why=result.output or result.reason)
    return Measured(
        name=one.name,
        layers={layer.digest: layer.size for layer in manifest.layers},
        unpacked=_bytes_below(root_path(shop.cache, digest)),
        packages=packages,
        warm=warm,
        imported=result.seconds,
    )


def _built(one: Environment, shop: Workshop) -> tuple[str, int]:
    resolved = resolve(one, shop.bases, Platform.of_this_machine())
    digest, recipe = build_image(resolved, shop)
    return digest, len(recipe.distributions)


def _cold(one: Environment, shop: Workshop, folder: Path) -> float:
    cache = folder / "cache"
    cache.mkdir(parents=True)
    for name in ("files", "debs"):
        (cache / name).symlink_to(shop.cache / name, target_is_directory=True)
    fresh = replace(shop, cache=cache, store=Layout(folder / "store"), new_bytes={}, built_bases={})
    resolved = resolve(one, shop.bases, Platform.of_this_machine())
    build_base(resolved.base, fresh)
    shop.fetch(resolved.recipe.distributions)
    start = time.monotonic()
    build_image(resolved, fresh)
    return time.monotonic() - start


def modules(dependencies: Iterable[str]) -> list[str]:
    """What the main packages of an environment are imported as."""
    names = [canonicalize_name(requirement(text).name) for text in dependencies]
    return [
        _MODULES.get(name) or name.replace("google-cloud-", "google.cloud.").replace("-", "_")
        for name in names
    ]


def _bytes_below(folder: Path) -> int:
    found = (os.path.join(path, name) for path, _, names in os.walk(folder) for name in names)  # noqa: PTH118 - a hundred thousand of them
    return sum(os.lstat(path).st_size for path in found)


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
        "cold build",
        "warm build",
        "first import",
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
        human_seconds(one.cold) if one.cold else "-",
        human_seconds(one.warm),
        human_seconds(one.imported),
    )


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
