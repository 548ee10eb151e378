"""What has become of a run on a platform, in one vocabulary for all of them."""

from __future__ import annotations

import enum
from collections.abc import Mapping  # noqa: TC003 - a dataclass field's type
from dataclasses import dataclass
from typing import Any, Protocol


class State(enum.Enum):
    """Of a run or one of its tasks."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    """Done before with the same inputs: the result was taken."""
    SKIPPED = "skipped"
    """Its condition did not hold, or a task that it needs did not succeed."""
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether it stays what it is."""
        return self in _OVER

    @property
    def good(self) -> bool:
        """Whether it stays, and is no failure."""
        return self in (State.SUCCEEDED, State.CACHED, State.SKIPPED)


_OVER = frozenset(
    {State.SUCCEEDED, State.CACHED, State.SKIPPED, State.FAILED, State.CANCELLED, State.PAUSED}
)


@dataclass(frozen=True, kw_only=True)
class TaskState:
    """One task of a run."""

    key: str
    """Identity in the run: a loop runs one name several times."""
    name: str
    state: State
    seconds: float | None = None
    error: str = ""
    logs: str = ""
    """Where its log is read: an address, or a command."""


@dataclass(frozen=True, kw_only=True)
class RunState:
    """A run as it was last seen."""

    name: str
    """What the platform calls it: Vertex AI's resource name, Kubeflow's run id."""
    page: str
    """Address of its page."""
    reference: str
    """What ``eggcrate follow`` takes."""
    state: State
    error: str = ""
    tasks: tuple[TaskState, ...] = ()

    @property
    def failed(self) -> tuple[TaskState, ...]:
        """The tasks to look at first."""
        return tuple(task for task in self.tasks if task.state is State.FAILED)


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A run, decided and not yet made."""

    target: str
    """``vertex`` or ``kubeflow``."""
    pipeline: str
    run: str
    """The name to be shown."""
    job_id: str
    """Vertex AI's identity, chosen here so that trying again makes no second run; else empty."""
    parameters: Mapping[str, Any]
    images: tuple[str, ...]
    options: Mapping[str, Any]
    """What is said of how it is run, by key of ``config.toml``."""
    text: str
    """The compiled pipeline as it is sent."""


class Platform(Protocol):
    """Where runs are made: Vertex AI, Kubeflow."""

    def submit(self, submission: Submission) -> RunState:
        """Make the run.

        Raises:
            SubmitError: it is not taken.
        """

    def look(self, name: str) -> RunState:
        """How a run is.

        Raises:
            SubmitError: there is none, or it may not be seen.
            TransientError: no answer this time.
        """

    def cancel(self, name: str) -> None:
        """Ask for its end; it is over a while later.

        Raises:
            SubmitError: it is refused.
        """
