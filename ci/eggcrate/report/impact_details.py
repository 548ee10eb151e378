"""The folded parts of an impact's Markdown: packages, cells, how to ask for an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.policy import exception_for
from eggcrate.matrix.cells import Outcome
from eggcrate.matrix.impact import Fate
from eggcrate.report.diff import moved
from eggcrate.report.markdown import at_most, fenced, folded, safe
from eggcrate.report.sizes import growth, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from eggcrate.matrix.cells import CellResult
    from eggcrate.matrix.impact import ComponentImpact, EnvironmentImpact, Impact
    from eggcrate.packages.difference import PackageChange

_KEY = 12


def details(impact: Impact, today: date) -> Iterator[str]:
    """What is folded, what a reviewer opens first first."""
    for environment in impact.environments:
        yield _environment(environment, impact.registry)
    for component in impact.components:
        yield _component(component)
    yield _exceptions(impact, today)


def _environment(one: EnvironmentImpact, registry: str) -> str:
    found = one.difference
    if found is None or not found.changes:
        return (
            folded(f"{one.name}: image", _image(one, registry))
            if one.fate is not Fate.REMOVED
            else ""
        )
    rows = [_change(change) for change in found.changes]
    head = ["| package | from | to | change | download | unpacked |", "|---|---|---|---|--:|--:|"]
    shown = at_most(rows, "| and {} more | | | | | |")
    body = "\n".join([*head, *shown, "", "**Bold**: asked for in pyproject.toml."])
    count = f"{len(rows)} package{'s' * (len(rows) != 1)}"
    title = f"{one.name}: {count}{' changed' if one.fate is Fate.CHANGED else ''}"
    return folded(title, "\n\n".join(filter(None, (body, _image(one, registry)))))


def _change(change: PackageChange) -> str:
    name = safe(change.package)
    more = change.growth
    return (
        f"| {f'**{name}**' if change.direct else name} | {safe(change.before) or '–'} "  # noqa: RUF001
        f"| {safe(change.after) or '–'} | {moved(change)} "  # noqa: RUF001 - none
        f"| {growth(more.download if more else None)} | {growth(more.unpacked if more else None)} |"
    )


def _image(one: EnvironmentImpact, registry: str) -> str:
    lines = []
    if one.key:
        before = f"<code>key-{one.key_before[:_KEY]}…</code> → " if one.key_before else ""
        lines.append(f"- image: {before}<code>key-{one.key[:_KEY]}…</code>")
    if one.planned and one.planned.image:
        lines.append(f"- built already: <code>{safe(one.planned.image)}</code>")
    if one.planned and one.planned.against:
        against = safe(one.planned.against)
        count = len(one.planned.changes)
        where = "published" if registry else "in this machine's store"
        lines.append(f"- nearest image {where}: {against}; {count} packages differ from it")
    if one.cost and one.cost.size is not None:
        before = f"{size(one.cost.size_before)} → " if one.cost.size_before else ""
        lines.append(f"- compressed, base and bytecode included: {before}{size(one.cost.size)}")
    if one.base and one.base != one.base_before and one.base_before:
        lines.append(f"- base: {safe(one.base_before)} → {safe(one.base)}")
    return "\n".join(lines)


def _component(one: ComponentImpact) -> str:
    lines = [f"- changed: {safe(path)}" for path in one.files]
    lines = at_most(lines, "- and {} more files", 20)
    lost = [
        f"- no longer in {safe(lost.cell.environment)}: {safe(lost.reason)}" for lost in one.lost
    ]
    gained = [f"- new in {safe(cell.environment)}" for cell in one.gained]
    parts = ["\n".join([*lines, *lost, *gained]), _cells(one.results)]
    return folded(f"{one.name}: cells", "\n\n".join(filter(None, parts)))


def _cells(results: Sequence[CellResult]) -> str:
    rows = [
        f"| {safe(one.cell.row)} | {safe(one.cell.environment)} | {_outcome(one)} "
        f"| {safe(one.reason)} |"
        for one in results
    ]
    if not rows:
        return ""
    head = ["| component | environment | outcome | why |", "|---|---|---|---|"]
    return "\n".join([*head, *at_most(rows, "| and {} more | | | |")])


def _outcome(one: CellResult) -> str:
    if one.outcome is Outcome.NOT_SELECTED:
        return "not proven yet"
    return one.outcome.value if one.outcome.good else f"**{one.outcome.value}**"


def _exceptions(impact: Impact, today: date) -> str:
    """How to ask for what: an entry for each violation."""
    parts = [
        f"# in environments/{one.environment}/pyproject.toml\n{exception_for(one, today)}\n"
        for one in impact.judgement.violations
        if one.counts
    ]
    if not parts:
        return ""
    told = (
        "Change what breaks the rule, or add an entry with the reason; whoever owns the rules "
        "reviews it, and it ends on its day."
    )
    entries = "\n".join(at_most(parts, "# and {} more", 5))
    return folded("How to ask for an exception", f"{told}\n\n{fenced(entries)}")
