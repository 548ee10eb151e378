"""What bytecode in the layers is worth: a first import in a fresh sandbox.

Builds one environment twice, with and without ``.pyc`` layers, in one store, and starts a Python
in a new sandbox for every run, in turn, so that both see the same machine.
"""

from __future__ import annotations

import os
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.document import MEASUREMENTS, ROOT, markdown_table, write_section
from eggcrate.build.layered import build_image
from eggcrate.build.resolve import resolve
from eggcrate.cli.build import workshop
from eggcrate.cli.context import Context
from eggcrate.errors import EggcrateError
from eggcrate.packages.target import Platform
from eggcrate.progress import human_size
from eggcrate.registry import oci
from eggcrate.report.table import table
from eggcrate.runtimes.choose import choose
from eggcrate.runtimes.protocol import Command, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eggcrate.progress import Console
    from eggcrate.runtimes.protocol import Runtime, UnpackedImage

NAME = "imports"
RUNS = 7
ENVIRONMENT = "sklearn-1-5"
PROGRAMS = {
    "start Python": "pass",
    "import pandas": "import pandas",
    "import sklearn, pandas": "import sklearn, pandas",
    "import sklearn.ensemble, pandas": "import sklearn.ensemble, pandas",
}
LIMITS = Limits(memory=2 << 30, seconds=120)


def run(console: Console, scratch: Path, *, write: bool) -> None:
    """Build, measure, print; with ``write`` keep the figures in docs/measurements.md."""
    context = Context.open(ROOT, os.environ, console)
    context.settings = replace(context.settings, store=scratch / "store")
    runtime = choose("sandbox", store=context.store, cache=context.settings.cache, progress=console)
    images: dict[bool, UnpackedImage] = {}
    sizes: dict[bool, int] = {}
    for compiled in (True, False):
        digest, sizes[compiled] = _built(context, compiled=compiled)
        images[compiled] = runtime.prepare(digest)
    rows = []
    for name, program in PROGRAMS.items():
        seconds = _medians(runtime, images, program)
        ratio = seconds[False] / seconds[True]
        rows.append((name, f"{seconds[True]:.2f} s", f"{seconds[False]:.2f} s", f"{ratio:.1f} x"))
    size = f"{human_size(sizes[True])} with, {human_size(sizes[False])} without"
    print(table((f"in a fresh sandbox ({ENVIRONMENT})", "with .pyc", "without", "ratio"), rows))
    print(f"image, compressed: {size}", flush=True)
    if write:
        told = markdown_table(("in a fresh sandbox", "with `.pyc`", "without", "ratio"), rows)
        write_section(MEASUREMENTS, NAME, f"{told}\n\nImage, compressed: {size}.")


def _built(context: Context, *, compiled: bool) -> tuple[str, int]:
    environment = replace(context.monorepo.environments[ENVIRONMENT], compile=compiled)
    resolved = resolve(environment, context.monorepo.bases, Platform.of_this_machine())
    digest, _ = build_image(resolved, workshop(context, locked=False))
    manifest = oci.parse(context.store.read_blob(digest))
    if not isinstance(manifest, oci.Manifest):
        raise EggcrateError(f"{digest} is not an image")
    return digest, sum(layer.size for layer in manifest.layers)


def _medians(
    runtime: Runtime, images: Mapping[bool, UnpackedImage], program: str
) -> dict[bool, float]:
    command = Command(
        argv=("/opt/env/bin/python", "-c", program),
        limits=LIMITS,
        env={"PYTHONDONTWRITEBYTECODE": "1"},
    )
    seconds: dict[bool, list[float]] = {compiled: [] for compiled in images}
    for number in range(-1, RUNS):  # the first pair only warms up
        for compiled, image in images.items():
            result = runtime.run(image, command)
            if result.exit_code != 0:
                raise EggcrateError(f"`{program}` failed", why=result.output or result.reason)
            if number >= 0:
                seconds[compiled].append(result.seconds)
    return {compiled: statistics.median(taken) for compiled, taken in seconds.items()}
