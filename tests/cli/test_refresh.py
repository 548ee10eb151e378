"""`make refresh`, for a weekly pull request: all environments in one go, and one report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from support.adding import world
from support.planning import commit, git

if TYPE_CHECKING:
    import pytest

MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"


def test_a_refresh_moves_all_pins_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target's own commands: locks move, one report tells it, and a second run does nothing."""
    for name in ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "_BASE_BRANCH"):
        monkeypatch.delenv(name, raising=False)
    [recipe] = re.findall(r"^refresh:.*\n((?:\t.*\n)+)", MAKEFILE.read_text(), re.MULTILINE)
    commands = [line.split()[1:] for line in recipe.replace("$(ARGS)", "").splitlines()]
    assert [command[0] for command in commands] == ["outdated", "lock", "report", "impact"]
    with world(tmp_path) as made:
        root = made.repository.root
        for name in ("uses_epsilon", "uses_beta"):
            (root / "components" / name / "component.py").write_text(f"def {name}(): ...\n")
        (root / ".gitignore").write_text("build\n.eggcrate\n")
        git(root, "init", "-q", "-b", "main")
        assert made.run("report", "--catalogue").code == 0
        commit(root, "start")
        git(root, "checkout", "-qb", "refresh")
        for command in commands:
            ran = made.run(*command)
            assert ran.code == 0, ran.err
        text = (root / "build" / "impact.md").read_text()
        told = json.loads((root / "build" / "impact.json").read_text())
        assert [one["name"] for one in told["environments"]] == ["one"]
        assert "| beta | 1.0 | 2.0 | major |" in text.replace("*", "")
        assert "uses&#95;beta" in text
        assert made.run("report", "--check").code == 0
        before = {path: told for path, told in made.files().items() if "build/" not in path}
        for command in commands[1:3]:
            assert made.run(*command).code == 0
        after = {path: told for path, told in made.files().items() if "build/" not in path}
        assert {path: told[0] for path, told in after.items()} == {
            path: told[0] for path, told in before.items()
        }
