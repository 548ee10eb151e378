"""The catalogue in the other runtime: what the sandbox says of every cell, Docker says too."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from support.repository import HERE


@pytest.mark.docker
@pytest.mark.network
@pytest.mark.timeout(1500)
@pytest.mark.xdist_group("docker")
def test_every_cell_passes_in_docker(docker_daemon: str) -> None:
    """All compatible cells, tests and examples; ``make test-matrix`` proves them in the sandbox."""
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "eggcrate",
            "matrix",
            "--runtime",
            "docker",
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
