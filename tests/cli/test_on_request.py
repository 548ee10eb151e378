"""Environments that are built and proven only when they are named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from support.planning import commit, git, package

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.repository import Repository

    Call = Callable[..., tuple[int, str, str]]

SETTINGS = 'base = "python-3.11"\non-request = "too large to build for every change"'
LEFT_OUT = "left out, built on request only: cuda"


@pytest.fixture
def call(call: Call, repository: Repository) -> Call:
    """The command line in this process, in a repository with an environment on request."""
    repository.environment("cuda", (package("pandas", "2.2"), package("six")), settings=SETTINGS)
    for name, default in (("load", ""), ("train", "cuda")):
        folder = repository.root / "components" / name
        folder.mkdir()
        (folder / "component.py").write_text(f"def {name}() -> int:\n    return 1\n")
        needs = ["six"] if name == "load" else ["six", "pandas>=2"]
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\ndependencies = {json.dumps(needs)}\n'
            f'[tool.eggcrate]\nenvironment = "{default}"\n'
        )
    commit(repository.root, "one on request")
    return call


def names(out: str) -> list[str]:
    document: dict[str, Any] = json.loads(out)
    return [item["name"] for item in document["environments"]]


@pytest.mark.parametrize(
    "asked", [("plan",), ("build", "--all", "--dry-run"), ("build", "--changed", "--dry-run")]
)
def test_it_is_left_out_of_everything_and_said_so(call: Call, asked: tuple[str, ...]) -> None:
    """In one line, on standard error: the document stays whole."""
    code, out, err = call(*asked, "--json")
    assert (code, names(out)) == (0, ["one", "two"])
    assert err.count(LEFT_OUT) == 1


@pytest.mark.parametrize("asked", [("plan", "cuda"), ("build", "cuda", "--dry-run")])
def test_its_name_is_the_request(call: Call, asked: tuple[str, ...]) -> None:
    """Named, it is planned and built as any other."""
    code, out, err = call(*asked, "--json")
    assert (code, names(out)) == (0, ["cuda"])
    assert LEFT_OUT not in err


def test_the_matrix_leaves_it_out_until_it_is_named(call: Call) -> None:
    """A component that has its home there is not without one."""
    code, out, err = call("matrix", "--list", "--json")
    assert code == 0, err
    assert err.count(LEFT_OUT) == 1
    assert {cell["environment"] for cell in json.loads(out)["cells"]} == {"one", "two"}
    code, out, err = call("matrix", "--list", "--json", "--environment", "cuda")
    assert code == 0, err
    cells = [(cell["component"], cell["environment"]) for cell in json.loads(out)["cells"]]
    assert cells == [("load", "cuda"), ("train", "cuda")]


def test_a_change_of_it_is_told(repository: Repository, call: Call) -> None:
    """Its packages are compared as those of all; cells that nothing proves are not lost."""
    git(repository.root, "checkout", "-qb", "change")
    repository.environment("cuda", (package("pandas", "2.3"), package("six")), settings=SETTINGS)
    code, out, err = call("impact", "--offline", "--json", "--base", "main")
    assert code == 0, err
    document = json.loads(out)
    [changed] = document["environments"]
    assert (changed["name"], changed["fate"]) == ("cuda", "changed")
    assert [one["package"] for one in changed["difference"]["changes"]] == ["pandas"]
    assert document["components"] == []


def test_a_reason_is_due(repository: Repository, call: Call) -> None:
    """Whoever finds it left out can read why."""
    settings = SETTINGS.replace("too large to build for every change", " ")
    repository.environment("cuda", (package("six"),), settings=settings)
    code, out, _ = call("plan", "cuda")
    assert code == 1
    assert "tool.eggcrate.on-request must say why" in out
