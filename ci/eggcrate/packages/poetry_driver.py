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
from poetry.utils.env import EnvManager, SystemEnv


def main() -> int:
    """Run ``poetry`` with our arguments in the interpreter that runs us."""

    def this_interpreter(*_: Any, **__: Any) -> SystemEnv:
        return SystemEnv(Path(sys.prefix))

    EnvManager.create_venv = this_interpreter  # type: ignore[method-assign]  # the point of it
    return poetry()


if __name__ == "__main__":
    sys.exit(main())
