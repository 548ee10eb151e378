"""The difference between two states of an environment, as a table and as a document."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from eggcrate.packages.difference import Step
from eggcrate.report.sizes import growth, size
from eggcrate.report.table import table

if TYPE_CHECKING:
    from eggcrate.build.states import State
    from eggcrate.packages.difference import Difference, PackageChange
    from eggcrate.packages.sizes import Size

_ORDER = (Step.NEW, Step.MAJOR, Step.MINOR, Step.PATCH, Step.FILE, Step.OTHER, Step.REMOVED)


def text(before: State, after: State, found: Difference) -> str:
    """What became of each package, the one that changes the size most first."""
    head = f"{before.name} -> {after.name}"
    missing = [one.name for one in (before, after) if not one.there]
    notes = [f"there is no {name}" for name in missing]
    if before.renamed or after.renamed:
        notes.append("renamed: the lock is the same; images are published under the new name")
    if not found.changes:
        return "\n".join([head, *notes, f"no difference: {found.count} packages"])
    return "\n".join([head, *notes, changed(found)])


def changed(found: Difference) -> str:
    """Counts and sizes, and a table of what became of each package."""
    lines = [f"{counted(found)}; {found.count} packages now", _sizes(found), ""]
    rows = [
        (
            f"{'*' if change.direct else ' '} {change.package}",
            change.before or "-",
            change.after or "-",
            moved(change),
            growth(change.growth.download if change.growth else None),
            growth(change.growth.unpacked if change.growth else None),
        )
        for change in found.changes
    ]
    header = ("  package", "from", "to", "change", "download", "unpacked")
    lines.append(table(header, rows, right="download unpacked"))
    if any(change.direct for change in found.changes):
        lines += ["", "* is asked for in pyproject.toml; the others are required by such"]
    return "\n".join(lines)


def moved(change: PackageChange) -> str:
    """How far, in words: ``major``, ``minor, backwards``."""
    return f"{change.step.value}{', backwards' * change.backwards}"


def counted(found: Difference) -> str:
    """How many changes of each kind: ``1 new, 2 major``."""
    counts = Counter(change.step for change in found.changes)
    return ", ".join(f"{counts[step]} {step.value}" for step in _ORDER if counts[step])


def _sizes(found: Difference) -> str:
    now, more = found.size_after, found.growth
    return (
        f"download {size(now.download if now else None)} "
        f"({growth(more.download if more else None)}), "
        f"unpacked {size(now.unpacked if now else None)} "
        f"({growth(more.unpacked if more else None)})"
    )


def document(environment: str, before: State, after: State, found: Difference) -> dict[str, Any]:
    """The difference as ``eggcrate.diff/1``."""
    return {
        "environment": environment,
        "from": _state(before),
        "to": _state(after),
        "renamed": before.renamed or after.renamed,
        **difference_document(found),
    }


def difference_document(found: Difference) -> dict[str, Any]:
    """Changes and sizes, as several documents hold them; bytes, ``null`` where not known."""
    return {
        "packages": found.count,
        "size_before": size_document(found.size_before),
        "size_after": size_document(found.size_after),
        "changes": [
            {
                "package": change.package,
                "from": change.before,
                "to": change.after,
                "step": change.step.value,
                "backwards": change.backwards,
                "direct": change.direct,
                "size_before": size_document(change.size_before),
                "size_after": size_document(change.size_after),
            }
            for change in found.changes
        ],
    }


def size_document(told: Size | None) -> dict[str, int] | None:
    """A size for programs."""
    return {"download": told.download, "unpacked": told.unpacked} if told else None


def _state(state: State) -> dict[str, Any]:
    return {
        "name": state.name,
        "exists": state.there,
        "key": state.key,
        "image": state.digest,
    }
