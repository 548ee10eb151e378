"""Small repositories whose components are compiled, and run for real."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.errors import EggcrateError
from eggcrate.pipelines.compile import Compiled, compile_components
from eggcrate.pipelines.launch import GivenArtifact, executor_input, resolved
from eggcrate.pipelines.outputs import Outputs, read_outputs
from eggcrate.repo.monorepo import read_monorepo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PYPROJECT = '[project]\nname = "it"\nrequires-python = ">=3.11"\n[tool.eggcrate]\n'


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a compiled component ended, run by a Python that has the standard library alone."""

    code: int
    output: str
    folder: Path
    compiled: Compiled

    def outputs(self) -> Outputs:
        return read_outputs(self.compiled.definition, self.folder, str(self.folder))


@dataclass(frozen=True, kw_only=True)
class Repo:
    """A repository with components."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> Repo:
        found = cls(root=root)
        found.write({"components/__init__.py": "", "environments/.keep": ""})
        return found

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")

    def component(self, name: str, files: Mapping[str, str], settings: str = "") -> None:
        self.write(
            {f"components/{name}/pyproject.toml": PYPROJECT + settings}
            | {f"components/{name}/{path}": text for path, text in files.items()}
        )

    def compile(self, name: str) -> Compiled | EggcrateError:
        component = read_monorepo(self.root).components[name]
        return compile_components([component], self.root)[name]

    def compiled(self, name: str) -> Compiled:
        found = self.compile(name)
        assert isinstance(found, Compiled), found
        return found

    def refused(self, name: str) -> str:
        found = self.compile(name)
        assert isinstance(found, EggcrateError), found
        return str(found)

    def run(
        self,
        name: str,
        *,
        artifacts: Mapping[str, GivenArtifact] | None = None,
        env: Mapping[str, str] | None = None,
        **parameters: Any,
    ) -> Ran:
        compiled = self.compiled(name)
        folder = self.root.parent / "outputs"
        folder.mkdir(exist_ok=True)
        given = executor_input(
            compiled.definition,
            parameters=parameters,
            artifacts=artifacts or {},
            folder=str(folder),
        )
        program = compiled.bundle.command[1:]
        done = subprocess.run(
            [sys.executable, "-S", *program, *resolved(compiled.arguments, given)],
            cwd=self.root.parent,
            env={"PATH": os.environ["PATH"], **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Ran(code=done.returncode, output=done.stdout, folder=folder, compiled=compiled)
