"""What the provider-free module decides, as Terraform itself computes it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from support.repository import HERE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GIVEN = {"project": "acme-ml", "region": "europe-west1", "repository": "images"}


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs Terraform in a copy of the module, where no provider and no network is needed."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed")
    folder = tmp_path_factory.mktemp("terraform") / "plan"
    shutil.copytree(
        HERE / "infra" / "modules" / "plan", folder, ignore=shutil.ignore_patterns(".terraform")
    )
    config = folder.parent / "terraformrc"
    config.write_text("disable_checkpoint = true\n")  # asks nobody for newer versions
    environ = {**os.environ, "TF_CLI_CONFIG_FILE": str(config), "TF_IN_AUTOMATION": "1"}

    def run(*arguments: str, code: int = 0, where: Path = folder) -> str:
        ran = subprocess.run(
            [program, *arguments],
            cwd=where,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stdout

    run("init", "-no-color", "-input=false")
    return run


@pytest.fixture(scope="session")
def decided(
    terraform: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., dict[str, Any]]:
    """Outputs of the module for some variables."""
    known: dict[str, dict[str, Any]] = {}

    def outputs(**variables: object) -> dict[str, Any]:
        key = json.dumps(variables, sort_keys=True)
        if key not in known:
            known[key] = plan(variables)
        return known[key]

    def plan(variables: dict[str, object]) -> dict[str, Any]:
        folder = tmp_path_factory.mktemp("decided")
        given = folder / "given.tfvars.json"
        given.write_text(json.dumps({**GIVEN, **variables}))
        file = str(folder / "plan")
        terraform("plan", "-no-color", "-input=false", f"-var-file={given}", f"-out={file}")
        document = json.loads(terraform("show", "-json", file))
        values = document["planned_values"]["outputs"]
        return {name: one["value"] for name, one in values.items()}

    return outputs
