"""The command line: parse, construct, call, print. No logic of its own."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import platform
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate import __version__
from eggcrate.cli.context import Context
from eggcrate.errors import (
    EXIT_DEFECT,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    EggcrateError,
    UsageError,
)
from eggcrate.files import disk_error, shortage
from eggcrate.leftovers import CACHE, CHECKOUT, STORE, at_work, sweep
from eggcrate.progress import Console

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_VERBS = {
    "add": "add packages to an environment, and see what that costs and breaks",
    "remove": "remove packages from an environment, and see what that breaks",
    "where": "find the environment that can take a package",
    "new": "make an environment, a component or a pipeline that works at once",
    "outdated": "show which pins have newer versions",
    "lock": "write poetry.lock of environments with Poetry's resolver",
    "bases": "keep bases fresh: lock, rebuild, prove, and rebase every environment",
    "plan": "show which environments must be built, and why",
    "build": "build images into the local store, and publish them",
    "promote": "move the tag stable to the images that the locks name now",
    "sbom": "write the bill of materials of an image (CycloneDX)",
    "verify": "check an image's signature and provenance, and rebuild it to compare",
    "diff": "show what changed in an environment, and what it costs",
    "whohas": "show which environments and images hold a package, and through what",
    "when": "show since which commit environments hold a version",
    "policy": "judge environments by the repository's rules and budgets",
    "audit": "judge images by a database of vulnerabilities",
    "fix": "propose the smallest change of locks that removes vulnerabilities",
    "impact": "tell what a change does: the report for its pull request",
    "matrix": "prove every component in every compatible image",
    "setup-git": "let git merge locks by what they mean",
    "merge-lock": "merge three versions of a lock (git runs it)",
    "follow": "watch a run on Vertex AI or Kubeflow, or cancel it",
    "schedule": "have Vertex AI run a compiled pipeline again and again",
    "lineage": "find the runs and schedules that use an image, and the images of a run",
    "upload": "put a compiled pipeline into a bucket or a registry of pipelines",
    "compile": "compile pipelines into what KFP's backends run",
    "package": "make a wheel of the helper modules that components share",
    "run": "run a pipeline here, on Vertex AI or on Kubeflow",
    "report": "write the catalogue of environments, components and pipelines",
    "registry": "make the repository of images, list it, scan it, clean it up by use",
    "ci-local": "run cloudbuild.yaml on this machine's Docker",
    "doctor": "show settings, their origin, and this machine",
}
"""Each is a module of this room with ``add(verbs)``; only the one asked for is imported."""


def verb_names() -> tuple[str, ...]:
    """All verbs, in the order of the help."""
    return tuple(_VERBS)


def parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line, whole for the verb that ``argv`` asks for."""
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
    verbs = top.add_subparsers(dest="verb", metavar="VERB")
    wanted = next((argument for argument in argv if argument in _VERBS), "")
    for name, told in _VERBS.items():
        if name == wanted:
            importlib.import_module(f"eggcrate.cli.{name.replace('-', '_')}").add(verbs)
        else:
            verbs.add_parser(name, help=told)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and tell its exit code."""
    console = Console()
    try:
        with _terminated_as_interrupted():
            return _run(argv, console)
    except EggcrateError as error:
        console.info(f"error: {error}")
        code = error.exit_code
    except KeyboardInterrupt:
        console.info("interrupted")
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_INTERRUPTED
    except Exception as raised:
        told = shortage(raised) or (disk_error(raised) if isinstance(raised, OSError) else None)
        if told:
            console.info(f"error: {told}")
            return told.exit_code
        console.info(
            f"{traceback.format_exc()}\n"
            "this is a defect in Eggcrate: please report the lines above with\n"
            f"eggcrate {__version__}, Python {platform.python_version()}, {platform.platform()}"
        )
        code = EXIT_DEFECT
    return code


def _run(argv: Sequence[str] | None, console: Console) -> int:
    given = list(sys.argv[1:] if argv is None else argv)
    end = given.index("--") if "--" in given else len(given)
    try:
        arguments = parser(given[:end]).parse_args(given[:end])
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    arguments.rest = tuple(given[end + 1 :])
    if arguments.verb is None:
        parser().print_help(sys.stderr)
        return EXIT_USAGE
    if arguments.rest and not getattr(arguments, "takes_rest", False):
        raise UsageError(f"eggcrate {arguments.verb} takes no arguments after --")
    context = Context.open(arguments.repo or Path.cwd(), os.environ, console)
    ours = {
        context.settings.cache: CACHE,
        context.root / ".eggcrate": CHECKOUT,
        context.settings.store: STORE,
    }
    with contextlib.closing(context), at_work(*ours):
        code = int(arguments.run(arguments, context))
    for folder, places in ours.items():
        sweep(folder, places)
    return code


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Clean up as after Ctrl-C when a CI system ends us: containers would live on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
