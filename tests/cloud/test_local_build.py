"""Builds on Docker: each thing that the service does with a step is done here."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import pytest
import yaml

from cloud.conftest import git
from eggcrate.runtimes.docker_daemon import connect
from support.ci_builder import leftovers
from support.repository import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.docker,
    pytest.mark.network,  # the builder image is made of Debian packages
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("docker"),
]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A build that is over."""

    code: int
    out: str
    log: str

    @property
    def document(self) -> Any:
        assert self.out, self.log
        return json.loads(self.out)

    @property
    def statuses(self) -> list[str]:
        return [step["status"] for step in self.document["steps"]]

    def lines(self, number: int) -> list[str]:
        """What a step wrote."""
        found = re.findall(rf'^Step #{number}(?: - "[^"]*")?: (.*)$', self.log, re.MULTILINE)
        return [line.strip() for line in found]


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A checkout whose build file the tests write."""

    root: Path
    builder: str

    def write(self, *steps: dict[str, Any], **more: Any) -> None:
        """Write the build file; each step's image is the builder."""
        whole = {"steps": [{"name": self.builder, **step} for step in steps], **more}
        (self.root / "cloudbuild.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "eggcrate", "ci-local", "--json", *arguments]

    def environ(self, extra: dict[str, str]) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(HERE / "ci"), **extra}

    def run(self, *arguments: str, extra: dict[str, str] | None = None) -> Ran:
        """Run it to its end; nothing of it may be left."""
        done = subprocess.run(
            self.argv(*arguments),
            cwd=self.root,
            env=self.environ(extra or {}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert not leftovers()
        return Ran(code=done.returncode, out=done.stdout, log=done.stderr)

    @contextlib.contextmanager
    def begun(self) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
        """Run it as far as a step that says ``begun``; the process, and what it tells next."""
        with subprocess.Popen(
            self.argv(),
            cwd=self.root,
            env=self.environ({}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if "begun" in line:
                    break
            yield process, process.stderr


@pytest.fixture
def rig(checkout: Path, builder: str) -> Rig:
    return Rig(root=checkout, builder=builder)


def _sh(script: str, **more: Any) -> dict[str, Any]:
    return {"script": script, **more}


def test_what_a_step_finds(rig: Rig) -> None:
    """Workspace, home, output, variables, folder, entrypoint, script: as the service gives them."""
    python = (
        "#!/usr/bin/env python3\nimport os, sys\nprint(sys.version_info.major, os.environ['A'])"
    )
    rig.write(
        _sh("pwd; cat file new; cat gone; git log --oneline | wc -l; echo kept > $HOME/kept"),
        _sh("pwd; cat $HOME/kept; echo $A $B $_C", dir="environments", env=["A=own"]),
        _sh(python, dir="/builder/home"),
        {"entrypoint": "bash", "args": ["-c", "echo $_C $$A ${SHORT_SHA}", "ignored"]},
        _sh("echo $_C $PROJECT_ID $TAG_NAME.", automapSubstitutions=True),
        _sh("cat /shared/x", volumes=[{"name": "v", "path": "/shared"}]),
        _sh(
            "printf told > $BUILDER_OUTPUT/output; head -c 5000 /dev/zero >> $BUILDER_OUTPUT/output"
        ),
        _sh(
            "cat /other/x; git fetch -q --unshallow; git log --oneline origin/main | wc -l",
            volumes=[{"name": "v", "path": "/other"}],
        ),
        substitutions={"_C": "${BRANCH_NAME^^}"},
        options={"dynamicSubstitutions": True, "env": ["A=global", "B=both"]},
    )
    (rig.root / "new").write_text("untracked\n")
    (rig.root / "file").write_text("changed\n")
    (rig.root / "environments" / ".keep").unlink()
    (rig.root / "environments" / "now").touch()
    yaml_file = rig.root / "cloudbuild.yaml"
    text = yaml_file.read_text().replace("cat /shared/x", "echo in > /shared/x; cat /shared/x")
    yaml_file.write_text(text)
    ran = rig.run()
    assert ran.code == 0, ran.log
    expected = ["/workspace", "changed", "untracked"]
    assert ran.lines(0)[:3] == expected
    assert "1" in ran.lines(0)
    assert ran.lines(1) == ["/workspace/environments", "kept", "own both"]
    assert ran.lines(2) == ["3 global"]
    sha = git(rig.root, "rev-parse", "HEAD")[:7]
    assert ran.lines(3) == [f"MAIN global {sha}"]
    assert ran.lines(4) == ["MAIN ci-local ."]
    assert (ran.lines(5), ran.lines(7)) == (["in"], ["in", "2"])
    outputs = [step["output"] for step in ran.document["steps"]]
    assert outputs[6].startswith("told\0")
    assert len(outputs[6]) == 4096


def test_steps_run_side_by_side_and_in_order(rig: Rig) -> None:
    """``waitFor``: none is all above, ``-`` is nothing, ids are those; steps find each other."""
    rig.write(
        _sh("until [ -e second ]; do sleep 0.05; done; touch first; echo first", id="first"),
        _sh("touch second; getent hosts step_0 | wc -l", id="second", waitFor=["-"]),
        _sh("test -e second && touch third; test ! -e first-later", id="third", waitFor=["second"]),
        _sh("test -e first && test -e third && touch first-later"),
    )
    ran = rig.run()
    assert ran.code == 0, ran.log
    assert ran.lines(1) == ["1"]


@pytest.mark.parametrize(
    ("steps", "more", "statuses", "said"),
    [
        ([_sh("exit 7"), _sh("true")], {}, ["failure", "queued"], "exit code 7"),
        (
            [_sh("exit 7", allowFailure=True), _sh("exit 8", allowExitCodes=[3, 8]), _sh("true")],
            {},
            ["failure", "failure", "success"],
            "",
        ),
        ([_sh("exit 8", allowExitCodes=[7])], {}, ["failure"], "exit code 8"),
        ([_sh("sleep 60", timeout="0.5s"), _sh("true")], {}, ["timeout", "queued"], "0.5 s"),
        ([_sh("sleep 60")], {"timeout": "1s"}, ["cancelled"], "longer than its timeout of 1 s"),
        (
            [_sh("sleep 60"), _sh("sleep 0.3; exit 1", waitFor=["-"])],
            {},
            ["cancelled", "failure"],
            "exit code 1",
        ),
        ([{"entrypoint": "/no/such", "args": []}], {}, ["failure"], "/no/such"),
        ([_sh("true")], {"images": ["localhost/no/such:image"]}, ["success"], "were not made"),
        ([_sh("true", name="localhost:1/no/such")], {}, ["queued"], "cannot be pulled"),
    ],
    ids=lambda value: value if isinstance(value, str) and value else None,
)
def test_how_steps_and_builds_end(
    rig: Rig, steps: list[dict[str, Any]], more: dict[str, Any], statuses: list[str], said: str
) -> None:
    """A step that fails ends the build and what runs beside it, unless it may fail."""
    rig.write(*steps, **more)
    started = time.monotonic()
    ran = rig.run()
    assert ran.statuses == statuses, ran.log
    assert time.monotonic() - started < 30
    assert said in ran.document["error"]
    assert (ran.code == 0) is (not said)


def test_images_that_a_build_makes_are_found(rig: Rig) -> None:
    """``images`` are those of the daemon whose socket each step has."""
    image = f"{rig.builder.rpartition(':')[0]}:made"
    make = (
        "#!/usr/bin/env python3\nimport http.client, socket\n"
        "c = http.client.HTTPConnection('d'); c.sock = socket.socket(socket.AF_UNIX)\n"
        "c.sock.connect('/var/run/docker.sock')\n"
        f"c.request('POST', '/images/{rig.builder}/tag?repo={image.rpartition(':')[0]}&tag=made')\n"
        "print(c.getresponse().status)"
    )
    rig.write(_sh(make), images=[image])
    ran = rig.run()
    with connect() as client:
        client.remove_image(image)
    assert ran.code == 0, ran.log
    assert ran.document["images"] == [image]


def test_secrets_are_taken_from_the_environment(rig: Rig) -> None:
    """``secretEnv`` is what is set here; what is not set is told before anything runs."""
    version = "projects/p/secrets/s/versions/1"
    available = {"secretManager": [{"versionName": version, "env": "TOKEN"}]}
    rig.write(
        _sh("echo is $TOKEN", secretEnv=["TOKEN"]),
        _sh("echo is $TOKEN"),
        availableSecrets=available,
    )
    missing = rig.run(extra={})
    assert missing.code == 1
    assert "secrets are not set here: TOKEN" in missing.log
    ran = rig.run(extra={"TOKEN": "hidden"})
    assert (ran.lines(0), ran.lines(1)) == (["is hidden"], ["is"])


def test_folders_and_variables_of_this_machine(rig: Rig, tmp_path: Path) -> None:
    """``--mount`` and ``--env`` give every step what pip's configuration needs, for one."""
    (tmp_path / "here").write_text("mounted\n")
    rig.write(_sh("cat /inside; echo $ONE $TWO; echo x > /inside || echo read-only"))
    mount = f"--mount={tmp_path / 'here'}:/inside:ro"
    ran = rig.run(mount, "--env=ONE=1", "--env=TWO", "--env=THREE", extra={"TWO": "2"})
    assert {"mounted", "1 2", "read-only"} <= set(ran.lines(0))
    assert rig.run("--mount=/no/such:/inside").code == 2


def test_a_dry_run_checks_and_shows(rig: Rig) -> None:
    """Substitutions are made, and Docker is not asked for anything."""
    rig.write(_sh("true", env=["A=$_A"]), substitutions={"_A": "x"})
    ran = rig.run("--dry-run", "--substitution=_A=y", extra={"DOCKER_HOST": "unix:///no/such"})
    assert ran.document["steps"][0]["env"] == ["A=y"]
    assert rig.run("--substitution=A=y").code == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_builds_leave_nothing(rig: Rig, number: int) -> None:
    """Ctrl-C, and a CI system's stop: containers, volumes and the network are gone, at once."""
    rig.write(_sh("echo begun; sleep 300"), _sh("sleep 300", waitFor=["-"]))
    with rig.begun() as (process, log):
        assert leftovers()
        process.send_signal(number)
        started = time.monotonic()
        told = log.read()
    assert process.returncode == 130
    assert time.monotonic() - started < 20
    assert "interrupted" in told
    assert "Traceback" not in told
    assert not leftovers()


def test_what_a_killed_build_left_is_removed_by_the_next(rig: Rig) -> None:
    """Containers outlive a build that could not clean up, until another one begins."""
    rig.write(_sh("echo begun; sleep 300"))
    with rig.begun() as (process, log):
        process.kill()
        log.read()
    assert leftovers()
    rig.write(_sh("true"))
    assert rig.run().code == 0
