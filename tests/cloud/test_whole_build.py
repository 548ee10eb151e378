"""The repository's own ``cloudbuild.yaml``, as it is, on Docker: a pull request and main."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from support.ci_builder import leftovers, package_settings
from support.repository import HERE, take_debs
from support.small_checkout import small_checkout

if TYPE_CHECKING:
    from pathlib import Path

_STEPS = [
    *("set-up", "unit-tests", "plan", "build", "matrix"),
    *("push", "promote", "compile", "upload", "impact"),
]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A build that is over."""

    code: int
    document: dict[str, Any]
    log: str

    @property
    def statuses(self) -> dict[str, str]:
        return {step["id"]: step["status"] for step in self.document["steps"]}

    def step(self, name: str) -> str:
        """What a step wrote."""
        number = _STEPS.index(name)
        prefix = f'Step #{number} - "{name}": '
        lines = self.log.splitlines()
        return "\n".join(line.removeprefix(prefix) for line in lines if line.startswith(prefix))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository with two small environments, two components and a pipeline."""
    return small_checkout(tmp_path_factory.mktemp("small") / "repository")


@pytest.mark.docker
@pytest.mark.network
@pytest.mark.timeout(900)
@pytest.mark.xdist_group("docker")
def test_a_pull_request_and_main_run_the_file_as_it_is(
    small: Path, tmp_path: Path, builder: str, registry_server: str
) -> None:
    """A pull request proves everything and publishes nothing; main proves it, and publishes.

    Each begins with an empty workspace and cache; pip's downloads alone are shared.
    """
    registry = f"{registry_server}/ci"
    asked = _run(small, tmp_path / "asked", builder, registry, "--pull-request")
    assert asked.code == 0, asked.log
    assert asked.statuses == dict.fromkeys(_STEPS, "success")
    assert "3 passed" in asked.step("matrix")
    for name in ("push", "promote", "compile", "upload"):
        assert asked.step(name) == "left out: nothing is published here (_PUSH=false)"
    assert "components/shared/words.py" in asked.step("impact")
    assert {tag.partition(":")[2].partition("-")[0] for tag in _tags(registry_server)} == {"proof"}

    done = _run(small, tmp_path / "done", builder, registry, "--main")
    assert done.code == 0, done.log
    assert done.statuses == dict.fromkeys(_STEPS, "success")
    tags = _tags(registry_server)
    assert {"ci/one:stable", "ci/two:stable"} <= tags
    keys = {tag.partition(":")[0] for tag in tags if ":key-" in tag}
    assert {"ci/one", "ci/two"} <= keys
    output = next(step["output"] for step in done.document["steps"] if step["id"] == "push")
    assert output.count("@sha256:") == 2
    assert "both" in done.step("compile")
    assert done.step("upload") == (
        "both: left out: there is no place for it (_PIPELINES, or [upload] in its config.toml)"
    )
    # The registry knows what the pull request proved; this machine never did.
    assert "3 not-selected" in done.step("matrix")
    assert not leftovers()


def _run(root: Path, cache: Path, builder: str, registry: str, *arguments: str) -> Ran:
    cache.mkdir()
    take_debs(cache)
    downloads = cache.parent / "pip"
    downloads.mkdir(exist_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "eggcrate", "ci-local", "--json"),
            *("--registry", registry, "--substitution", f"_BUILDER={builder}"),
            *package_settings(),
            f"--mount={cache}:/builder/home/.cache/eggcrate",
            f"--mount={downloads}:/builder/home/.cache/pip",
            *arguments,
        ],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(HERE / "ci")},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(
        code=done.returncode,
        document=json.loads(done.stdout) if done.stdout else {},
        log=done.stderr,
    )


def _tags(registry: str) -> set[str]:
    def ask(path: str) -> Any:
        with urllib.request.urlopen(f"http://{registry}/v2/{path}", timeout=20) as answer:
            return json.load(answer)

    return {
        f"{name}:{tag}"
        for name in ask("_catalog?n=1000")["repositories"]
        if name.startswith("ci/")
        for tag in ask(f"{name}/tags/list")["tags"] or ()
    }
