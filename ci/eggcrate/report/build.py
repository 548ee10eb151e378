"""Build results as a table and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.progress import human_size
from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.build.engine import BuildResult

_DIGEST = len("sha256:") + 12


def summary(results: Sequence[BuildResult]) -> str:
    """A table of what was built, then the errors."""
    rows = [
        (
            result.environment,
            result.platform or "-",
            result.verdict.value,
            result.digest[:_DIGEST] or "-",
            human_size(result.size) if result.size else "-",
            f"{result.layers_reused}/{result.layers}" if result.layers else "-",
            human_size(result.new_bytes) if result.layers else "-",
            f"{result.seconds:.1f}",
        )
        for result in results
    ]
    header = ("environment", "platform", "verdict", "digest", "size", "reused", "new", "seconds")
    text = table(header, rows, right="size reused new seconds")
    problems = [f"{result.environment}: {result.error}" for result in results if result.error]
    return "\n\n".join([text, *problems])


def document(results: Sequence[BuildResult]) -> dict[str, Any]:
    """The results as ``eggcrate.build/1``."""
    return {
        "environments": [
            {
                "name": result.environment,
                "platform": result.platform,
                "verdict": result.verdict.value,
                "key": result.key,
                "digest": result.digest,
                "base": result.base,
                "size": result.size,
                "layers": result.layers,
                "layers_reused": result.layers_reused,
                "new_bytes": result.new_bytes,
                "seconds": round(result.seconds, 3),
                "error": str(result.error) if result.error else "",
            }
            for result in results
        ]
    }
