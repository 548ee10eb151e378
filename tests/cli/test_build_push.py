"""``eggcrate build --changed --push`` as a command: what it says, and what it leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.registry.remote import Remote
from support.planning import package
from support.published import HASTY, fill_store
from support.repository import HERE, Repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., tuple[int, str, str]]

NOWHERE = "127.0.0.1:9/nowhere"


def tags(prefix: str) -> dict[str, tuple[str, ...]]:
    with Remote(prefix, retries=HASTY) as remote:
        return {name: remote.tags(name) for name in remote.names() or ()}


def results(out: str) -> dict[str, dict[str, Any]]:
    document = json.loads(out)
    assert document["schema"] == "eggcrate.build/1"
    return {item["name"]: item for item in document["environments"]}


def test_the_table_tells_what_was_pushed(run: Run, repository: Repository) -> None:
    """A line for each environment: verdict, digest, new bytes, seconds; then nothing to do."""
    digests = fill_store(repository)
    code, out, _ = run("build", "--changed", "--push")
    assert code == 0
    header, _, *lines = out.splitlines()
    assert header.split()[:4] == ["environment", "platform", "verdict", "digest"]
    assert header.split()[-3:] == ["pushed", "push", "seconds"]
    for line, (name, digest) in zip(lines, digests.items(), strict=True):
        assert line.split()[0] == name.split()[0]
        assert digest[: len("sha256:") + 12] in line
    code, out, _ = run("build", "--changed", "--push")
    assert (code, out) == (0, "everything is published already: nothing to build\n")


def test_a_dry_run_pushes_nothing(run: Run, repository: Repository, prefix: str) -> None:
    """It tells what would be."""
    code, out, _ = run("build", "--changed", "--push", "--dry-run", "--json")
    assert code == 0
    assert {item["verdict"] for item in results(out).values()} == {"build"}
    assert {item["pushed"] for item in results(out).values()} == {None}
    assert tags(prefix) == {}


def test_what_is_named_is_pushed_and_no_other(
    run: Run, repository: Repository, prefix: str
) -> None:
    """By name, whether it changed or not."""
    fill_store(repository)
    assert run("build", "one", "--push")[0] == 0
    assert tags(prefix).keys() == {"one"}
    code, out, _ = run("build", "--all", "--push", "--json")
    pushed = {name: item["pushed"] for name, item in results(out).items()}
    assert code == 0
    assert pushed["one"]["uploaded"] == pushed["one"]["mounted"] == 0
    assert pushed["two"]["mounted"] == 2  # from the image that was there before
    assert tags(prefix).keys() == {"one", "two"}


def test_force_takes_what_is_up_to_date(run: Run, repository: Repository) -> None:
    """The plan says so; pushing it again uploads nothing."""
    fill_store(repository)
    run("build", "--changed", "--push")
    code, out, _ = run("build", "--changed", "--push", "--force", "--json")
    assert code == 0
    assert results(out).keys() == {"one", "two"}
    assert {item["pushed"]["new_bytes"] for item in results(out).values()} == {0}
    code, out, _ = run("plan", "--force", "--json")
    assert {tuple(item["reasons"]) for item in json.loads(out)["environments"]} == {("forced",)}


def test_keys_are_all_that_is_pushed(run: Run, repository: Repository, prefix: str) -> None:
    """A push never moves ``stable``, and older images stay."""
    fill_store(repository)
    run("build", "--changed", "--push")
    first = tags(prefix)
    repository.environment("one", (package("pandas", "3.0"),))
    fill_store(repository)
    run("build", "--changed", "--push")
    assert set(first["one"]) < set(tags(prefix)["one"])
    assert all(tag.startswith("key-") for tag in tags(prefix)["one"])


def test_building_needs_no_registry(run: Run, repository: Repository) -> None:
    """One that is set and cannot be reached matters to nobody who pushes nothing."""
    fill_store(repository)
    code, out, err = run("build", "--all", "--registry", NOWHERE)
    assert (code, err) == (0, ""), out
    assert "up-to-date" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--changed", "--push", "--registry", ""), "there is no registry to push to"),
        ((), "name the environments to build, or say --all or --changed"),
        (("none", "--push"), "there is no environment 'none'"),
    ],
)
def test_mistakes_of_usage(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    """Exit code 2 before anything is built."""
    code, out, err = run("build", *arguments)
    assert (code, out) == (2, "")
    assert sentence in err


@pytest.mark.parametrize(
    ("script", "arguments", "schema"),
    [
        ("detect_changes.py", ("--json",), "eggcrate.plan/1"),
        ("build_changed.py", ("--dry-run", "--json"), "eggcrate.build/1"),
    ],
)
def test_scripts_are_the_same_commands(
    prefix: str, tmp_path: Path, script: str, arguments: tuple[str, ...], schema: str
) -> None:
    """Called by name from any folder, for this repository."""
    done = subprocess.run(
        [sys.executable, HERE / "scripts" / script, *arguments],
        cwd=tmp_path,
        env={**os.environ, "EGGCRATE_REGISTRY": prefix, "EGGCRATE_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == schema
    assert {item["name"] for item in document["environments"]} >= {"sklearn-1-5", "gcp-data"}
