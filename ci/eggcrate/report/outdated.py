"""Which pins have newer versions, for people and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eggcrate.build.outdated import Age
    from eggcrate.errors import EggcrateError
    from eggcrate.packages.outdated import Outdated


def ages(found: Iterable[Age], *, everything: bool) -> str:
    """A table for each environment, and what to run.

    Args:
        found: the environments.
        everything: show what only other packages need, too.
    """
    return "\n\n".join(_age(age, everything=everything) for age in found)


def _age(age: Age, *, everything: bool) -> str:
    shown = [one for one in age.outdated if everything or one.direct]
    hidden = len(age.outdated) - len(shown)
    movable = sum(bool(one.allowed) for one in age.outdated)
    head = f"{age.environment}: {len(age.outdated)} of {age.pins} pins have newer versions"
    if not age.outdated:
        return f"{age.environment}: all {age.pins} pins are the newest"
    lines = [head]
    if shown:
        header = ("package", "locked", "allowed", "newest", "kept out by")
        lines.append(table(header, [_row(one) for one in shown]))
    if hidden:
        lines.append(f"{hidden} more that only other packages need: --all")
    if movable:
        lines.append(
            f"next: eggcrate lock {age.environment} --upgrade   ({movable} may move within ranges)"
        )
    return "\n".join(lines)


def _row(one: Outdated) -> tuple[str, str, str, str, str]:
    major = " (major)" if one.major else ""
    return (
        one.package,
        one.version,
        one.allowed or "-",
        f"{one.newest}{major}",
        "; ".join(one.held_by),
    )


def document(found: Iterable[Age], failed: Mapping[str, EggcrateError]) -> dict[str, Any]:
    """``eggcrate.outdated/1``."""
    return {
        "environments": [
            {
                "name": age.environment,
                "pins": age.pins,
                "outdated": [
                    {
                        "package": one.package,
                        "version": one.version,
                        "allowed": one.allowed,
                        "newest": one.newest,
                        "major": one.major,
                        "direct": one.direct,
                        "held_by": list(one.held_by),
                    }
                    for one in age.outdated
                ],
            }
            for age in found
        ],
        "errors": {name: str(error) for name, error in failed.items()},
    }
