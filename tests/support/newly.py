"""Where ``eggcrate new`` is tried: templates on an index of its own, and somebody to talk to."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import time
from typing import TYPE_CHECKING

from support.adding import World, world
from support.repository import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEMPLATE = """\
[project]
name = "template"
description = "What this environment is for, in one line"
requires-python = ">=3.13,<3.14"
dependencies = [
    # what your components import
    "epsilon>=1",
]

[tool.poetry]
package-mode = false

[tool.eggcrate]
owner = "your-team"            # who is asked
supported-until = 2028-12-31
"""


@contextlib.contextmanager
def new_world(place: Path) -> Iterator[World]:
    """A repository with a template of each kind."""
    with world(place) as found:
        root = found.repository.root
        folder = root / "environments" / "_template"
        folder.mkdir()
        (folder / "pyproject.toml").write_text(TEMPLATE)
        (folder / "Dockerfile.example").write_text("# a line\n")
        (found.one / "pyproject.toml").write_text(
            (found.one / "pyproject.toml").read_text() + 'owner = "ml-platform"\n'
        )
        for kind in ("components", "pipelines"):
            shutil.copytree(HERE / kind / "_template", root / kind / "_template")
        yield found


def folder(here: World, name: str) -> Path:
    """Where an environment is, or would be."""
    return here.repository.root / "environments" / name


class Conversation:
    """The command line on a terminal of its own."""

    def __init__(self, here: World, *arguments: str, **extra: str) -> None:
        argv = here.repository.argv(*arguments)
        variables = here.repository.variables({"TERM": "dumb", **extra})
        variables.pop("CI", None)
        variables |= extra
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(argv[0], argv, variables)  # noqa: S606 - ours
        self.seen = ""

    def until(self, words: str) -> None:
        """Read until these words were shown."""
        end = time.monotonic() + 60
        while words not in self.seen and self._read():
            assert time.monotonic() < end, self.seen
        assert words in self.seen, self.seen

    def type(self, text: str) -> None:
        """Type, as a person does."""
        os.write(self.terminal, text.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        ready, _, _ = select.select([self.terminal], [], [], 60)
        assert ready, self.seen
        try:
            data = os.read(self.terminal, 65536)
        except OSError:  # the other side is closed
            return False
        self.seen += data.decode(errors="replace").replace("\r", "")
        return bool(data)
