"""The command line: parse, construct, call, print. No logic of its own."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate import __version__
from eggcrate.cli import build, doctor, lock, matrix
from eggcrate.cli.context import Context
from eggcrate.errors import (
    EXIT_DEFECT,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    EggcrateError,
)
from eggcrate.progress import Console

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERBS = (lock, build, matrix, doctor)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="eggcrate",
        description="Lean container environments for ML pipelines, and the proof that every "
        "component works in each of them.",
        epilog="exit codes: 0 done, 1 expected failure, 2 usage, 3 defect in Eggcrate, "
        "130 interrupted",
    )
    top.add_argument("--version", action="version", version=f"eggcrate {__version__}")
    top.add_argument(
        "--repo", type=Path, default=None, metavar="DIR", help="the repository (default: here)"
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in _VERBS:
        verb.add(verbs)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and tell its exit code."""
    console = Console()
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    try:
        context = Context.open(arguments.repo or Path.cwd(), os.environ, console)
        return int(arguments.run(arguments, context))
    except EggcrateError as error:
        console.info(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        console.info("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - at exit
        return EXIT_INTERRUPTED
    except Exception:
        console.info(
            f"{traceback.format_exc()}\n"
            "this is a defect in Eggcrate: please report the lines above with\n"
            f"eggcrate {__version__}, Python {platform.python_version()}, {platform.platform()}"
        )
        return EXIT_DEFECT
