"""``python -m bench``: run the parts that are named, or all of them."""

from __future__ import annotations

import argparse
import importlib
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from eggcrate.errors import EXIT_INTERRUPTED, EXIT_OK, EggcrateError
from eggcrate.progress import Console

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = ("imports", "install", "builds", "scale", "catalogue", "audit")


class Part(Protocol):
    """A module of this package that measures one thing."""

    NAME: str

    def run(self, console: Console, scratch: Path, *, write: bool) -> None:
        """Measure and print; with ``write`` put the figures into the documentation.

        Args:
            console: where progress goes; results go to standard output.
            scratch: an empty folder that is removed afterwards.
            write: whether to keep the figures.
        """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts one after another, each in a scratch folder of its own."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure, and print the figures.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; default all")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/")
    chosen = parser.parse_args(arguments)
    if unknown := [name for name in chosen.parts if name not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    console = Console()
    # What was started is stopped in order, however the bench is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for name in chosen.parts or PARTS:
            console.info(f"bench: {name}")
            part = cast("Part", importlib.import_module(f"bench.{name}"))
            with tempfile.TemporaryDirectory(
                prefix="eggcrate-bench-", ignore_cleanup_errors=True
            ) as scratch:
                part.run(console, Path(scratch), write=chosen.write)
    except EggcrateError as error:
        console.info(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_OK


if __name__ == "__main__":
    raise SystemExit(main())
