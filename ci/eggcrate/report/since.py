"""Since when environments hold a version, as a table and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from eggcrate.build.since import Stretch
    from eggcrate.repo.git import Commit

_SUBJECT = 60


def text(asked: str, stretches: Sequence[Stretch], uncommitted: Collection[str] = ()) -> str:
    """A table of when each environment held it, and by which commit that began.

    Args:
        asked: what was asked for, such as ``numpy==2.0.*``.
        stretches: when it was held.
        uncommitted: environments whose lock is not the one that was committed last.
    """
    notes = [f"{name}: its lock has changes that are not committed" for name in sorted(uncommitted)]
    if not stretches:
        return "\n".join([f"no committed lock has held {asked}", *notes])
    rows = [
        (
            one.environment,
            ", ".join(one.versions),
            f"{one.begin.date} {one.begin.short}" + ("" if one.begin_known else " or before"),
            f"{one.end.date} {one.end.short}" if one.end else "now",
            one.begin.author,
            shortened(one.begin.subject),
        )
        for one in stretches
    ]
    head = table(("environment", "version", "since", "until", "author", "commit"), rows)
    if any(not one.begin_known for one in stretches):
        notes.append("this clone is shallow: git fetch --unshallow tells what was before")
    return "\n".join([head, *([""] if notes else []), *notes])


def shortened(subject: str) -> str:
    """A commit's first line, cut to what a table has room for."""
    return subject if len(subject) <= _SUBJECT else f"{subject[: _SUBJECT - 1]}…"


def document(package: str, specifier: str, stretches: Sequence[Stretch]) -> dict[str, Any]:
    """The same as ``eggcrate.when/1``."""
    return {
        "package": package,
        "specifier": specifier,
        "stretches": [
            {
                "environment": one.environment,
                "versions": list(one.versions),
                "since": _commit(one.begin),
                "since_or_before": not one.begin_known,
                "until": _commit(one.end) if one.end else None,
            }
            for one in stretches
        ],
    }


def _commit(commit: Commit) -> dict[str, str]:
    return {
        "commit": commit.id,
        "date": commit.date,
        "author": commit.author,
        "subject": commit.subject,
    }
