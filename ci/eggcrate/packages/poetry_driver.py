"""Poetry's command line, many times, without making an environment; by :mod:`poetry_process`.

``poetry lock`` resolves for every Python that ``requires-python`` allows, and needs none of
them; yet it first looks for an interpreter that fits, and gives up when the machine has none.
A lock for Python 3.13 must not need Python 3.13.

Importing Poetry takes longer than most resolutions, and so it is done once: each run is a fork
of the process that has done it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from poetry.console.application import main as poetry
from poetry.core.packages.dependency import Dependency
from poetry.core.pyproject.toml import PyProjectTOML
from poetry.packages.locker import Locker
from poetry.utils.env import EnvManager, SystemEnv

_USED = (
    "poetry.console.commands.lock",
    "poetry.console.commands.update",
    "poetry.installation.installer",
    "poetry.plugins.plugin_manager",
    "poetry.repositories.http_repository",
    "poetry_plugin_pypi_mirror.plugins",
)
"""What every run imports beside what is imported above."""


def main() -> None:
    """Answer requests, one a line, until there are no more.

    A request has the run's ``folder`` and ``arguments``, and the files that its ``stdout`` and
    ``stderr`` go to; the answer is its exit code, negative when a signal ended it.
    """
    for name in _USED:
        importlib.import_module(name)
    Dependency.create_from_pep_508("a>=1; os_name == 'posix'")  # which reads the grammars
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(request)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(request: dict[str, Any]) -> None:
    """Be the run; never returns."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        os.chdir(request["folder"])
        sys.argv[1:] = request["arguments"]
        code = _poetry()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:  # as an interpreter would end
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _poetry() -> int:
    """Run ``poetry`` with our arguments in the interpreter that runs us.

    ``content-hash`` is a command of ours: it prints what Poetry would write into the lock of the
    project in this folder.
    """
    if sys.argv[1:] == ["content-hash"]:
        here = Path.cwd()
        locker = Locker(here / "poetry.lock", PyProjectTOML(here / "pyproject.toml").data)
        print(locker._get_content_hash())  # noqa: SLF001 - Poetry tells it in no other way
        return 0

    def this_interpreter(*_: Any, **__: Any) -> SystemEnv:
        return SystemEnv(Path(sys.prefix))

    EnvManager.create_venv = this_interpreter  # type: ignore[method-assign]  # the point of it
    return poetry()


if __name__ == "__main__":
    main()
