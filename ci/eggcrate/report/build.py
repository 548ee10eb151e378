"""Build results as a table and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.progress import human_size
from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.build.attest import Attested
    from eggcrate.build.engine import BuildResult
    from eggcrate.build.export import Sent
    from eggcrate.build.published import PublishResult

_DIGEST = len("sha256:") + 12


def summary(
    results: Sequence[BuildResult],
    published: Sequence[PublishResult] = (),
    sent: Sent | None = None,
    attested: Sequence[Attested] = (),
) -> str:
    """A table of what was built and published, then the errors.

    Args:
        results: of building.
        published: of publishing; without any, nothing is said about it.
        sent: where images went besides.
        attested: what was published beside them.
    """
    pushed = {(one.image.environment, one.image.platform): one for one in published}
    rows = []
    for result in results:
        row = [
            result.environment,
            result.platform or "-",
            result.verdict.value,
            result.digest[:_DIGEST] or "-",
            human_size(result.size) if result.size else "-",
            f"{result.layers_reused}/{result.layers}" if result.layers else "-",
            human_size(result.new_bytes) if result.layers else "-",
            f"{result.seconds:.1f}",
        ]
        rows.append(row + _pushed(pushed.get((result.environment, result.platform)), published))
    header = ["environment", "platform", "verdict", "digest", "size", "reused", "new", "seconds"]
    if published:
        header += ["pushed", "push seconds"]
    if not rows:
        return "everything is published already: nothing to build"
    text = table(header, rows, right="size reused new seconds pushed")
    notes = [f"{result.environment}: {result.error}" for result in results if result.error]
    notes += [f"{one.image.environment}: {one.error}" for one in published if one.error]
    notes += [f"{one.environment}: not attested: {one.error}" for one in attested if one.error]
    if attested:
        good = [one for one in attested if not one.error]
        signed = sum(one.signed for one in good)
        notes.append(f"attested: {len(good)} of {len(attested)} images, {signed} signed")
    if sent:
        notes += [f"written: {name}" for name in sent.written]
        notes += [f"loaded: docker run --rm -it {name}" for name in sent.loaded]
        notes += [str(sent.error)] if sent.error else []
    return "\n\n".join([text, *notes])


def _pushed(one: PublishResult | None, published: Sequence[PublishResult]) -> list[str]:
    if not published:
        return []
    if one is None:
        return ["-", "-"]
    return [human_size(one.report.new_bytes) if one.report else "FAILED", f"{one.seconds:.1f}"]


def document(
    results: Sequence[BuildResult],
    published: Sequence[PublishResult] = (),
    sent: Sent | None = None,
    attested: Sequence[Attested] = (),
) -> dict[str, Any]:
    """The results as ``eggcrate.build/1``; ``pushed``, ``attested`` are null for what was not."""
    pushed = {(one.image.environment, one.image.platform): one for one in published}
    beside = {(one.environment, one.platform): one for one in attested}
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
                "pushed": _document(pushed.get((result.environment, result.platform))),
                "attested": _beside(beside.get((result.environment, result.platform))),
            }
            for result in results
        ],
        "written": list(sent.written) if sent else [],
        "loaded": list(sent.loaded) if sent else [],
        "error": str(sent.error) if sent and sent.error else "",
    }


def _beside(one: Attested | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "added": list(one.added),
        "signed": one.signed,
        "error": str(one.error) if one.error else "",
    }


def _document(one: PublishResult | None) -> dict[str, Any] | None:
    if one is None:
        return None
    report = one.report
    return {
        "tag": one.image.tag,
        "new_bytes": report.new_bytes if report else 0,
        "uploaded": report.uploaded if report else 0,
        "mounted": report.mounted if report else 0,
        "existed": report.existed if report else 0,
        "seconds": round(one.seconds, 3),
        "error": str(one.error) if one.error else "",
    }
