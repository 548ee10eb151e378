"""Promotions as a table and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.build.promote import Promotion

_DIGEST = len("sha256:") + 12


def summary(promotions: Sequence[Promotion]) -> str:
    """A table of what moved, then the errors."""
    rows = [
        (
            one.environment,
            one.tag,
            one.outcome.value,
            one.before[:_DIGEST] or "-",
            one.digest[:_DIGEST] or "-",
        )
        for one in promotions
    ]
    parts = [table(("environment", "tag", "outcome", "from", "to"), rows)]
    parts += [f"{one.environment}: {one.error}" for one in promotions if one.error]
    return "\n\n".join(parts)


def document(promotions: Sequence[Promotion]) -> dict[str, Any]:
    """The promotions as ``eggcrate.promote/1``."""
    return {
        "environments": [
            {
                "name": one.environment,
                "tag": one.tag,
                "outcome": one.outcome.value,
                "from": one.before,
                "to": one.digest,
                "images": [
                    {"platform": image.platform, "digest": image.digest} for image in one.images
                ],
                "error": str(one.error) if one.error else "",
            }
            for one in promotions
        ]
    }
