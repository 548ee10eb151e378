"""``--on cloud-build``: what others do is told as if one machine had done it all.

Child builds run the real command line here, in a copy of the checkout, beside a Cloud Build on
loopback and a real registry; only the runtime of cells is a stand-in.
"""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate import cli
from eggcrate.cloud import cloud_build, fleet, handed_in, leash, logs
from eggcrate.registry.remote import Remote
from eggcrate.retries import Retries
from support.cloud_build_server import PROJECT, REGION, cloud_build_server, command_of
from support.planning import commit, git, package
from support.published import HASTY, fill_store
from support.rig import BAD, Rig, cross

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.cloud_build_server import CloudBuildServer, FakeBuild
    from support.repository import Repository

    Run = Callable[..., tuple[int, str, str]]

pytestmark = [pytest.mark.vertex, pytest.mark.tools]

SOURCE = {"gitSource": {"url": "https://git.example/eggs.git", "revision": "main"}}
RESOLVED = {"resolvedGitSource": {"url": "https://git.example/eggs.git", "revision": "a" * 40}}
BUILD = ("build", "--push", "--on", "cloud-build", "--json")
EVERY = cross("abc", ("one", "two"))
BOTH = 'base = "python-3.11"\nplatforms = ["linux/amd64", "linux/arm64"]'


