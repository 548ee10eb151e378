"""What an example's task is given, and how its ending is read."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from eggcrate.errors import ConfigError, TaskOutputError
from eggcrate.matrix.cells import Outcome
from eggcrate.matrix.judge import judge
from eggcrate.matrix.proofs import Program
from eggcrate.pipelines.bundle import PYTHON
from eggcrate.pipelines.run import InputArtifact, exit_reason
from eggcrate.runtimes.protocol import Command, Ending

if TYPE_CHECKING:
    from eggcrate.errors import EggcrateError
    from eggcrate.matrix.example_file import Example, Upstream
    from eggcrate.pipelines.outputs import Outputs
    from eggcrate.pipelines.run import Task
    from eggcrate.runtimes.protocol import Limits, Result

_TELL = "import sys; sys.exit(sys.argv[1])"
_TOLD = 60_000
"""Characters that fit into an argument, whatever they are."""


class EndedBadly(Exception):  # noqa: N818 - it is no defect, and never leaves the judging
    """A task did not give what it has to."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


def read(result: Result, task: Task) -> Outputs:
    """What a task has given: it must have exited with 0 and written all that it declares.

    Raises:
        EndedBadly: it has not.
    """
    if result.ending is not Ending.EXITED:
        raise EndedBadly(*judge(result))
    if result.exit_code != 0:
        raise EndedBadly(Outcome.FAILED, exit_reason(result))
    try:
        return task.outputs()
    except TaskOutputError as error:
        raise EndedBadly(Outcome.FAILED, error.sentence) from error


def taken(outputs: Outputs, origin: Upstream, example: Example) -> InputArtifact:
    """An artifact that another example gave, as a store would hand it on: without an ending.

    Raises:
        ConfigError: it gave none of that name.
    """
    found = outputs.artifacts.get(origin.output)
    if found is None or found.path is None:
        raise ConfigError(
            f"{example}: {origin.component}/{origin.case} gives no artifact {origin.output}",
            hint=f"it gives: {', '.join(outputs.artifacts) or 'none'}",
        )
    return InputArtifact(path=found.path, metadata=found.metadata, name=found.path.name)


def beside(example: Example, name: str, value: Any) -> InputArtifact:
    """An artifact that is a file or folder beside the example.

    Raises:
        ConfigError: it is not there, or is not written as one.
    """
    table = {"file": value} if isinstance(value, str) else value
    file = table.get("file") if isinstance(table, dict) else None
    metadata = table.get("metadata", {}) if isinstance(table, dict) else {}
    if (
        not isinstance(file, str)
        or not isinstance(metadata, dict)
        or not set(table) <= {"file", "metadata"}
    ):
        raise ConfigError(
            f"{example}: the input {name} is an artifact, and cannot be {value!r}",
            hint=f'write {name} = "FILE", a file beside example.toml, or '
            f'{name} = {{ example = "component/case", output = "name" }}',
        )
    path = example.path / file
    inside = PurePosixPath(file)
    if inside.is_absolute() or ".." in inside.parts or not path.exists():
        raise ConfigError(f"{example}: there is no {file} beside its example.toml")
    return InputArtifact(path=path, metadata=metadata, name=path.name)


def noting(name: str, limits: Limits) -> Program:
    """A program that does nothing and passes: its name stands in the report."""
    return Program(
        name=name,
        command=Command(argv=(PYTHON, "-c", ""), limits=limits),
        judge=lambda result: (
            (Outcome.PASSED, "") if result.ending is Ending.EXITED else judge(result)
        ),
    )


def telling(name: str, error: EggcrateError, limits: Limits) -> Program:
    """A program that fails and tells why another one could not be put together."""
    return Program(
        name=name,
        command=Command(argv=(PYTHON, "-c", _TELL, str(error)[-_TOLD:]), limits=limits),
        judge=lambda _: (Outcome.FAILED, error.what),
    )
