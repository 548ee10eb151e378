"""`eggcrate new cloud` asks once, writes what changes the cloud, and tells when that is stale."""

from __future__ import annotations

import io
import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate import cli
from eggcrate.cloud.new_cloud import FILE, decide_cloud, https_address, read_variables
from eggcrate.errors import ConfigError, UsageError
from eggcrate.questions import NobodyToAsk, Terminal
from eggcrate.repo.monorepo import read_monorepo
from support.repository import HERE
from support.terraform import parsed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENVIRONMENT = """\
[project]
name = "{name}"
description = "It"
requires-python = ">=3.11,<3.12"
dependencies = []
[tool.poetry]
package-mode = false
[tool.eggcrate]
{more}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one environment that is built like all others."""
    root = tmp_path / "ml"
    (root / "infra").mkdir(parents=True)
    (root / "infra" / "main.tf").write_text("# mine\n")
    (root / "infra" / "team.auto.tfvars").write_text("nightly = null\n")
    (root / "components").mkdir()
    (root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    _environment(root, "plain")
    return root


@pytest.fixture
def new(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs `eggcrate new cloud`: exit code, standard output, standard error."""
    monkeypatch.setenv("CI", "true")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["--repo", str(root), "new", "cloud", *arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def _environment(root: Path, name: str, more: str = "", dockerfile: str = "") -> None:
    folder = root / "environments" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(ENVIRONMENT.format(name=name, more=more))
    if dockerfile:
        (folder / "Dockerfile").write_text(dockerfile)


def _written(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / FILE).read_text())
    return found


def test_answers_are_given_once(root: Path, new: Callable[..., tuple[int, str, str]]) -> None:
    """The first call names the project; later ones need no answer and change nothing."""
    code, told, _ = new("--project", "acme-ml", "--notify", "ml@example.com")
    assert code == 0
    assert "next: commit infra/terraform.tfvars.json" in told
    first = (root / FILE).read_bytes()
    assert _written(root) == {
        "project": "acme-ml",
        "region": "europe-west4",
        "repository": "eggcrate",
        "connection": "",
        "remote": "",
        "notify": ["ml@example.com"],
        "own_machines": {},
        "vertex": False,
    }
    code, told, _ = new()
    assert code == 0
    assert "up-to-date" in told
    assert (root / FILE).read_bytes() == first


def test_a_flag_changes_one_answer(root: Path, new: Callable[..., tuple[int, str, str]]) -> None:
    """The others stay; what changes is told."""
    new("--project", "acme-ml", "--region", "us-central1")
    code, told, _ = new("--connection", "github", "--remote", "https://github.com/a/b.git")
    assert code == 0
    assert 'connection: nothing becomes "github"' in told
    assert _written(root)["region"] == "us-central1"


def test_files_of_people_are_left_alone(
    root: Path, new: Callable[..., tuple[int, str, str]]
) -> None:
    """One file is written, and no other."""
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    new("--project", "acme-ml")
    after = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert after.pop(root / FILE)
    assert after == before


def test_a_dry_run_writes_nothing(root: Path, new: Callable[..., tuple[int, str, str]]) -> None:
    """And shows the same."""
    code, told, _ = new("--project", "acme-ml", "--dry-run")
    assert code == 0
    assert "project acme-ml" in told
    assert "nothing was written" in told
    assert not (root / FILE).exists()


def test_nobody_is_asked_who_is_not_there(
    root: Path, new: Callable[..., tuple[int, str, str]]
) -> None:
    """Without a terminal a project must be given; the message says how."""
    code, _, told = new()
    assert code == 2
    assert "--project acme-ml" in told
    assert not (root / FILE).exists()


def test_a_person_is_asked_three_things(root: Path) -> None:
    """Project, region and repository; an answer that is none is asked again."""
    screen = io.StringIO()
    asker = Terminal(io.StringIO("Acme\nacme-ml\n\nimages\n"), screen)
    wanted = decide_cloud({}, None, monorepo=read_monorepo(root), origin="", questions=asker)
    assert wanted.variables["project"] == "acme-ml"
    assert wanted.variables["region"] == "europe-west4"
    assert wanted.variables["repository"] == "images"
    assert screen.getvalue().count(": ") >= 4
    assert "'Acme' cannot be the project of Google Cloud" in screen.getvalue()


def test_an_ordinary_environment_changes_nothing(
    root: Path, new: Callable[..., tuple[int, str, str]]
) -> None:
    """Whoever adds one has no second file to write: the check stays good."""
    new("--project", "acme-ml")
    _environment(root, "another", 'platforms = ["linux/amd64"]')
    code, told, _ = new("--check")
    assert (code, told) == (0, "infra/terraform.tfvars.json: up-to-date\n")


def test_what_needs_a_machine_of_its_own_is_stale_until_it_is_written(
    root: Path, new: Callable[..., tuple[int, str, str]]
) -> None:
    """A Dockerfile and another architecture need child builds, whose right Terraform gives."""
    new("--project", "acme-ml")
    _environment(root, "gpu", dockerfile="FROM x\n")
    _environment(root, "arm", 'platforms = ["linux/amd64", "linux/arm64"]')
    before = (root / FILE).read_bytes()
    code, told, _ = new("--check")
    assert code == 1
    assert "is stale" in told
    assert "run: eggcrate new cloud --yes" in told
    assert (root / FILE).read_bytes() == before
    assert new("--yes")[0] == 0
    assert _written(root)["own_machines"] == {"arm": "linux/arm64", "gpu": "Dockerfile"}
    assert new("--check")[0] == 0
    (root / "environments" / "gpu" / "Dockerfile").unlink()
    assert new("--check")[0] == 1


def test_an_environment_that_cannot_be_read_stays_as_it_was(
    root: Path, new: Callable[..., tuple[int, str, str]]
) -> None:
    """A typo in it takes no right away."""
    _environment(root, "gpu", dockerfile="FROM x\n")
    new("--project", "acme-ml")
    (root / "environments" / "gpu" / "pyproject.toml").write_text("[")
    assert new("--check")[0] == 0


@pytest.mark.parametrize(
    "config",
    [
        "[vertex]\nproject = 'p'\n",
        "[projects.a.vertex]\nproject = 'p'\n",
        "[stages.prod]\n[projects.a.stages.prod.vertex]\nproject = 'p'\n",
    ],
    ids=["everywhere", "project", "stage"],
)
def test_pipelines_for_vertex_ai_need_its_rights(
    root: Path, new: Callable[..., tuple[int, str, str]], config: str
) -> None:
    """A configuration for Vertex AI, wherever it stands in the file, is seen."""
    new("--project", "acme-ml")
    folder = root / "pipelines" / "training"
    folder.mkdir(parents=True)
    (folder / "pipeline.py").touch()
    (folder / "config.toml").write_text(config)
    code, told, _ = new("--check")
    assert code == 1
    assert "vertex: false becomes true" in told


def test_a_check_of_nothing_is_good(root: Path, new: Callable[..., tuple[int, str, str]]) -> None:
    """A repository whose builds run elsewhere has no such file, and CI does not ask for one."""
    assert new("--check")[0] == 0
    code, told, _ = new("--check", "--json")
    assert code == 0
    assert json.loads(told)["outcome"] == "absent"


def test_json(root: Path, new: Callable[..., tuple[int, str, str]]) -> None:
    """The same as a document."""
    code, told, _ = new("--project", "acme-ml", "--json")
    document = json.loads(told)
    assert code == 0
    assert document["schema"] == "eggcrate.new/1"
    assert (document["kind"], document["outcome"], document["written"]) == ("cloud", "create", True)
    assert document["variables"] == _written(root)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--project", "Acme"], "'Acme' cannot be the project"),
        (["--project", "acme-ml", "--region", "Europe"], "for example --region europe-west4"),
        (["--project", "acme-ml", "--repository", "-x"], "'-x' cannot be the name"),
        (["--project", "acme-ml", "--remote", "git@x:a/b"], "https://github.com/acme/ml.git"),
        (["--project", "acme-ml", "--remote", "https://me:pw@x/a.git"], "cannot be the address"),
        (["--project", "acme-ml", "--notify", "ml"], "'ml' is no e-mail address"),
    ],
    ids=["project", "region", "repository", "remote", "credentials", "notify"],
)
def test_answers_that_google_refuses_are_refused_here(
    root: Path, new: Callable[..., tuple[int, str, str]], flags: list[str], told: str
) -> None:
    """Before anything is written, with what an answer looks like."""
    flags = [f"{flags[i]}={flags[i + 1]}" for i in range(0, len(flags), 2)]
    code, _, error = new(*flags)
    assert code == 2
    assert told in error
    assert not (root / FILE).exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "cannot be read"),
        ("[]", "is not a table"),
        ('{"project": "acme-ml", "nightly": "0 1 * * *"}', "nightly is not written by Eggcrate"),
        ('{"project": 1}', "project cannot be 1"),
        ('{"notify": "x"}', "notify cannot be 'x'"),
        ("[" * 100_000, "cannot be read"),
    ],
    ids=["cut", "list", "by-hand", "number", "text", "deep"],
)
def test_a_file_that_is_none_of_ours_is_told(root: Path, content: str, told: str) -> None:
    """It is not overwritten; what people say has a file of its own."""
    (root / FILE).write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_variables(root / FILE)
    assert told in caught.value.what
    assert caught.value.hint


def test_without_terraform_there_is_nothing_to_write_for(root: Path) -> None:
    """The resources are not made up."""
    (root / "infra" / "main.tf").unlink()
    with pytest.raises(ConfigError, match="no Terraform in infra/"):
        decide_cloud(
            {"project": "acme-ml"},
            None,
            monorepo=read_monorepo(root),
            origin="",
            questions=NobodyToAsk(),
        )


def test_the_remote_is_where_the_clone_is_from(
    root: Path, new: Callable[..., tuple[int, str, str]]
) -> None:
    """Nobody types what git knows."""
    for command in (["init", "-q"], ["remote", "add", "origin", "git@github.com:acme/ml.git"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    new("--project", "acme-ml")
    assert _written(root)["remote"] == "https://github.com/acme/ml.git"


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("git@github.com:acme/ml.git", "https://github.com/acme/ml.git"),
        ("ssh://git@gitlab.example:22/a/b/c", "https://gitlab.example/a/b/c.git"),
        ("https://token@github.com/acme/ml", "https://github.com/acme/ml.git"),
        ("https://github.com/acme/ml.git", "https://github.com/acme/ml.git"),
        ("/srv/git/ml.git", ""),
        ("file:///srv/git/ml.git", ""),
        ("../ml", ""),
        ("", ""),
        ("https://github.com", ""),
        ("https://git.example:8443/a/b.git", "https://git.example:8443/a/b.git"),
        ("https://[x", ""),
    ],
    ids=range(11),
)
def test_addresses(remote: str, address: str) -> None:
    """What Cloud Build clones from, without a log-in in it."""
    assert https_address(remote) == address


_PIECES = st.text(alphabet="ab.:@/[] -é", max_size=8)


_REMOTES = st.tuples(
    st.sampled_from(["https://", "ssh://", "git@", "", "file://"]),
    st.sampled_from(["", "me@", "me:secret@"]),
    _PIECES,
    st.just("/"),
    _PIECES,
    st.sampled_from(["", ".git", "/"]),
).map("".join)


@given(_REMOTES)
def test_any_remote_is_an_address_that_is_taken_or_none(remote: str) -> None:
    """Whatever git says, the command does not fail for it, and no log-in is written down."""
    address = https_address(remote)
    assert address == "" or re.fullmatch(r"https://[^/@\s]+/\S+\.git", address)
    assert "secret" not in address
    assert https_address(address) == address


def test_every_variable_is_declared() -> None:
    """What is written is what `infra/variables.tf` asks for; a hand-written file may say more."""
    declared = {
        name.strip('"')
        for item in parsed(HERE / "infra")["variables.tf"]["variable"]
        for name in item
        if name.startswith('"')
    }
    wanted = decide_cloud(
        {"project": "acme-ml"},
        None,
        monorepo=read_monorepo(HERE),
        origin="",
        questions=NobodyToAsk(),
    )
    assert set(wanted.variables) <= declared
    assert re.search(r"\n\Z", wanted.text)


def test_this_repository_s_own_variables_are_not_stale() -> None:
    """Where they are committed, they are what environments and pipelines need now."""
    before = read_variables(HERE / FILE)
    if before is None:
        with pytest.raises(UsageError):
            decide_cloud({}, None, monorepo=read_monorepo(HERE), origin="", questions=NobodyToAsk())
        return
    wanted = decide_cloud(
        {}, None, monorepo=read_monorepo(HERE), origin="", questions=NobodyToAsk()
    )
    assert wanted.changes == (), "run: eggcrate new cloud --yes"
