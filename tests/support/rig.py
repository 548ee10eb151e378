"""The matrix as a command with a runtime that runs nothing, over images that hold nothing."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eggcrate.matrix import proving, workbench
from eggcrate.matrix.harness.mounted.run_cell import FINISHED
from eggcrate.runtimes import choose
from eggcrate.runtimes.protocol import Command, Ending, Result, UnpackedImage
from support.published import fill_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest

    from support.repository import Repository

    Run = Callable[..., tuple[int, str, str]]

PASSED = f"1 passed\n\n{FINISHED}\n"
GOOD = Result(ending=Ending.EXITED, exit_code=0, seconds=1.5, memory_peak=5, output=PASSED)
BAD = Result(ending=Ending.EXITED, exit_code=1, seconds=2.0, memory_peak=9, output="1 failed\n")
Name = tuple[str, str]
"""Component and environment."""


class FakeRuntime:
    """Tells of each program that it went as it is told to; remembers what it was asked."""

    name = "fake"

    def __init__(self) -> None:
        self.endings: dict[Name, Result | Callable[[Command], Result]] = {}
        self.ran: list[Name] = []
        self.prepared: set[str] = set()
        self.closed = threading.Event()

    def prepare(self, digest: str) -> UnpackedImage:
        """Any image is ready."""
        self.prepared.add(digest)
        return UnpackedImage(name=digest, digest=digest, platform="linux/amd64", env={})

    def run(self, image: UnpackedImage, command: Command) -> Result:
        """End as told."""
        assert image.digest
        name = (command.argv[2].split("/")[-2], command.env["EGGCRATE_ENVIRONMENT"])
        self.ran.append(name)
        found = self.endings.get(name, GOOD)
        return found(command) if callable(found) else found

    def attend(self, image: UnpackedImage, command: Command) -> Result:
        """Nobody is there."""
        return self.run(image, command)

    def close(self) -> None:
        """Nothing runs."""
        self.closed.set()


@dataclass(kw_only=True)
class Rig:
    """A repository whose matrix runs in no time."""

    repository: Repository
    run: Run
    runtime: FakeRuntime = field(default_factory=FakeRuntime)
    err: str = ""
    """Standard error of the last run."""

    @classmethod
    def make(
        cls, repository: Repository, run: Run, monkeypatch: pytest.MonkeyPatch, folder: Path
    ) -> Rig:
        """A rig over a repository that has environments, with three components and two helpers.

        ``a`` imports ``shared.one``, which imports ``shared.deep``; ``b`` imports ``shared.two``.
        """
        rig = cls(repository=repository, run=run)
        folder.mkdir()
        monkeypatch.setattr(workbench, "install_harness", lambda *_, **__: folder)
        monkeypatch.setattr(proving, "harness_version", lambda _: "harness")
        monkeypatch.setattr(choose, "choose", lambda *_, **__: rig.runtime)
        rig.write("components/__init__.py", "")
        rig.write("components/shared/__init__.py", "")
        rig.write("components/shared/deep.py", "DEEP = 1\n")
        rig.write("components/shared/one.py", "from components.shared.deep import DEEP\n")
        rig.write("components/shared/two.py", "TWO = 2\n")
        rig.component("a", "def f():\n    from components.shared import one\n")
        rig.component("b", "from ..shared.two import TWO\n")
        rig.component("c", "X = 1\n")
        fill_store(repository)
        return rig

    def write(self, path: str, text: str) -> None:
        """Write a file of the repository."""
        target = self.repository.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def component(self, name: str, code: str, settings: str = "") -> None:
        """Write a component."""
        self.write(f"components/{name}/__init__.py", "")
        self.write(f"components/{name}/component.py", code)
        self.write(f"components/{name}/tests/test_{name}.py", "def test_it():\n    pass\n")
        project = f'[project]\nname = "{name}"\nrequires-python = ">=3.11"\n'
        self.write(f"components/{name}/pyproject.toml", f"{project}[tool.eggcrate]\n{settings}\n")

    def matrix(self, *arguments: str, code: int = 0) -> dict[Name, str]:
        """Run the matrix; the outcome of each cell, incompatible pairings left out."""
        return {name: cell["outcome"] for name, cell in self.cells(*arguments, code=code).items()}

    def cells(self, *arguments: str, code: int = 0) -> dict[Name, dict[str, Any]]:
        """Run the matrix; each cell of its document, incompatible pairings left out."""
        self.runtime.ran.clear()
        found, out, self.err = self.run("matrix", "--json", *arguments)
        assert found == code, out + self.err
        return {
            (cell["component"], cell["environment"]): cell
            for cell in json.loads(out)["cells"]
            if cell["outcome"] != "incompatible"
        }

    def ran(self, *arguments: str, code: int = 0) -> set[Name]:
        """Run the matrix; the cells that were run, which are those that were not reused."""
        outcomes = self.matrix(*arguments, code=code)
        assert len(self.runtime.ran) == len(set(self.runtime.ran))
        told = {name for name, word in outcomes.items() if word not in ("reused", "not-selected")}
        assert told == set(self.runtime.ran)
        return told


def cross(components: str, environments: Mapping[str, object] | tuple[str, ...]) -> set[Name]:
    """Every pairing."""
    return {(component, name) for component in components for name in environments}
