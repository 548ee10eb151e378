"""What a pass is remembered under: all that was run, and all that judged it."""

from __future__ import annotations

import contextlib
import importlib.util
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.matrix import examples, keys, workbench
from eggcrate.matrix.cells import Cell
from eggcrate.matrix.keys import sources_digest
from eggcrate.matrix.session import Limits
from eggcrate.matrix.snapshot import Snapshot
from eggcrate.repo.closure import closure
from eggcrate.repo.monorepo import read_monorepo
from support.compiled import Repo
from support.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.repository import Repository

    Run = Callable[..., tuple[int, str, str]]

needs_kfp = pytest.mark.skipif(
    not importlib.util.find_spec("kfp"), reason="kfp (the extra `pipelines`) is not installed"
)
UPSTREAM = '[inputs]\ntable = { example = "make/once", output = "table" }\n'


@pytest.fixture
def rig(repository: Repository, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Rig:
    """A matrix with nothing to share its memory with."""
    monkeypatch.setenv("EGGCRATE_REGISTRY", "")
    return Rig.make(repository, run, monkeypatch, tmp_path / "harness")


def test_what_is_edited_before_it_is_copied_is_not_remembered(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with ``--rerun``: what is run is compared with what was there when it was planned."""
    plain = workbench.staged

    @contextlib.contextmanager
    def late(*arguments: object) -> Iterator[Path]:
        rig.write("components/c/component.py", "X = 2\n")
        with plain(*arguments) as folder:  # type: ignore[arg-type] # passed on
            yield folder

    monkeypatch.setattr(workbench, "staged", late)
    rig.matrix("--rerun")
    monkeypatch.setattr(workbench, "staged", plain)
    assert {component for component, _ in rig.ran()} == {"c"}


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A component whose example begins with another's."""
    made = Repo.make(tmp_path / "repo")
    made.component("make", {"component.py": "", "examples/once/example.toml": ""})
    made.component("use", {"component.py": "", "examples/good/example.toml": UPSTREAM})
    return made


def key(repo: Repo, *, memory: int = 1 << 30, seconds: float = 60) -> str:
    """The key of the second one's cell, as a run would make it."""
    everyone = read_monorepo(repo.root).components
    found = {name: closure(one, repo.root) for name, one in everyone.items()}
    matrix: Any = SimpleNamespace(components=everyone, everyone=everyone, closures=found)
    limits = Limits(memory=memory, seconds=seconds, workers=1)
    made = workbench.Keys(matrix=matrix, limits=limits, harness={"one": "harness"})
    cell = Cell(component="use", flavour="", environment="one")
    found_key = made.of(cell, Snapshot(matrix, repo.root), "sha256:1")
    assert found_key == made.of(cell, Snapshot(matrix, repo.root), "sha256:1")
    assert found_key
    return found_key


@needs_kfp
def test_what_upstream_examples_run_with_is_part_of_the_key(repo: Repo) -> None:
    """Their component's flavours, and the limits that the settings give it."""
    path = repo.root / "components/use/pyproject.toml"
    path.write_text(path.read_text() + 'memory = "1GiB"\ntimeout = 60\n')
    before = key(repo)
    assert key(repo, memory=1 << 31) != before
    assert key(repo, seconds=61) != before
    path = repo.root / "components/make/pyproject.toml"
    path.write_text(path.read_text() + 'memory = "1GiB"\ntimeout = 60\n')
    assert key(repo) == key(repo, memory=1 << 31, seconds=61)
    snapshot = key(repo)
    flavours = "[project.optional-dependencies]\nnew = []\n"
    text = path.read_text()
    path.write_text(text.replace("[tool.eggcrate]\n", f"{flavours}[tool.eggcrate]\n"))
    assert key(repo) != snapshot


@needs_kfp
def test_who_judges_is_part_of_the_key(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass under another judge is none: of the tests, of examples, of what they wrote."""
    seen = {key(repo)}
    for module, name in ((keys, "judges_version"), (examples, "examples_version")):
        monkeypatch.setattr(module, name, lambda: "another")
        seen.add(key(repo))
    assert len(seen) == 3
    named = {path.name for path in examples._judges()}
    assert named >= {"expectations.py", "outputs.py", "launch.py", "bundle.py", "worker.py"}
    assert all(path.is_file() for path in examples._judges())


def test_a_modules_text_is_its_identity(tmp_path: Path) -> None:
    """Another text, another identity; the same text the same."""
    path = tmp_path / "judge.py"
    path.write_text("a")
    before = sources_digest([path])
    assert sources_digest([path]) == before
    path.write_text("b")
    assert sources_digest([path]) != before
