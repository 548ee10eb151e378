"""Refreshes end in a branch and a pull request, and only when something changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from eggcrate.cloud.build_file import read_build
from support.json_server import JsonHandler, serving
from support.repository import HERE

if TYPE_CHECKING:
    from pathlib import Path

FILES = (HERE / "ci" / "refresh-bases.yaml", HERE / "ci" / "refresh-locks.yaml")
TOKEN = "not-to-be-seen"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_refresh_is_a_build_to_the_official_client(path: Path) -> None:
    """Every field is one of the service's, and nothing but the last step has a secret."""
    client = pytest.importorskip(
        "google.cloud.devtools.cloudbuild_v1", reason="run `make setup-all`"
    )
    official: Any = client.Build.from_json(json.dumps(yaml.safe_load(path.read_text())))
    ours = read_build(path)
    assert [step.id for step in official.steps] == [step.id for step in ours.steps]
    assert official.timeout.total_seconds() == ours.timeout
    assert official.options.logging.name == "CLOUD_LOGGING_ONLY"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_its_steps_run_is_there(path: Path) -> None:
    """Scripts that steps name exist and may be run."""
    scripts = [
        word
        for step in read_build(path).steps
        for word in (step.script or "").split()
        if word.startswith("scripts/")
    ]
    assert scripts
    assert all(os.access(HERE / one, os.X_OK) for one in scripts)


class _GitHub(JsonHandler):
    asked: list[tuple[str, str, dict[str, str]]]
    answers: list[tuple[int, Any]]

    def post(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"], json.loads(self.body())))
        self.answer(*self.answers.pop(0))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of one commit, on no branch, as a build has it; its origin is on "GitHub"."""
    origin = tmp_path / "github.example" / "acme" / "ml.git"
    work = tmp_path / "work"
    _git(tmp_path, "init", "-q", "--bare", "-b", "main", str(origin))
    _git(tmp_path, "clone", "-q", str(origin), str(work))
    (work / "scripts").mkdir()
    for name in ("ci_propose.sh", "open_pull_request.py"):
        shutil.copy(HERE / "scripts" / name, work / "scripts" / name)
    (work / ".gitignore").write_text("/build/\n")
    (work / "lock").write_text("1\n")
    _git(work, "add", "-A")
    _git(work, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    _git(work, "push", "-q", "origin", "HEAD:main")
    shutil.rmtree(work)
    _git(tmp_path, "clone", "-q", "--depth=1", f"file://{origin}", str(work))
    _git(work, "checkout", "-q", "--detach")
    return work


def _git(where: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=where, check=True, capture_output=True, text=True
    ).stdout


def _propose(clone: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(clone / "scripts" / "ci_propose.sh"), "refresh-locks", "Newer locks"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(clone.parent),
            "PYTHON": sys.executable,
            "FORGE_TOKEN": TOKEN,
            **environ,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def _github(*answers: tuple[int, Any]) -> type[_GitHub]:
    return type("GitHub", (_GitHub,), {"asked": [], "answers": list(answers)})


def test_a_change_is_pushed_and_its_pull_request_opened(clone: Path) -> None:
    """The branch holds the change on top of main; the request tells what it does."""
    (clone / "lock").write_text("2\n")
    (clone / "build").mkdir()
    (clone / "build" / "impact.md").write_text("# What this does\n")
    github = _github((201, {"html_url": "https://github.example/acme/ml/pull/7"}))
    with serving(github) as port:
        done = _propose(clone, GITHUB_API_URL=f"http://127.0.0.1:{port}", BASE_BRANCH="trunk")
    assert done.returncode == 0, done.stderr
    assert "opened https://github.example/acme/ml/pull/7" in done.stdout
    assert TOKEN not in done.stdout + done.stderr
    [(path, authorization, sent)] = github.asked
    assert path == "/repos/acme/ml/pulls"
    assert authorization == f"Bearer {TOKEN}"
    assert sent == {
        "title": "Newer locks",
        "head": "eggcrate/refresh-locks",
        "base": "trunk",
        "body": "# What this does\n",
    }
    origin = clone.parent / "github.example" / "acme" / "ml.git"
    assert _git(origin, "show", "eggcrate/refresh-locks:lock") == "2\n"
    assert _git(origin, "log", "--format=%s", "eggcrate/refresh-locks") == "Newer locks\nfirst\n"
    assert _git(origin, "show", "main:lock") == "1\n"


def test_nothing_is_proposed_when_nothing_changed(clone: Path) -> None:
    """What git ignores is no change; nobody is asked and no branch is made."""
    (clone / "build").mkdir()
    (clone / "build" / "impact.md").write_text("nothing\n")
    done = _propose(clone, GITHUB_API_URL="http://127.0.0.1:1")
    assert done.returncode == 0
    assert "nothing changed" in done.stdout
    assert "eggcrate" not in _git(clone, "ls-remote", "origin")


def test_the_branch_of_last_time_is_replaced_and_its_request_left(clone: Path) -> None:
    """A second refresh before the first is merged is one request still, with the newer change."""
    (clone / "lock").write_text("2\n")
    exists = {"message": "A pull request already exists for acme:eggcrate/refresh-locks."}
    github = _github((201, {"html_url": "x"}), (422, {"errors": [exists]}))
    with serving(github) as port:
        first = _propose(clone, GITHUB_API_URL=f"http://127.0.0.1:{port}")
        _git(clone, "checkout", "-q", "--detach", "origin/main")
        (clone / "lock").write_text("3\n")
        second = _propose(clone, GITHUB_API_URL=f"http://127.0.0.1:{port}")
    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert "open already" in second.stdout
    origin = clone.parent / "github.example" / "acme" / "ml.git"
    assert _git(origin, "show", "eggcrate/refresh-locks:lock") == "3\n"
    assert _git(origin, "log", "--format=%s", "eggcrate/refresh-locks") == "Newer locks\nfirst\n"


def test_a_commit_of_somebody_else_is_not_overwritten(clone: Path) -> None:
    """Whoever mends a proposal on its branch keeps what they did; the build fails and says so."""
    (clone / "lock").write_text("mended\n")
    _git(clone, "-c", "user.name=Ada", "-c", "user.email=ada@b", "commit", "-qam", "mend")
    _git(clone, "push", "-q", "origin", "HEAD:refs/heads/eggcrate/refresh-locks")
    _git(clone, "checkout", "-q", "--detach", "origin/main")
    (clone / "lock").write_text("3\n")
    done = _propose(clone, GITHUB_API_URL="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "holds a commit of Ada" in done.stdout
    origin = clone.parent / "github.example" / "acme" / "ml.git"
    assert _git(origin, "show", "eggcrate/refresh-locks:lock") == "mended\n"


@pytest.mark.parametrize(("status", "told"), [(403, "not accessible"), (422, "base is invalid")])
def test_a_request_that_is_not_opened_fails_the_build(clone: Path, status: int, told: str) -> None:
    """A token that may push and not open requests, or a wrong branch, is seen at once."""
    (clone / "lock").write_text("2\n")
    with serving(_github((status, {"message": told}))) as port:
        done = _propose(clone, GITHUB_API_URL=f"http://127.0.0.1:{port}")
    assert done.returncode == 1
    assert f"{status}" in done.stderr
    assert told in done.stderr
    assert TOKEN not in done.stdout + done.stderr
