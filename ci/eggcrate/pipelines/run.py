"""One compiled component as a command in an image: what Kubeflow would run, where it would."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.pipelines.launch import GivenArtifact, executor_input, resolved
from eggcrate.pipelines.outputs import read_outputs
from eggcrate.runtimes.protocol import Command, Mount

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eggcrate.pipelines.compile import Compiled
    from eggcrate.pipelines.outputs import Outputs
    from eggcrate.runtimes.protocol import Limits, Result

_RAISED = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit)\b(: |$)")
"""The end of a traceback."""
INPUTS = "/eggcrate/inputs"
OUTPUTS = "/eggcrate/outputs"
"""Where a task finds and writes artifacts, as it would below ``/gcs`` or ``/minio``: the only
folder it can write to, besides ``/tmp``."""


@dataclass(frozen=True, kw_only=True)
class InputArtifact:
    """An artifact on this machine that a task is to be given."""

    path: Path
    metadata: Mapping[str, Any]
    name: str
    """Its file's name as the task sees it."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A compiled component with its inputs, ready to run in any image that satisfies it."""

    compiled: Compiled
    command: Command
    folder: Path
    """Where its outputs will be."""

    def outputs(self) -> Outputs:
        """Read what it has written.

        Raises:
            TaskOutputError: something that it promises is missing or not valid.
        """
        return read_outputs(self.compiled.definition, self.folder, OUTPUTS)


def exit_reason(result: Result) -> str:
    """Why a task that ended by itself, and not with 0, says that it did.

    Its two outputs may come in another order than they were written in: an error is told, whatever
    came last.
    """
    lines = [line.strip() for line in result.output.strip().splitlines()]
    raised = [line for line in lines if _RAISED.match(line)]
    last = [*lines[-1:], *raised[-1:]][-1] if lines else "it wrote nothing"
    return f"it ended with exit code {result.exit_code}: {last}"


def make_task(
    compiled: Compiled,
    *,
    parameters: Mapping[str, Any],
    artifacts: Mapping[str, InputArtifact],
    folder: Path,
    limits: Limits,
    env: Mapping[str, str],
    network: bool = False,
) -> Task:
    """Put together what a backend's launcher would.

    Args:
        compiled: the component.
        parameters: by name; those left out have their defaults.
        artifacts: by name.
        folder: an empty folder for what the task writes.
        limits: what it may use.
        env: added to the image's own environment.
        network: whether it may open connections.

    Raises:
        CompileError: an input is unknown, missing or of another type.
    """
    given = executor_input(
        compiled.definition,
        parameters=parameters,
        artifacts={
            name: GivenArtifact(
                uri=f"{INPUTS}/{name}/{item.name}", name=name, metadata=item.metadata
            )
            for name, item in artifacts.items()
        },
        folder=OUTPUTS,
    )
    mounts = [
        Mount(source=item.path, target=f"{INPUTS}/{name}/{item.name}")
        for name, item in artifacts.items()
    ]
    return Task(
        compiled=compiled,
        command=Command(
            argv=(*compiled.bundle.command, *resolved(compiled.arguments, given)),
            limits=limits,
            env=dict(env),
            mounts=(*mounts, Mount(source=folder, target=OUTPUTS, writable=True)),
            network=network,
        ),
        folder=folder,
    )
