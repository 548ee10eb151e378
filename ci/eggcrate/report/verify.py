"""What was checked of images, as a table and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.build.verify import Verified

_DIGEST = len("sha256:") + 12


def text(images: Sequence[Verified]) -> str:
    """A line for each check."""
    rows = [
        (image.environment, image.digest[:_DIGEST], check.name, check.outcome.value, check.told)
        for image in images
        for check in image.checks
    ]
    return table(("environment", "image", "check", "outcome", ""), rows)


def document(images: Sequence[Verified]) -> dict[str, Any]:
    """The checks as ``eggcrate.verify/1``."""
    return {
        "images": [
            {
                "environment": image.environment,
                "platform": image.platform,
                "digest": image.digest,
                "key": image.key,
                "good": image.good,
                "revision": image.provenance.revision if image.provenance else "",
                "builder": image.provenance.builder if image.provenance else "",
                "checks": [
                    {"name": check.name, "outcome": check.outcome.value, "told": check.told}
                    for check in image.checks
                ],
            }
            for image in images
        ]
    }
