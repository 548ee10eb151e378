"""A repository with an index of its own on loopback, locked by the real resolver."""

from __future__ import annotations

import contextlib
import io
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate import cli
from support.package_index import PackageIndex, package_index
from support.repository import Ran, Repository, make_repository
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PYPROJECT = """\
[project]
name = "one"
requires-python = ">=3.11,<3.12"
dependencies = [
    # what the components import
    "alpha<2",  # 2 is too new
]

[tool.poetry]
package-mode = false

[tool.eggcrate]
base = "python-3.11"
"""
ZEROS = 300_000


@dataclass(kw_only=True)
class World:
    """The repository and its index."""

    repository: Repository
    index: PackageIndex
    wheels: Path

    @property
    def one(self) -> Path:
        """The folder of an environment that asks for ``alpha``, and so holds ``beta`` 1.0."""
        return self.repository.root / "environments" / "one"

    def run(self, *arguments: str) -> Ran:
        """Run the command line in this process; it never ends in a traceback."""
        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            for name in [name for name in os.environ if name.startswith(("PIP_", "EGGCRATE_"))]:
                patch.delenv(name)
            for name, value in self.repository.pip.items():
                patch.setenv(name, value)
            patch.setenv("EGGCRATE_CACHE", str(self.repository.cache))
            code = cli.main(["--repo", str(self.repository.root), *arguments])
        ran = Ran(code=code, out=out.getvalue(), err=err.getvalue())
        assert ran.calm, ran.err
        return ran

    def document(self, *arguments: str) -> dict[str, Any]:
        """What ``--json`` prints of a run that must end well."""
        ran = self.run(*arguments, "--json")
        assert ran.code == 0, ran.out + ran.err
        found: dict[str, Any] = json.loads(ran.out)
        return found

    def files(self) -> dict[str, tuple[bytes, int]]:
        """All files of the repository with their bytes and dates."""
        root = self.repository.root
        return {
            str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in sorted(root.rglob("*"))
            if path.is_file() and ".git" not in path.parts and ".eggcrate" not in path.parts
        }


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    """Two environments, two components, and packages of every kind."""
    with package_index() as index:
        repository = make_repository(folder / "repo", folder / "cache")
        repository.pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index.url}
        made = World(repository=repository, index=index, wheels=folder / "wheels")
        for version in ("1.0", "2.0"):
            index.add(make_wheel(made.wheels, "alpha", version, requires=["beta>=1"]))
        index.add(make_wheel(made.wheels, "beta", "1.0"))
        files = {"epsilon/__init__.py": "", "epsilon/data.bin": bytes(ZEROS)}
        index.add(make_wheel(made.wheels, "epsilon", "1.2.3", files))
        made.one.mkdir(parents=True)
        (made.one / "pyproject.toml").write_text(PYPROJECT)
        repository.environment(
            "two", None, settings='base = "python-3.13"', python=">=3.13,<3.14", wanted=["epsilon"]
        )
        ran = made.run("lock")
        assert ran.code == 0, ran.err
        index.add(make_wheel(made.wheels, "beta", "2.0"))
        index.add(make_wheel(made.wheels, "gamma", "0.5"))
        index.add(make_wheel(made.wheels, "gamma", "1.0", requires=["beta<1"]))
        index.add(make_wheel(made.wheels, "delta", "1.0", requires=["beta>=2"]))
        index.add(make_wheel(made.wheels, "modern", "1.0"), requires_python=">=3.13")
        index.add(make_wheel(made.wheels, "native", "1.0", tag="cp311-cp311-win_amd64"))
        _component(repository, "uses_epsilon", ["epsilon>=1"], "two")
        _component(repository, "uses_beta", ["beta<2"], "one")
        yield made


def _component(repository: Repository, name: str, needs: list[str], environment: str) -> None:
    folder = repository.root / "components" / name
    folder.mkdir(parents=True)
    (folder / "component.py").write_text("")
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name.replace("_", "-")}"\nrequires-python = ">=3.11"\n'
        f'dependencies = {json.dumps(needs)}\n[tool.eggcrate]\nenvironment = "{environment}"\n'
    )


def write_code(root: Path, component: str, pipeline: str, tasks: Sequence[str]) -> None:
    """Give both components a function, and write the pipeline ``all`` of ``uses_beta``.

    Args:
        root: of a :func:`world`.
        component: what each component says that it does.
        pipeline: what the pipeline says.
        tasks: what each of its tasks is called with.
    """
    for name in ("uses_epsilon", "uses_beta"):
        (root / "components" / name / "component.py").write_text(
            f"def {name}(a: int = 1) -> str:\n    '''{component}'''\n"
        )
    (root / "pipelines" / "all").mkdir(parents=True)
    calls = "".join(f"    uses_beta({arguments})\n" for arguments in tasks)
    (root / "pipelines" / "all" / "pipeline.py").write_text(
        "from components.uses_beta.component import uses_beta\n"
        f"def all():\n    '''{pipeline}'''\n{calls}"
    )
