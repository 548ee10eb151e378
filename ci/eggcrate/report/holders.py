"""Who holds a package, as a table and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.build.holders import Holder, Query


def text(query: Query, holders: Sequence[Holder], looked: str) -> str:
    """A table of who holds it, and through what.

    Args:
        query: what was asked.
        holders: who holds it.
        looked: where was looked, in words.
    """
    if not holders:
        return f"nothing holds {query} ({looked})"
    rows = [(one.name, one.version, _through(one), _of(one)) for one in holders]
    head = table(("holder", query.name, "through", "of"), rows)
    return f"{head}\n\n{len(holders)} hold{'s' * (len(holders) == 1)} {query} ({looked})"


def _through(one: Holder) -> str:
    if one.chain is None:
        return "-"
    return "direct" if len(one.chain) == 1 else " > ".join(one.chain)


def _of(one: Holder) -> str:
    return ", ".join(one.used_by) if one.used_by else ", ".join(one.platforms) or "-"


def document(query: Query, holders: Sequence[Holder]) -> dict[str, Any]:
    """The same as ``eggcrate.whohas/1``."""
    return {
        "package": query.name,
        "specifier": query.specifier,
        "holders": [
            {
                "name": one.name,
                "kind": "image" if one.digest else "environment",
                "version": one.version,
                "direct": len(one.chain) == 1 if one.chain else None,
                "chain": list(one.chain) if one.chain else None,
                "platforms": list(one.platforms),
                "digest": one.digest,
                "used_by": list(one.used_by),
            }
            for one in holders
        ],
    }
