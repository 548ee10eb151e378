"""``eggcrate plan --base``: git only explains, whatever it knows; verdicts are right always."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from support.planning import FINE, NEW, commit, git, package, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.repository import Repository

    Plan = Callable[..., dict[str, dict[str, Any]]]
    Run = Callable[..., tuple[int, str, str]]


def test_uncommitted_edits_count(
    plan: Plan, publish: Callable[[], None], repository: Repository
) -> None:
    """The working tree is what is planned; git tells what was edited since the commit."""
    publish()
    repository.environment("one", (package("pandas", "2.3"), package("six")))
    repository.environment("three", ())
    told = plan("--base", "HEAD")
    assert verdicts(told) == {"one": ("build", ("lock-changed",)), "two": FINE, "three": NEW}
    assert told["git"].keys() == {"one", "three"}
    assert "git: pandas 2.2 -> 2.3" in told["git"]["one"]
    assert told["git"]["three"][1] == "git: there was no lock then"


def test_a_branch_is_compared_from_where_it_began(
    plan: Plan, publish: Callable[[], None], repository: Repository, run: Run
) -> None:
    """What main did meanwhile is not this branch's doing."""
    publish()
    git(repository.root, "checkout", "-qb", "branch")
    repository.environment("one", (package("pandas", "2.3"), package("six")))
    commit(repository.root)
    git(repository.root, "checkout", "-q", "main")
    repository.environment("two", (package("six", "2.0"),))
    commit(repository.root)
    git(repository.root, "checkout", "-q", "branch")
    told = plan("--base", "main")
    assert verdicts(told) == {"one": ("build", ("lock-changed",)), "two": FINE}
    assert told["git"].keys() == {"one"}
    out = run("plan", "--base", "main", "--explain", "one")[1]
    assert "git: pandas 2.2 -> 2.3" in out


def test_a_shallow_clone_plans_the_same(
    plan: Plan, publish: Callable[[], None], repository: Repository, run: Run, tmp_path: Path
) -> None:
    """One commit deep, git knows nothing of the past; the verdicts are right all the same."""
    publish()
    repository.environment("one", (package("pandas", "2.3"), package("six")))
    commit(repository.root)
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository.root}", str(shallow))
    expected = {"one": ("build", ("lock-changed",)), "two": FINE}
    for base in ("HEAD~1", "origin/main", "0" * 40, "--help"):
        assert verdicts(plan(f"--base={base}", root=shallow)) == expected
    told = plan("--base", "HEAD~1", root=shallow)
    assert told["git"] == {
        "git": ["git does not know HEAD~1 here; the plan does not depend on it."]
    }
    out = run("plan", "--base", "HEAD~1", "--explain", "one", root=shallow)[1]
    assert "pandas went from 2.2 to 2.3" in out
    assert "git does not know HEAD~1 here" in out


def test_a_force_push_plans_the_same(
    plan: Plan, publish: Callable[[], None], repository: Repository, tmp_path: Path
) -> None:
    """The base was rewritten: what both share, if anything, is what git compares with."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", f"file://{repository.root}", str(clone))
    publish()
    repository.environment("two", (package("six", "3.0"),))
    git(repository.root, "add", "-A")
    git(repository.root, "commit", "-q", "--amend", "-m", "rewritten")
    git(clone, "fetch", "-q", "--force", "origin")
    told = plan("--base", "origin/main", root=clone)
    assert verdicts(told) == {"one": FINE, "two": FINE}
    assert "no common history" in told["git"]["two"][0]
    assert "git: six 3.0 -> 1.0" in told["git"]["two"]


def test_an_unrelated_history_plans_the_same(
    plan: Plan, publish: Callable[[], None], repository: Repository
) -> None:
    """Nothing is shared with the base: compared with it as it is, and git says so."""
    publish()
    git(repository.root, "checkout", "-q", "--orphan", "fresh")
    repository.environment("one", (package("pandas", "2.3"), package("six")))
    commit(repository.root)
    told = plan("--base", "main")
    assert verdicts(told) == {"one": ("build", ("lock-changed",)), "two": FINE}
    assert "no common history with main" in told["git"]["one"][0]
    assert told["git"].keys() == {"one"}


def test_without_git_the_plan_is_the_same(
    plan: Plan, publish: Callable[[], None], repository: Repository
) -> None:
    """A downloaded archive of the repository."""
    publish()
    shutil.rmtree(repository.root / ".git")
    told = plan("--base", "main")
    assert verdicts(told) == {"one": FINE, "two": FINE}
    assert told["git"].keys() == {"git"}
