"""What is told of a pipeline's end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfp.dsl import PipelineTaskFinalStatus


@dataclass(frozen=True, kw_only=True)
class Message:
    """A first line, and the rest."""

    subject: str
    body: str
    succeeded: bool


def message_of(status: PipelineTaskFinalStatus, *, title: str, text: str) -> Message:
    """Put a status into words."""
    run = status.pipeline_job_resource_name or ""
    name = title or run.rpartition("/")[2] or "pipeline"
    succeeded = status.state == "SUCCEEDED"
    state = (status.state or "ended").lower()
    subject = " ".join(f"{name}: {state}".split())  # one line, whatever the title
    lines = [subject]
    if run:
        lines.append(f"run: {run}")
    if status.error_message:
        code = f" (code {status.error_code})" if status.error_code else ""
        lines.append(f"error{code}: {status.error_message}")
    if text:
        lines.append(text)
    return Message(subject=subject, body="\n".join(lines), succeeded=succeeded)
