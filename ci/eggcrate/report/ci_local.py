"""A build that ran here, as a table and as ``eggcrate.ci-local/1``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.report.table import table

if TYPE_CHECKING:
    from eggcrate.cloud.build_file import BuildFile
    from eggcrate.cloud.outcomes import BuildResult

SCHEMA = "eggcrate.ci-local/1"


def summary(result: BuildResult) -> str:
    """Each step, and how the build ended."""
    rows = [
        [
            str(one.step.number),
            one.step.id or "-",
            one.status.value,
            "-" if one.exit_code is None else str(one.exit_code),
            f"{one.seconds:.1f}",
        ]
        for one in result.steps
    ]
    lines = [table(["step", "id", "status", "exit", "seconds"], rows, right="step exit seconds")]
    outputs = [(one.step.label, one.output.rstrip()) for one in result.steps if one.output.strip()]
    lines += [f"\n{label} left for the build's results:\n{output}" for label, output in outputs]
    error = f": {result.error}" if result.error else ""
    lines.append(f"\nbuild {result.id}: {result.status.value} in {result.seconds:.1f} s{error}")
    return "\n".join(lines)


def planned(build: BuildFile) -> str:
    """What would be run."""
    rows = [
        [
            str(step.number),
            step.id or "-",
            step.name,
            ", ".join(step.wait_for) or "all above",
            _first_line(step.script if step.script is not None else " ".join(step.args)),
        ]
        for step in build.steps
    ]
    return table(["step", "id", "image", "waits for", "runs"], rows)


def document(result: BuildResult) -> dict[str, Any]:
    """The fields of ``eggcrate.ci-local/1``."""
    return {
        "build": result.id,
        "status": result.status.value,
        "seconds": round(result.seconds, 3),
        "error": result.error,
        "images": list(result.images),
        "steps": [
            {
                "number": one.step.number,
                "id": one.step.id,
                "image": one.step.name,
                "status": one.status.value,
                "exit_code": one.exit_code,
                "seconds": round(one.seconds, 3),
                "error": one.error,
                "output": one.output,
            }
            for one in result.steps
        ],
    }


def planned_document(build: BuildFile) -> dict[str, Any]:
    """The same of a dry run: steps as they would be run."""
    return {
        "status": "queued",
        "substitutions": dict(build.substitutions),
        "steps": [
            {
                "number": step.number,
                "id": step.id,
                "image": step.name,
                "entrypoint": step.entrypoint,
                "args": list(step.args),
                "script": step.script,
                "env": list(step.env),
                "wait_for": list(step.wait_for),
            }
            for step in build.steps
        ],
    }


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return (lines[0] + (" …" if len(lines) > 1 else "")) if lines else "-"