@dataclass(kw_only=True)
class Place:
    """A parent build of a service whose children run the command line in a copy."""

    rig: Rig
    server: CloudBuildServer
    parent: FakeBuild
    there: Path

    def settle(self) -> None:
        """Have what is in the checkout now in the children's source too."""
        root = self.rig.repository.root
        (root / ".gitignore").write_text(".eggcrate\nbuild\n")
        commit(root, "settled")
        shutil.rmtree(self.there, ignore_errors=True)
        shutil.copytree(root, self.there, ignore=shutil.ignore_patterns("build"))

    def work(self, build: FakeBuild) -> None:
        """What a child build does: the command of its last step."""
        words, stdin = command_of(build)
        listed = self.there.parent / f"{build.id}.cells"
        listed.write_text(stdin)
        words = [str(listed) if word == "-" else word for word in words]
        code = cli.main(["--repo", str(self.there), *words])
        build.log += [f"ran {words[0]}", f"exit {code}"]
        if code:
            build.end("FAILURE", "step exited with non-zero status", "USER_BUILD_STEP")
        else:
            build.end("SUCCESS")

    @property
    def children(self) -> list[FakeBuild]:
        return self.server.tagged(fleet.ANY)

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run the command line; what it prints. Children print too, and before it."""
        hasty = ("--poll", "0.02") if "--on" in arguments else ()
        found, out, err = self.rig.run(*arguments, *hasty)
        assert found == code, out + err
        self.rig.err = err
        return out

    def report(self, name: str) -> Path:
        return self.rig.repository.root / "build" / name


@pytest.fixture
def place(
    repository: Repository, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Place]:
    hasty = fleet.Pace(blind=2.0, retries=Retries(first=0.01, ceiling=0.1))
    monkeypatch.setattr(fleet, "PACE", hasty)
    rig = Rig.make(repository, run, monkeypatch, tmp_path / "harness")
    with cloud_build_server() as server:
        parent = server.add(
            source=SOURCE,
            sourceProvenance=RESOLVED,
            serviceAccount=f"projects/{PROJECT}/serviceAccounts/me@example.invalid",
            steps=[{"name": "python:3.13", "script": "make"}],
            options={"machineType": "E2_HIGHCPU_8", "logging": "CLOUD_LOGGING_ONLY"},
            timeout="5400s",
        )
        monkeypatch.setenv(cloud_build.ENDPOINT, server.endpoint)
        monkeypatch.setenv(logs.ENDPOINT, server.endpoint)
        monkeypatch.setenv("PROJECT_ID", PROJECT)
        monkeypatch.setenv("LOCATION", REGION)
        monkeypatch.setenv("BUILD_ID", parent.id)
        made = Place(rig=rig, server=server, parent=parent, there=tmp_path / "there")
        server.work = made.work
        made.settle()
        yield made


def _told(place: Place, folder: str = "matrix") -> Any:
    return json.loads(place.report(f"{folder}/matrix.json").read_text())


def _cells(document: Any) -> dict[tuple[str, str], Any]:
    """Each cell of a document without what differs from run to run."""
    left_out = ("date", "previous_outcome", "previous_seconds")
    return {
        (cell["component"], cell["environment"]): {
            name: value for name, value in cell.items() if name not in left_out
        }
        for cell in document["cells"]
    }


def _cases(place: Place) -> list[dict[str, str]]:
    tree = ET.fromstring(place.report("matrix/junit.xml").read_text())  # noqa: S314 - our own
    return [
        {**case.attrib, **{child.tag: child.get("message", "") for child in case}}
        for case in tree.iter("testcase")
    ]


def test_the_report_is_that_of_one_machine(place: Place) -> None:
    """Two machines prove what one would: outcomes, figures, logs, JUnit and exit code agree."""
    for cell in (("c", "one"), ("b", "two")):
        place.rig.runtime.endings[cell] = BAD
    place.run("matrix", "--no-memory", code=1)
    alone, cases = _cells(_told(place)), _cases(place)
    log = place.report("matrix/logs/two/b.log").read_text()
    shutil.rmtree(place.report("matrix"))
    place.rig.runtime.ran.clear()

    place.run("matrix", "--no-memory", "--on", "cloud-build", "--work", "30", code=1)
    assert _cells(_told(place)) == alone
    assert _cases(place) == cases
    assert place.report("matrix/logs/two/b.log").read_text() == log
    assert sorted(place.rig.runtime.ran) == sorted(EVERY)
    [child] = place.children
    assert child.status == "FAILURE"
    assert place.report("cloud-build/child-1.log").read_text() == "ran matrix\nexit 1\n"


def test_what_is_proven_is_not_divided(place: Place) -> None:
    """Only cells that are not remembered go to children; these remember them for everybody."""
    place.run("matrix", "--environment", "one")
    place.rig.runtime.ran.clear()
    place.run("matrix", "--on", "cloud-build", "--work", "20", "--released")
    [child] = place.children
    words, stdin = command_of(child)
    assert set(stdin.splitlines()) < {"a in two", "b in two", "c in two"}
    assert "--released" in words
    outcomes = {name: cell["outcome"] for name, cell in _cells(_told(place)).items()}
    assert [outcomes[name, "one"] for name in "abc"] == ["reused"] * 3
    assert [outcomes[name, "two"] for name in "abc"] == ["passed"] * 3
    place.rig.runtime.ran.clear()
    place.run("matrix")
    assert not place.rig.runtime.ran


def test_durations_of_earlier_runs_balance_the_next(
    place: Place, prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are in the registry: a machine with an empty disk divides by them."""
    with Remote(prefix, retries=HASTY) as remote:
        seconds = {f"{name} in {where}": 5.0 for name, where in EVERY}
        handed_in.leave_durations(remote, {**seconds, "a in one": 100.0})
    monkeypatch.setenv("EGGCRATE_CACHE", str(tmp_path / "empty"))
    arguments = ("matrix", "--on", "cloud-build", "--work", "60", "--dry-run", "--json")
    division = json.loads(place.run(*arguments))
    assert division["schema"] == "eggcrate.division/1"
    assert division["here"]["jobs"][0]["cells"] == ["a in one"]
    [child] = division["children"]
    assert child["seconds"] == 25.0
    assert not place.children
    assert not place.rig.runtime.ran


def test_a_child_is_like_its_parent(place: Place) -> None:
    """The parent's source at its very commit, its account, machine and what is left of its time.

    Settings go with it, tokens do not; it ends with its parent.
    """
    place.run("matrix", "--on", "cloud-build", "--work", "30", "--runtime", "sandbox")
    [child] = place.children
    document = child.document
    assert document["source"]["gitSource"]["revision"] == "a" * 40
    assert document["serviceAccount"] == place.parent.document["serviceAccount"]
    assert document["options"]["machineType"] == "E2_HIGHCPU_8"
    assert {step["name"] for step in document["steps"]} == {"python:3.13"}
    assert document["timeout"] == "5400s"
    assert {"eggcrate", f"eggcrate-parent-{place.parent.id}"} < set(child.tags)
    assert {"one", "two"} & set(child.tags)
    assert set(child.env) == {"BUILD_ID", "EGGCRATE_REGISTRY"}
    words, _ = command_of(child)
    name = f"projects/{PROJECT}/locations/{REGION}/builds/{place.parent.id}"
    assert words[words.index("--child-of") + 1] == name
    assert words[words.index("--runtime") + 1] == "sandbox"


