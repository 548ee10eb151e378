"""Measure what bytecode in the layers is worth: a first import in a fresh sandbox.

Usage: bench.py [--write]   (--write puts the figures into docs/measurements.md)

Builds one environment twice, with and without ``.pyc`` layers, in one store, and starts a
Python in a new sandbox for every run. Ratios are what to look at: both come from one run on
one machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "ci"))

from eggcrate.build.engine import build_image  # noqa: E402 - needs the path above
from eggcrate.build.resolve import resolve  # noqa: E402
from eggcrate.cli.build import workshop  # noqa: E402
from eggcrate.cli.context import Context  # noqa: E402
from eggcrate.packages.target import Platform  # noqa: E402
from eggcrate.progress import Console, human_size  # noqa: E402
from eggcrate.registry import oci  # noqa: E402
from eggcrate.report.table import table  # noqa: E402
from eggcrate.runtimes.choose import choose  # noqa: E402
from eggcrate.runtimes.protocol import Command, Limits, UnpackedImage  # noqa: E402

RUNS = 7
ENVIRONMENT = "sklearn-1-5"
PROGRAMS = {
    "start Python": "pass",
    "import pandas": "import pandas",
    "import sklearn, pandas": "import sklearn, pandas",
    "import sklearn.ensemble, pandas": "import sklearn.ensemble, pandas",
}
LIMITS = Limits(memory=2 << 30, seconds=120)
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def main() -> int:
    """Build, measure, print; with ``--write`` keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="update docs/measurements.md")
    arguments = parser.parse_args()
    context = Context.open(ROOT, os.environ, Console())
    shop = workshop(context, locked=False)
    runtime = choose(
        "sandbox", store=context.store, cache=context.settings.cache, progress=context.progress
    )
    environment = context.monorepo.environments[ENVIRONMENT]
    images: dict[bool, UnpackedImage] = {}
    sizes: dict[bool, int] = {}
    for compiled in (True, False):
        chosen = replace(environment, compile=compiled)
        digest, _ = build_image(
            resolve(chosen, context.monorepo.bases, Platform.of_this_machine()), shop
        )
        manifest = oci.parse(context.store.read_blob(digest))
        sizes[compiled] = sum(layer.size for layer in manifest.layers)  # type: ignore[union-attr]
        images[compiled] = runtime.prepare(digest)
    medians = {compiled: dict.fromkeys(PROGRAMS, 0.0) for compiled in images}
    for name, program in PROGRAMS.items():
        command = Command(
            argv=("/opt/env/bin/python", "-c", program),
            limits=LIMITS,
            env={"PYTHONDONTWRITEBYTECODE": "1"},
        )
        seconds: dict[bool, list[float]] = {compiled: [] for compiled in images}
        for number in range(-1, RUNS):  # the first pair only warms up
            for compiled, image in images.items():  # in turn, so that both see the same machine
                result = runtime.run(image, command)
                if result.exit_code != 0:
                    raise SystemExit(result.output or result.reason)
                if number >= 0:
                    seconds[compiled].append(result.seconds)
        for compiled, taken in seconds.items():
            medians[compiled][name] = statistics.median(taken)
    rows = [
        (
            name,
            f"{medians[True][name]:.2f} s",
            f"{medians[False][name]:.2f} s",
            f"{medians[False][name] / medians[True][name]:.1f} x",
        )
        for name in PROGRAMS
    ]
    size = f"{human_size(sizes[True])} with, {human_size(sizes[False])} without"
    print(table((f"in a fresh sandbox ({ENVIRONMENT})", "with .pyc", "without", "ratio"), rows))
    print(f"image, compressed: {size}")
    if arguments.write:
        keep(rows, size)
    return 0


def keep(rows: list[tuple[str, ...]], size: str) -> None:
    """Replace the figures in docs/measurements.md."""
    path = ROOT / "docs" / "measurements.md"
    before, _, rest = path.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    lines = ["| in a fresh sandbox | with `.pyc` | without | ratio |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    text = "\n".join([*lines, "", f"Image, compressed: {size}."])
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    raise SystemExit(main())
