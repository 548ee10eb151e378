"""A server that an example talks to: started beside the compiled component, on loopback.

What speaks to a cloud service can be run as compiled without that service: a small fake of it, a
file among the component's tests, is served in the same container for as long as the command runs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from eggcrate.pipelines.bundle import PYTHON
from eggcrate.runtimes.protocol import Mount

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.runtimes.protocol import Command

SERVED = "/eggcrate/served"
"""Where the tests folder with the fake is seen."""
_SERVE = """
import os, runpy, subprocess, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
serving = runpy.run_path(sys.argv[1])["serving"]
with serving() as variables:
    code = subprocess.run(sys.argv[2:], env={**os.environ, **variables}).returncode
sys.exit(code if code >= 0 else 128 - code)
"""


def served(command: Command, tests: Path, name: str) -> Command:
    """The command, run while ``serving()`` of a file is entered.

    Args:
        command: what is run.
        tests: the folder with the file; other modules in it can be imported.
        name: the file's name. Its ``serving()`` is a context manager that gives the variables by
            which a client finds the server.
    """
    return replace(
        command,
        argv=(PYTHON, "-c", _SERVE, f"{SERVED}/{name}", *command.argv),
        mounts=(*command.mounts, Mount(source=tests, target=SERVED)),
    )