@pytest.mark.parametrize("why", ["died", "stranger", "torn"])
def test_a_child_that_leaves_no_word_is_told(place: Place, prefix: str, why: str) -> None:
    """Its cells are broken, not passed: with the reason, and the end of its log."""

    def work(build: FakeBuild) -> None:
        build.log[:] = ["make: *** no rule", "bye"]
        if why == "stranger":
            git(place.there, "commit", "-q", "--allow-empty", "-m", "another")
            place.work(build)
        elif why == "torn":
            with Remote(prefix, retries=HASTY) as remote:
                handed_in._put(remote, f"results-{build.id}", {"schema": "x", "cells": 1})
        build.end("FAILURE", "step 0 failed", "USER_BUILD_STEP")

    place.server.work = work
    place.run("matrix", "--on", "cloud-build", "--work", "30", code=1)
    broken = [cell for cell in _told(place)["cells"] if cell["outcome"] == "broken"]
    assert len(broken) == 3
    reason = {
        "died": "did not do it: it ended as FAILURE: step 0 failed",
        "stranger": "it was made from commit",
        "torn": "is not what a child build hands in",
    }[why]
    assert all(reason in cell["reason"] for cell in broken)
    log = place.report(f"matrix/{broken[0]['log']}").read_text()
    assert log.startswith("make: *** no rule\nbye\n")
    assert len(place.children) == 1


def test_a_log_that_nobody_may_read_is_no_error(place: Place) -> None:
    """It is for people: results come through the registry. The role that lacks is named.

    A service that stumbles when it is asked for the parent is asked again.
    """
    place.server.get_faults[:] = [500, 429]
    place.server.log_faults[:] = [403]
    place.run("matrix", "--on", "cloud-build", "--work", "30")
    assert "Cloud Logging does not give the log" in place.rig.err
    assert f"https://console.example/builds/{place.children[0].id}" in place.rig.err
    assert not place.report("cloud-build").exists()


def test_what_docker_must_build_first_is_proven_by_a_child(place: Place) -> None:
    """Whole, and on one machine: each would build another image."""
    folder = place.rig.repository.environment("docked", ())
    (folder / "Dockerfile").write_text("FROM scratch\n")
    line = ("matrix", "--on", "cloud-build", "--work", "20", "--dry-run", "--json")
    [first, *others] = json.loads(place.run(*line))["children"]
    assert first["why"] == "dockerfile"
    assert [job["environment"] for job in first["jobs"]] == ["docked"]
    assert len(first["jobs"][0]["cells"]) == 3
    assert {child["why"] for child in others} == {"work"}


def test_images_are_built_elsewhere_and_published(place: Place, prefix: str) -> None:
    """A second image goes to a child, and another architecture: one table, one exit code."""
    place.rig.repository.environment("both", (package("six"),), settings=BOTH)
    fill_store(place.rig.repository)
    place.settle()
    out = place.run(*BUILD, "--changed", "--work", "60")
    document = json.loads(out[out.rindex('{\n  "schema"') :])
    found = {(one["name"], one["platform"]): one for one in document["environments"]}
    assert set(found) == {
        *(("both", platform) for platform in ("linux/amd64", "linux/arm64")),
        *((name, "linux/amd64") for name in ("one", "two")),
    }
    assert all(one["pushed"]["tag"] and not one["error"] for one in found.values())
    commands = sorted(command_of(child)[0][:4] for child in place.children)
    assert ["build", "both", "--platform", "linux/arm64"] in commands
    assert len(commands) == 2
    with Remote(prefix, retries=HASTY) as remote:
        for one in found.values():
            there = remote.resolve(one["name"], one["pushed"]["tag"])
            assert there
            assert there.digest == one["digest"]


