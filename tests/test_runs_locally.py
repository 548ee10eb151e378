"""Pipelines on this machine: who may open connections, what is pulled, and what is kept."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from support.local_runs import eggcrate, run_pipeline
from support.repository import make_repository, real_packages, users_cache

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.sandbox]
STEP = '''"""Tell how many network interfaces there are: one in a sandbox of its own."""

from eggcrate import component


@component
def {name}(turn: int) -> int:
    """Count them."""
    import socket

    return len(socket.if_nameindex())
'''
PIPELINE = '''"""Both."""

from components.fetch.component import download
from components.plain.component import plain
from kfp import dsl


@dsl.pipeline
def both(turn: int = 1) -> None:
    """Count in both."""
    download(turn=turn)
    plain(turn=turn)
'''


def interfaces(told: dict[str, Any]) -> dict[str, int]:
    return {task["name"]: task["outputs"]["parameters"]["Output"] for task in told["tasks"]}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One environment, a component with ``network = true`` and one without, and a pipeline."""
    cache = users_cache()
    made = make_repository(tmp_path / "repo", cache)
    monkeypatch.setenv("EGGCRATE_CACHE", str(cache))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-docker"))
    monkeypatch.setenv("EGGCRATE_RUNS", "2")
    monkeypatch.setenv("EGGCRATE_RUNTIME", "sandbox")
    made.environment("one", real_packages("gcp-data", "idna"))
    files = {"pipelines/both/pipeline.py": PIPELINE, "components/__init__.py": ""}
    # A component's function is named as its folder, or it is the only one.
    for name, function, more in (("fetch", "download", "network = true"), ("plain", "plain", "")):
        files |= {
            f"components/{name}/__init__.py": "",
            f"components/{name}/component.py": STEP.format(name=function),
            f"components/{name}/pyproject.toml": f'[project]\nname = "{name}"\n'
            f'requires-python = ">=3.11"\n[tool.eggcrate]\nenvironment = "one"\n{more}\n',
        }
    for path, text in files.items():
        (made.root / path).parent.mkdir(parents=True, exist_ok=True)
        (made.root / path).write_text(text)
    return made.root


def test_the_network_and_the_registry(root: Path, registry_server: str) -> None:
    """A component that says ``network = true`` has it, and no other; all have it when asked.

    A compiled file runs where there is no image yet: its images are pulled from the registry in
    their names. Of the runs the newest are kept.
    """
    shown = eggcrate(root, "run", "both", "--dry-run").stdout
    assert "download  -      one (to be built)" in shown
    assert "sha256:0" not in shown
    told = run_pipeline(root, "both")
    found = interfaces(told)
    assert found["download"] > 1
    assert found["plain"] == 1

    registry = f"{registry_server}/runs"
    pushed = eggcrate(root, "build", "--all", "--push", "--registry", registry)
    assert pushed.returncode == 0, pushed.stderr
    compiled = eggcrate(root, "compile", "both", "--registry", registry)
    assert compiled.returncode == 0, compiled.stderr
    file = root / "build" / "pipelines" / "both.yaml"
    assert f"{registry}/one@sha256:" in file.read_text()
    shutil.rmtree(root / ".eggcrate" / "store")
    run_pipeline(root, str(file), "--set", "turn=2")
    assert (root / ".eggcrate" / "store" / "index.json").exists()
    opened = run_pipeline(root, str(file), "--set", "turn=3", "--open-network")
    assert interfaces(opened)["plain"] > 1
    kept = sorted(path.name for path in (root / ".eggcrate" / "runs" / "both").iterdir())
    assert len(kept) == 2
    assert told["run"] not in kept
    assert opened["run"] in kept

    shutil.rmtree(root / ".eggcrate" / "store")
    gone = file.with_name("gone.yaml")
    gone.write_text(file.read_text().replace(f"{registry}/one@", f"{registry}/none@"))
    refused = eggcrate(root, "run", str(gone))
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert "has no runs/none@sha256:" in refused.stderr
