"""The catalogue in the other runtime: what the sandbox says of its cells, Docker says too."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from support.repository import HERE

ENVIRONMENTS = ("gcp-data", "sklearn-1-5", "xgboost-3")
"""Both Pythons, and a library of each kind: the runtime is judged here, not the catalogue."""


@pytest.mark.docker
@pytest.mark.network
@pytest.mark.timeout(1500)
@pytest.mark.xdist_group("docker")
def test_cells_pass_in_docker(docker_daemon: str) -> None:
    """Tests and examples; ``make test-matrix`` proves the whole catalogue in the sandbox."""
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "eggcrate",
            "matrix",
            "--runtime",
            "docker",
            *(f"--environment={name}" for name in ENVIRONMENTS),
            "--no-memory",
            "--json",
        ],
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": str(HERE / "ci")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout, ran.stderr
    document = json.loads(ran.stdout)
    told = {
        f"{cell['component']}[{cell['flavour']}] in {cell['environment']}": cell["reason"]
        for cell in document["cells"]
        if cell["outcome"] not in ("passed", "incompatible")
    }
    assert told == {}
    assert ran.returncode == 0, ran.stderr
    totals = document["totals"]
    assert totals["passed"] + totals["incompatible"] == len(document["cells"])
    assert {cell["runtime"] for cell in document["cells"] if cell["outcome"] == "passed"} == {
        "docker"
    }
