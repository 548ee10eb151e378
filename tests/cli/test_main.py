"""The command line itself: usage, exit codes, and what goes where."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import eggcrate
from eggcrate import cli
from eggcrate.cli import doctor
from support.repository import HERE, Package, Repository, make_repository

if TYPE_CHECKING:
    from pathlib import Path

VERBS = ("lock", "build", "matrix", "doctor")
PANDAS = Package(
    name="pandas", version="2.2.3", files=(("pandas-2.2.3-py3-none-any.whl", "0" * 64),)
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = make_repository(tmp_path / "repo", tmp_path / "cache")
    made.environment("bare", ())
    made.environment("frames", (PANDAS,))
    for name, needs in (("clean", ""), ("train", '"pandas>=2"')):
        folder = made.root / "components" / name
        folder.mkdir()
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\ndependencies = [{needs}]\n'
            "[project.optional-dependencies]\n" + ("trees = []\n" if needs else "")
        )
    return made


@pytest.fixture
def run(repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """Runs the command line in this process; its exit code, output and errors."""
    monkeypatch.setenv("EGGCRATE_CACHE", str(repository.cache))

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["--repo", str(repository.root), *arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def test_without_a_verb_the_verbs_are_shown(run) -> None:
    """A first call is answered by the help, and is a mistake of usage."""
    code, out, err = run()
    assert (code, out) == (2, "")
    assert all(verb in err for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(run, verb: str) -> None:
    """On standard output, with exit code 0."""
    code, out, err = run(verb, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: eggcrate {verb}")


def test_the_version(run) -> None:
    """One line."""
    assert run("--version") == (0, f"eggcrate {eggcrate.__version__}\n", "")


def test_an_unknown_verb_is_a_mistake_of_usage(run) -> None:
    """It names the verbs there are."""
    code, out, err = run("prove")
    assert (code, out) == (2, "")
    assert "invalid choice: 'prove'" in err
    assert "matrix" in err


def test_only_what_follows_two_dashes_is_for_pytest(run) -> None:
    """A name without its option is a mistake, not the name of a test file for every cell."""
    code, _, err = run("matrix", "frames")
    assert code == 2
    assert "unrecognized arguments: frames" in err
    code, _, err = run("doctor", "--", "-v")
    assert code == 2
    assert "eggcrate doctor takes no arguments after --" in err


def test_outside_of_a_repository(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A sentence with what to do, not a traceback."""
    assert cli.main(["--repo", str(tmp_path), "matrix", "--list"]) == 2
    told = capsys.readouterr().err
    assert "is not in an Eggcrate repository" in told
    assert "next: change to the repository's folder" in told


def test_a_defect_can_be_pasted_into_a_report(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback, the versions, and exit code 3."""

    def broken(*_: object) -> int:
        raise ZeroDivisionError("by mistake")

    monkeypatch.setattr(doctor, "run", broken)
    code, out, err = run("doctor")
    assert (code, out) == (3, "")
    assert "ZeroDivisionError: by mistake" in err
    assert "this is a defect in Eggcrate" in err
    assert f"eggcrate {eggcrate.__version__}, Python" in err


def test_ctrl_c_is_no_defect(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One word and exit code 130."""

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "run", interrupted)
    assert run("doctor") == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    ("option", "typo", "nearest"),
    [
        ("component", "trian", "train"),
        ("environment", "frame", "frames"),
        ("flavour", "tree", "trees"),
    ],
)
def test_a_typo_gets_the_nearest_name(run, option: str, typo: str, nearest: str) -> None:
    """Exit code 2 before anything is built."""
    code, out, err = run("matrix", f"--{option}", typo)
    assert (code, out) == (2, "")
    assert f"there is no {option} {typo!r}" in err
    assert f"did you mean {nearest}?" in err


def test_the_list_tells_who_fits_where(run) -> None:
    """A grid of yes and -, then what is missing; nothing is built."""
    code, out, err = run("matrix", "--list")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()[2:4]] == [
        ["clean", "yes", "yes"],
        ["train[trees]", "-", "yes"],
    ]
    assert "needs pandas>=2, which it does not hold: bare" in out


def test_the_list_as_a_document(run) -> None:
    """Every pairing with its reason."""
    code, out, _ = run("matrix", "--list", "--json")
    document = json.loads(out)
    assert (code, document["schema"]) == (0, "eggcrate.matrix/1")
    assert document["totals"] == {"incompatible": 1, "not-selected": 3}


def test_a_component_that_cannot_be_read_may_be_asked_for(run, repository: Repository) -> None:
    """The answer is its error, not that there is none of its name."""
    (repository.root / "components" / "train" / "pyproject.toml").write_text("what?")
    code, out, err = run("matrix", "--component", "train")
    assert code == 1
    assert "train/pyproject.toml" in out + err
    assert "there is no cell to prove" in err


def test_nothing_to_prove_is_not_a_proof(run) -> None:
    """A selection without a cell tells why, and fails."""
    code, out, err = run("matrix", "--component", "train", "--environment", "bare")
    assert code == 1
    assert "needs pandas>=2, which it does not hold: bare" in out
    assert "there is no cell to prove" in err


def test_a_reader_that_leaves_is_no_defect(repository: Repository) -> None:
    """``eggcrate … | head`` ends without a word."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            repository.argv("matrix", "--list"),
            env=repository.variables(),
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (130, "")


def test_results_and_progress_keep_their_order_in_one_file(repository: Repository) -> None:
    """``> log 2>&1``: a result stands where it was printed, among lines of progress."""
    program = """
from eggcrate.cli.context import Context
from eggcrate.progress import Console

context = Context(root=None, settings=None, progress=Console())
context.show("one")
context.progress.info("two")
context.show_json("three/1", {})
context.progress.info("four")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(HERE / "ci")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    assert done.stdout == 'one\ntwo\n{\n  "schema": "three/1"\n}\nfour\n'


def test_without_a_registry_the_store_is_spoken_of(run) -> None:
    """Nothing is published on a laptop; the plan counts what is to be done."""
    code, out, _ = run("plan", "--explain", "bare")
    assert code == 0
    assert "is not in the store." in out
    assert "publish" not in out
    assert run("plan")[1].endswith("\n\n2 build\n")


def test_byte_code_is_kept_where_the_environment_forbids_it(tmp_path: Path) -> None:
    """Containers that forbid it would make each start compile all that it imports."""
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(HERE / "ci")}
    done = subprocess.run(
        [sys.executable, "-m", "eggcrate", "plan", "--help"],
        env={**variables, "PYTHONPYCACHEPREFIX": str(tmp_path)},
        capture_output=True,
        check=False,
        cwd=HERE,
    )
    assert done.returncode == 0
    kept = {path.name.partition(".")[0] for path in tmp_path.rglob("eggcrate/cli/*.pyc")}
    assert {"__init__", "context", "plan"} <= kept
    shown = 'x: ; @echo "<$$PYTHONDONTWRITEBYTECODE>"'
    command = ["make", "--no-print-directory", "--eval", shown, "x"]
    told = subprocess.run(command, env=variables, cwd=HERE, capture_output=True, check=True)
    assert told.stdout == b"<>\n"
