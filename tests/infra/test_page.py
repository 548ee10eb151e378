"""The page that sets a project up: Google's own program takes each of its commands."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.repository import HERE

if TYPE_CHECKING:
    from pathlib import Path

PAGE = HERE / "docs" / "how-to-set-up-google-cloud.md"
_FENCE = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_VALUE = re.compile(r"\$\{[^}]*\}|\$\w+")
_COMMAND = re.compile(r"(?:^|[|&;{] *)(gcloud .+?)(?= \| | && |;|$)")


def commands(text: str) -> list[str]:
    """Every gcloud command of a page, on one line, with something for each variable."""
    found = []
    for fence in _FENCE.findall(text):
        for line in fence.replace("\\\n", " ").splitlines():
            plain = _VALUE.sub("x1", line.split("  #")[0].strip())
            words = [shlex.split(one.removesuffix("}")) for one in _COMMAND.findall(plain)]
            found += [shlex.join(one) for one in words]
    return found


def _refused(lines: list[str], folder: Path) -> list[str]:
    file = folder / "commands.json"
    file.write_text(
        json.dumps([{"command_string": one, "ref_id": n} for n, one in enumerate(lines)])
    )
    done = subprocess.run(
        ["gcloud", "meta", "lint-gcloud-commands", f"--commands-file={file}"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "CLOUDSDK_CONFIG": str(folder),
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout, done.stderr
    judged = json.loads(done.stdout)
    assert len(judged) == len(lines), done.stderr
    return [
        f"{one['command_string']}: {one['error_message'].splitlines()[0]}"
        for one in judged
        if not one["success"]
    ]


@pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed")
def test_gcloud_takes_every_command(tmp_path: Path) -> None:
    """No command, flag or value is misspelt; one that is, is found."""
    found = commands(PAGE.read_text())
    assert len(found) > 12
    told = _refused([*found, "gcloud builds triggers list --regio=x"], tmp_path)
    assert [one.partition(": ")[0] for one in told] == ["gcloud builds triggers list --regio=x"]


def test_commands_are_found() -> None:
    """In blocks, over several lines, in pipes and functions; values stand for variables."""
    text = '```sh\nA=1 x | gcloud a b --c="$D/e" \\\n  --f   # why\nt() { gcloud g "$1"; }\n```\n'
    assert commands(text) == ["gcloud a b --c=x1/e --f", "gcloud g x1"]