def test_what_no_machine_can_build_is_refused(place: Place) -> None:
    """A Dockerfile for another architecture, unless an emulator is named."""
    folder = place.rig.repository.environment("foreign", (), settings=BOTH)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    line = (*BUILD, "foreign", "--dry-run")
    division = json.loads(place.run(*line, code=1))
    assert list(division["refused"]) == ["foreign linux/arm64"]
    assert "--emulator" in division["refused"]["foreign linux/arm64"]
    [child] = division["children"]
    assert (child["why"], child["jobs"][0]["name"]) == ("dockerfile", "foreign linux/amd64")
    division = json.loads(place.run(*line, "--emulator", "binfmt"))
    assert len(division["children"]) == 2


def test_an_image_that_a_child_does_not_build_is_told(place: Place) -> None:
    """As one that failed, with the child's end; what was built here is published."""
    place.server.work = lambda build: build.end("TIMEOUT", "too slow")
    out = place.run(*BUILD, "--all", "--work", "30", code=1)
    found = {one["name"]: one for one in json.loads(out)["environments"]}
    assert sorted(one["verdict"] for one in found.values()) == ["failed", "up-to-date"]
    [bad] = [one for one in found.values() if one["verdict"] == "failed"]
    assert "it ended as TIMEOUT: too slow" in bad["error"]


REFUSED = {
    "build --all --on cloud-build": "add --push",
    "build --all --push --load --on cloud-build": "add --push",
    "build --all --push --on cloud-build --work 0": "more than nothing",
    "matrix --on cloud-build --shard 1/2": "--shard is for one machine",
    "matrix --on cloud-build --coverage": "--coverage is for one machine",
    "matrix --on cloud-build --work 30 --source here": "none that a build can have",
    "matrix --dry-run": "--dry-run shows how --on divides",
    "matrix --cells nowhere": "cannot be read",
    "matrix --child-of me": "does not name a build",
}


def test_what_cannot_be_divided_is_refused(place: Place) -> None:
    """Before anything is run or started, in words that help."""
    for line, told in REFUSED.items():
        place.run(*line.split(), code=2)
        assert told in place.rig.err
    assert not place.children
    assert not place.rig.runtime.ran


def test_cells_are_named_as_reports_name_them(place: Place, tmp_path: Path) -> None:
    """A list of cells runs those alone; a name that is none is refused."""
    listed = tmp_path / "cells"
    listed.write_text("a in one\n\nc in two\n")
    assert place.rig.ran("--cells", str(listed)) == {("a", "one"), ("c", "two")}
    listed.write_text("a in three\nz in one\n")
    place.run("matrix", "--cells", str(listed), code=2)
    assert "there is no cell 'a in three', nor 1 more" in place.rig.err


def test_children_end_when_the_parent_does(place: Place) -> None:
    """Nobody signals them when its machine is gone: they look, and are interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leash, "LOOK", 0.02)

        def work(_: Any) -> Any:
            place.parent.end("CANCELLED")
            place.rig.runtime.closed.wait(10)
            return BAD

        place.rig.runtime.endings = dict.fromkeys(EVERY, work)
        name = f"projects/{PROJECT}/locations/{REGION}/builds/{place.parent.id}"
        place.run("matrix", "--child-of", name, "--hand-in", "results-1", code=130)
    assert "the build that asked for this is over: CANCELLED" in place.rig.err


def test_a_parent_by_hand_names_what_to_be_like(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a build around it a source or a build must be named; uncommitted changes are told."""
    monkeypatch.delenv("BUILD_ID")
    line = ("matrix", "--on", "cloud-build", "--work", "30")
    place.run(*line, code=2)
    assert "--like" in place.rig.err
    place.rig.write("components/c/component.py", "X = 3\n")
    place.run(*line, "--source", f"https://git.example/eggs.git@{'b' * 40}", "--builder", "own")
    assert "changes that are not committed" in place.rig.err
    [child] = place.children
    assert child.document["source"]["gitSource"]["revision"] == "b" * 40
    assert "--child-of" not in command_of(child)[0]
    assert re.fullmatch(r"eggcrate-parent-here-[0-9-]+", child.tags[2])
    assert child.document["steps"][0]["name"] == "own"
