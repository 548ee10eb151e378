"""What a registry holds, and what became of it, as tables and JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from eggcrate.cloud.cleanup import Fate
from eggcrate.progress import human_size
from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from eggcrate.cloud.artifact_registry import Ensured
    from eggcrate.cloud.cleanup import Decision
    from eggcrate.cloud.inventory import Held, Name

_TAGS = {
    False: "tags can be moved: Google has no exception for stable, which promote moves; tags that "
    "begin with key- are moved by no command of Eggcrate",
    True: "tags can neither be moved nor deleted: eggcrate promote cannot move stable, cleanup "
    "deletes nothing that has a tag, and signatures need a repository of their own",
}
_SHOWN = 19
_TAG = 24


def listing(items: Sequence[Held], used: Mapping[Name, Sequence[str]], now: datetime) -> str:
    """Everything, and who uses it."""
    rows = [[*_columns(item, now), ", ".join(used.get(item.named, ())) or "-"] for item in items]
    if not rows:
        return "there are no images"
    header = ["image", "kind", "digest", "tags", "size", "days", "used by"]
    return table(header, rows, right="size days")


def cleanup(decisions: Sequence[Decision], now: datetime) -> str:
    """What goes and what stays, and why."""
    gone = (Fate.DELETE, Fate.DELETED, Fate.GONE, Fate.FAILED)
    shown = sorted(decisions, key=lambda one: one.fate not in gone)
    rows = [[one.fate.value, *_columns(one.item, now), one.why or "-"] for one in shown]
    if not rows:
        return "there are no images"
    header = ["fate", "image", "kind", "digest", "tags", "size", "days", "why"]
    counts = Counter(one.fate.value for one in decisions)
    told = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    return f"{table(header, rows, right='size days')}\n\n{told}"


def list_document(items: Sequence[Held], used: Mapping[Name, Sequence[str]]) -> dict[str, Any]:
    """The fields of ``eggcrate.registry-list/1``."""
    return {
        "images": [{**_fields(item), "used_by": list(used.get(item.named, ()))} for item in items]
    }


def cleanup_document(decisions: Sequence[Decision], *, dry_run: bool) -> dict[str, Any]:
    """The fields of ``eggcrate.registry-cleanup/1``."""
    return {
        "dry_run": dry_run,
        "images": [
            {**_fields(one.item), "fate": one.fate.value, "why": one.why} for one in decisions
        ],
    }


def ensured(one: Ensured) -> str:
    """What became of a repository, and what that means for its tags and scans."""
    changes = f": {', '.join(one.changes)}" if one.changes else ""
    lines = [f"{one.place.resource}: {one.outcome.value}{changes}", _TAGS[one.immutable]]
    if one.scanning:
        why = f" ({one.why})" if one.why else ""
        lines.append(f"vulnerability scanning is {one.scanning}{why}")
    if one.scanning == "disabled":
        lines.append("  next: gcloud services enable containerscanning.googleapis.com")
    return "\n".join(lines)


def ensure_document(one: Ensured) -> dict[str, Any]:
    """The fields of ``eggcrate.registry-ensure/1``."""
    return {
        "repository": one.place.resource,
        "outcome": one.outcome.value,
        "changes": list(one.changes),
        "immutable_tags": one.immutable,
        "scanning": one.scanning,
    }


def _columns(item: Held, now: datetime) -> list[str]:
    tags = ", ".join(tag if len(tag) <= _TAG else f"{tag[: _TAG - 1]}…" for tag in item.tags)
    days = "?" if item.uploaded is None else str((now - item.uploaded).days)
    return [item.name, item.kind, item.digest[:_SHOWN], tags or "-", human_size(item.size), days]


def _fields(item: Held) -> dict[str, Any]:
    return {
        "name": item.name,
        "kind": item.kind,
        "digest": item.digest,
        "tags": list(item.tags),
        "size": item.size,
        "uploaded": item.uploaded.isoformat() if item.uploaded else None,
    }
