"""New environments, components and pipelines in a clone of this repository, proven for real."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.planning import git
from support.repository import HERE, Repository, take_debs

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.sandbox]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A git clone with what stands in the working tree, and a cache of its own."""
    folder = tmp_path_factory.mktemp("clone")
    root = folder / "repo"
    subprocess.run(["git", "clone", "-q", str(HERE), str(root)], check=True)
    for name in ("environments", "components", "pipelines"):
        shutil.rmtree(root / name)
        shutil.copytree(HERE / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    repository = Repository(root=root, cache=folder / "cache")
    take_debs(repository.cache)
    return repository


def told(repository: Repository, *arguments: str) -> str:
    ran = repository.run(*arguments)
    assert ran.code == 0, ran.out + ran.err
    return ran.out


def test_by_command_and_by_copy_everything_works_at_once(clone: Repository) -> None:
    """Locks, is planned as new, stands in the matrix, passes, compiles; git sees folders only."""
    root = clone.root
    told(clone, "new", "environment", "made", "pandas>=3,<4")
    told(clone, "new", "component", "made_step", "--environment", "made", "--input", "share:float")
    told(clone, "new", "pipeline", "made_line", "--description", "A line of steps")
    for kind, name in (("environments", "copied"), ("components", "copied_step")):
        shutil.copytree(root / kind / "_template", root / kind / name)
    shutil.copytree(root / "pipelines" / "_template", root / "pipelines" / "copied_line")
    told(clone, "lock", "copied")
    plan = json.loads(told(clone, "plan", "made", "copied", "--json"))
    assert {one["name"]: (one["verdict"], one["reasons"]) for one in plan["environments"]} == {
        name: ("build", ["new"]) for name in ("made", "copied")
    }
    chosen = (
        *("--component", "made_step", "--component", "copied_step"),
        *("--environment", "made", "--environment", "copied"),
    )
    listed = json.loads(told(clone, "matrix", "--list", "--json", *chosen))
    cells = {(one["component"], one["environment"]) for one in listed["cells"]}
    assert cells == {
        (component, environment)
        for component in ("made_step", "copied_step")
        for environment in ("made", "copied")
    }
    proven = clone.run("matrix", "--runtime", "sandbox", "--json", *chosen)
    assert proven.code == 0, proven.out + proven.err
    assert json.loads(proven.out)["totals"]["passed"] == 4
    _runs_in(root / "pipelines" / "made_line", "made")
    _runs_in(root / "pipelines" / "copied_line", "copied")
    compiled = told(clone, "compile", "made_line", "copied_line", "--local")
    assert "made_line" in compiled
    assert (root / "build" / "pipelines" / "copied_line.yaml").is_file()
    changed = set(git(root, "status", "--short", "--", "environments", "components").splitlines())
    assert {line for line in changed if "made" in line or "copied" in line} == {
        "?? environments/copied/",
        "?? environments/made/",
        "?? components/copied_step/",
        "?? components/made_step/",
    }


def _runs_in(pipeline: Path, environment: str) -> None:
    """Choose an image that is built already."""
    code = (pipeline / "pipeline.py").read_text()
    call = "test_share=test_share)"
    assert call in code
    chosen = code.replace(call, f"test_share=test_share, environment={environment!r})")
    (pipeline / "pipeline.py").write_text(chosen)


def test_the_next_scikit_learn(clone: Repository) -> None:
    """One requirement is another one, one pin moves, and what fits is what fitted."""
    shutil.rmtree(clone.root / "environments" / "sklearn-1-8")
    found = json.loads(
        told(
            clone,
            *("new", "environment", "sklearn-1-8", "--from", "sklearn-1-7", "--json"),
            *("--set", "scikit-learn~=1.8.0"),
        )
    )
    [change] = found["difference"]["changes"]
    assert (change["package"], change["from"][:3], change["step"]) == (
        "scikit-learn",
        "1.7",
        "minor",
    )
    assert found["description"] == "scikit-learn 1.8 with pandas 2"
    flavours = {one["component"]: one["flavours"] for one in found["components"]}
    assert flavours["train_model"] == ["sklearn"]
    old = (clone.root / "environments" / "sklearn-1-7" / "pyproject.toml").read_text()
    new = (clone.root / "environments" / "sklearn-1-8" / "pyproject.toml").read_text()
    assert new == (
        old.replace('"sklearn-1-7"', '"sklearn-1-8"')
        .replace("scikit-learn 1.7", "scikit-learn 1.8")
        .replace("scikit-learn~=1.7.2", "scikit-learn~=1.8.0")
    )
