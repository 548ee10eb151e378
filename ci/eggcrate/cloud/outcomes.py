"""How builds and their steps end, in Cloud Build's words."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eggcrate.cloud.build_file import Step


class Status(enum.Enum):
    """Of a step, or of a build."""

    QUEUED = "queued"
    """It did not begin."""
    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What became of a step."""

    step: Step
    status: Status
    exit_code: int | None = None
    seconds: float = 0.0
    error: str = ""
    """Why it failed, where its exit code does not say it."""
    output: str = ""
    """What it wrote to ``$BUILDER_OUTPUT/output``: Cloud Build keeps it with the build."""

    @property
    def allowed(self) -> bool:
        """Whether the build goes on after it."""
        if self.status is Status.SUCCESS:
            return True
        failed = self.status is Status.FAILURE and self.exit_code is not None
        return failed and (self.step.allow_failure or self.exit_code in self.step.allow_exit_codes)


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """What became of a build."""

    id: str
    status: Status
    steps: tuple[StepResult, ...]
    seconds: float
    error: str = ""
    images: tuple[str, ...] = ()
    """Those it lists, which are there."""
