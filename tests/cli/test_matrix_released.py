"""Published images in use are columns: a change is proven against what runs today."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from support.planning import package
from support.published import fill_store
from support.rig import BAD, Rig, cross

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.repository import Repository

    Run = Callable[..., tuple[int, str, str]]

TREE = cross("abc", ("one", "two"))


@pytest.fixture
def rig(
    repository: Repository,
    run: Run,
    publish: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Rig:
    """What was published and promoted is not what the tree holds now; all of it was proven."""
    made = Rig.make(repository, run, monkeypatch, tmp_path / "harness")
    publish()
    assert run("promote", "--all")[0] == 0
    made.repository.environment("two", (package("six", "1.17"),))
    fill_store(repository)
    assert made.ran() == TREE
    return made


def test_what_is_stable_is_a_column(rig: Rig) -> None:
    """Beside the tree's own, where it is another image; tests are told the environment's name."""
    rig.runtime.prepared.clear()
    cells = rig.cells("--released")
    assert {cell[1] for cell in cells} == {"one", "two", "two@stable"}
    assert {cells[name, "two@stable"]["outcome"] for name in "abc"} == {"passed"}
    assert set(rig.runtime.ran) == cross("abc", ("two",))
    assert len(rig.runtime.prepared) == 1
    assert cells["a", "two@stable"]["command"].endswith("--environment two --released")
    assert {cell["outcome"] for cell in rig.cells("--released").values()} == {"reused"}


def test_a_published_image_that_is_not_here_is_fetched(rig: Rig) -> None:
    """It was made from another tree, and is run as it is published."""
    shutil.rmtree(rig.repository.root / ".eggcrate")
    shutil.rmtree(rig.repository.cache)
    fill_store(rig.repository)
    cells = rig.cells("--released", "--component", "a", "--environment", "two")
    assert cells["a", "two@stable"]["outcome"] == "passed"
    assert rig.repository.store.has_blob(cells["a", "two@stable"]["image"])


def test_a_change_that_breaks_production_is_told(rig: Rig) -> None:
    """The tree's own image passes, the published one does not: not green."""
    rig.write("components/c/component.py", "X = 2\n")
    results = iter((BAD,))
    stable = rig.cells("--released", "--list")["c", "two@stable"]
    assert stable["outcome"] == "not-selected"
    image = next(
        item.digest
        for ref, item in rig.repository.store.refs().items()
        if ref.startswith("two.key-") and item.digest != rig.repository.store.refs()["two"].digest
    )
    run = rig.runtime.run

    def run_in(asked: object, command: object) -> object:
        return next(results, BAD) if asked.digest == image else run(asked, command)  # type: ignore[attr-defined,arg-type]

    rig.runtime.run = run_in  # type: ignore[method-assign,assignment]
    cells = rig.cells("--released", "--component", "c", code=1)
    assert cells["c", "two"]["outcome"] == "passed"
    assert cells["c", "two@stable"]["outcome"] == "failed"


def test_without_a_registry_nothing_is_released(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nowhere to look, which is told as such."""
    monkeypatch.setenv("EGGCRATE_REGISTRY", "")
    code, _, err = rig.run("matrix", "--released")
    assert code == 2
    assert "there is no registry to find published images in" in err


def test_a_failure_in_a_published_image_is_not_green_without_it(rig: Rig) -> None:
    """What failed in one is asked for again there, and told where it is left out."""
    rig.write("components/a/component.py", "X = 2\n")
    rig.runtime.endings["a", "two"] = BAD
    cells = rig.cells("--released", "--environment", "two", code=1)
    assert cells["a", "two@stable"]["outcome"] == "failed"
    rig.runtime.endings.clear()
    assert set(rig.matrix()) == {*TREE, ("a", "two@stable")}
    code, _, err = rig.run("matrix", "--failed")
    assert code == 1
    assert "a in two@stable failed the last time" in err
    assert "add --released" in err
    assert rig.cells("--failed", "--released")["a", "two@stable"]["outcome"] == "passed"
    assert rig.run("matrix", "--failed")[0] == 0
