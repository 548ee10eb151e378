"""Poetry's command line, run in a process of its own, without making an environment.

``poetry lock`` resolves for every Python that ``requires-python`` allows, and needs none of
them; yet it first looks for an interpreter that fits, and gives up when the machine has none.
A lock for Python 3.13 must not need Python 3.13.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from poetry.console.application import main as poetry
from poetry.core.pyproject.toml import PyProjectTOML
from poetry.packages.locker import Locker
from poetry.utils.env import EnvManager, SystemEnv


def main() -> int:
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
    sys.exit(main())
