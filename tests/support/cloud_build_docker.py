"""Child builds that really run: their steps on Docker, as ``eggcrate ci-local`` runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eggcrate.cloud.local_registry import THIS_MACHINE
from eggcrate.cloud.step_container import LABEL
from eggcrate.runtimes.docker_daemon import connect
from support.repository import HERE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from support.cloud_build_server import FakeBuild

_KEPT = ("steps", "options", "timeout", "tags")
_WORDS = {"success": "SUCCESS", "timeout": "TIMEOUT"}


@dataclass(frozen=True, kw_only=True)
class OnDocker:
    """What executes builds of a loopback Cloud Build.

    Args:
        root: the checkout that is their source.
        scratch: for their files.
        registry: ``127.0.0.1:PORT/PATH``, which steps reach by another name.
        arguments: of ``ci-local``, such as mounts.
        environ: of ``ci-local``.
    """

    root: Path
    scratch: Path
    registry: str
    arguments: Sequence[str]
    environ: Mapping[str, str]
    processes: list[int] = field(default_factory=list)
    """Of the builds so far."""

    def left(self) -> set[str]:
        """What these builds have in the daemon: names of containers and volumes."""
        found = set()
        with connect() as client:
            for process in self.processes:
                label = {"label": f"{LABEL}={process}"}
                containers = client.containers(all=True, filters=label)
                found |= {name for one in containers for name in one["Names"]}
                volumes = client.volumes(filters=label)["Volumes"] or ()
                found |= {one["Name"] for one in volumes}
        return found

    def __call__(self, build: FakeBuild) -> None:
        """Run one to its end, or until it is cancelled."""
        document = {name: build.document[name] for name in _KEPT}
        # Steps name the registry by this; ci-local lets it through to them.
        document["substitutions"] = {"_REGISTRY": ""}
        text = json.dumps(document).replace("127.0.0.1:", f"{THIS_MACHINE}:")
        config = self.scratch / f"{build.id}.json"
        config.write_text(text.replace("$BUILD_ID", build.id).replace(f"-{build.id}", "-$BUILD_ID"))
        argv = [sys.executable, "-m", "eggcrate", "ci-local", "--json", "--config", str(config)]
        with (
            (self.scratch / f"{build.id}.log").open("w+") as log,
            (self.scratch / f"{build.id}.out").open("w+") as out,
        ):
            process = subprocess.Popen(
                [*argv, "--registry", self.registry, *self.arguments],
                cwd=self.root,
                env={**self.environ, "PYTHONPATH": str(HERE / "ci")},
                stdout=out,
                stderr=log,
            )
            self.processes.append(process.pid)
            while process.poll() is None:
                if build.cancelled.wait(0.1):
                    process.terminate()
                    process.wait(60)
            out.seek(0)
            log.seek(0)
            build.log += log.read().splitlines()
            told: Any = json.loads(out.read() or "{}")
        status = _WORDS.get(told.get("status", ""), "FAILURE")
        failure = "USER_BUILD_STEP" if status == "FAILURE" else ""
        build.end(status, told.get("error", ""), failure)
