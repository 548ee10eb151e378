"""An impact as Markdown, for a pull request: what to decide first, details folded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eggcrate.matrix.decisions import is_jump
from eggcrate.matrix.impact import Fate, Weight
from eggcrate.progress import human_size
from eggcrate.report.diff import counted
from eggcrate.report.impact_details import details
from eggcrate.report.markdown import LIMIT, at_most, fitted, folded, safe
from eggcrate.report.sizes import growth, size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from eggcrate.build.layer_cost import LayerCost
    from eggcrate.matrix.impact import ComponentImpact, Decision, EnvironmentImpact, Impact

MARKER = "<!-- eggcrate-impact -->"
"""By it the comment is found again that is to be replaced."""
WHOLE = "`build/impact.json`"
_MARKS = {Weight.STOP: "❌", Weight.LOOK: "⚠️", Weight.NOTE: "ℹ️"}  # noqa: RUF001 - a sign
_DECISIONS, _ROWS = 12, 7
"""Lines that are not folded."""
_SENTENCE = 300
_NONE = "–"  # noqa: RUF001 - a dash


def markdown(impact: Impact, today: date, extra: Sequence[str] = (), *, limit: int = LIMIT) -> str:
    """The report, of at most ``limit`` characters; what is cut is said.

    Args:
        impact: what to tell.
        today: for entries that ask for an exception.
        extra: sections of plugins, as Markdown.
        limit: characters.
    """
    if impact.nothing and not extra:
        return f"{MARKER}\n{_nothing(impact)}\n"
    heavy = _grouped([one for one in impact.decisions if one.weight is not Weight.NOTE])
    shown = _room(heavy)
    notes = [one for one in impact.decisions if one.weight is Weight.NOTE]
    sections = [
        f"{MARKER}\n## {headline(impact)}\n\n{_summary(impact)}",
        _decisions(heavy[:shown]),
        folded(f"More to decide: {_subjects(heavy[shown:])}", _listed(heavy[shown:])),
        _environments(impact.environments),
        _components(impact.components),
        *extra,
        *details(impact, today),
        folded(f"{len(notes)} note{'s' * (len(notes) != 1)}", _listed(_grouped(notes))),
    ]
    return fitted(filter(None, sections), limit, WHOLE)


def for_terminal(text: str) -> str:
    """The report as a terminal shows it best: code in backticks; else as it is, to be pasted."""
    return re.sub("</?code>", "`", text.replace(f"{MARKER}\n", "", 1).rstrip())


def headline(impact: Impact) -> str:
    """The verdict in a few words."""
    stops = sum(one.weight is Weight.STOP for one in impact.decisions)
    looks = sum(one.weight is Weight.LOOK for one in impact.decisions)
    if stops:
        return f"Impact: ❌ {_things(stops)} to mend before this is merged"
    if looks:
        return f"Impact: ⚠️ {_things(looks)} to decide"
    return "Impact: ✅ nothing stands in the way"


def _things(count: int) -> str:
    return f"{count} thing{'s' * (count != 1)}"


def _nothing(impact: Impact) -> str:
    return f"✅ **Impact: none.** Every environment and component is as it was at {_base(impact)}."


def _base(impact: Impact) -> str:
    return f"{code(impact.base)} ({code(impact.commit[:10])})"


def code(text: str) -> str:
    """A text of anyone's as code that shows just that text."""
    return f"<code>{safe(text)}</code>"


def _summary(impact: Impact) -> str:
    told = [
        f"{count} {fate.value}"
        for fate in Fate
        if (count := len({one.name for one in impact.environments if one.fate is fate}))
    ]
    environments = ", ".join([*told, f"{impact.unchanged} unchanged"])
    cells = [
        f"{count} {word}"
        for count, word in (
            (impact.proven, "proven"),
            (impact.failed, "not good"),
            (impact.unproven, f"not proven yet (run {code('make test-matrix')})"),
        )
        if count
    ]
    return (
        f"Against {_base(impact)}. Environments: {environments}. "
        f"Cells of components concerned: {', '.join(cells) or 'none'}."
    )


def _grouped(found: Sequence[Decision]) -> list[tuple[str, list[Decision]]]:
    """Decisions about one thing together, the heaviest first."""
    groups: dict[str, list[Decision]] = {}
    for one in found:
        groups.setdefault(one.subject, []).append(one)
    return list(groups.items())


def _room(groups: Sequence[tuple[str, list[Decision]]]) -> int:
    """How many groups are shown: those that fit into so many lines, and one at least."""
    lines = 0
    for number, (_, group) in enumerate(groups):
        lines += len(group) + (len(group) > 1)
        if number and lines > _DECISIONS:
            return number
    return len(groups)


def _subjects(groups: Sequence[tuple[str, list[Decision]]]) -> str:
    return ", ".join(at_most([subject for subject, _ in groups], "{} more", 5))


def _decisions(groups: Sequence[tuple[str, list[Decision]]]) -> str:
    return f"### To decide\n\n{_listed(groups)}" if groups else ""


def _listed(groups: Sequence[tuple[str, list[Decision]]]) -> str:
    lines = []
    for subject, group in groups:
        head = f"**{safe(subject)}**"
        if len(group) == 1:
            lines.append(f"- {_MARKS[group[0].weight]} {head}: {_sentence(group[0])}")
            continue
        lines.append(f"- {head}")
        lines += [f"  - {_MARKS[one.weight]} {_sentence(one)}" for one in group]
    return "\n".join(lines)


def _sentence(one: Decision) -> str:
    return (
        safe(one.what, _SENTENCE)
        + (f". Next: {safe(one.hint)}" if one.hint else "")
        + (f" → {code(one.command)}" if one.command else "")
    )


def _environments(found: Sequence[EnvironmentImpact]) -> str:
    if not found:
        return ""
    several = len({(one.platform, one.name) for one in found}) > len({one.name for one in found})
    rows = [
        f"| **{safe(one.name)}**{f' {safe(one.platform)}' if several else ''} "
        f"| {_packages(one)} | {_size(one)} | {_moved(one.cost)} | {_verdict(one)} |"
        for one in found
    ]
    head = ["| environment | packages | unpacked size | new to push and pull | build |"]
    head.append("|---|---|---|---|---|")
    shown = at_most(rows, "| and {} more | | | | |", _ROWS)
    return "\n".join(["### Environments", "", *head, *shown])


def _packages(one: EnvironmentImpact) -> str:
    if one.fate is Fate.REMOVED:
        return "removed"
    if one.difference is None:
        return "cannot be compared"
    if one.fate is Fate.NEW:
        return f"new environment, {one.difference.count} packages"
    if one.fate is Fate.RENAMED:
        return f"renamed from {safe(one.renamed_from)}, {one.difference.count} packages"
    told = [counted(one.difference)] if one.difference.changes else []
    if one.base_moved:
        told.append("base moved" if one.base == one.base_before else f"base {safe(one.base)}")
    return ", ".join(told) or "the same; its settings are not"


def _size(one: EnvironmentImpact) -> str:
    found = one.difference
    if found is None or one.fate is Fate.REMOVED:
        return _NONE
    after, more = found.size_after, found.growth
    told = size(after.unpacked if after else None)
    if one.fate is not Fate.NEW:
        much = growth(more.unpacked if more else None)
        told += f" ({'**' + much + '**' if is_jump(found) else much})"
    if one.budget is not None:
        over = after is not None and after.unpacked > one.budget
        told += f" of {human_size(one.budget)} allowed{' ❌' if over else ''}"
    return told


def _moved(cost: LayerCost | None) -> str:
    if cost is None:
        return _NONE
    if not cost.new:
        return f"nothing: others hold its {cost.count} {'layers' if cost.measured else 'packages'}"
    told = size(cost.new_bytes)
    if cost.measured:
        return f"{told}: {cost.new} of {cost.count} layers"
    return f"about {told}: {cost.new} of {cost.count} packages"


def _verdict(one: EnvironmentImpact) -> str:
    if one.planned is None:
        return _NONE
    reasons = ", ".join(reason.value for reason in one.planned.reasons)
    return one.planned.verdict.value + (f": {reasons}" if reasons else "")


def _components(found: Sequence[ComponentImpact]) -> str:
    if not found:
        return ""
    rows = [_component(one) for one in found]
    head = [
        "| component | change | proven | not good | not proven yet | no longer runs in | new in |"
    ]
    head.append("|---|---|--:|--:|--:|---|---|")
    shown = at_most(rows, "| and {} more | | | | | | |", _ROWS)
    return "\n".join(["### Components", "", *head, *shown])


def _component(one: ComponentImpact) -> str:
    good = sum(
        result.outcome.good and result.outcome.value != "not-selected" for result in one.results
    )
    bad = sum(not result.outcome.good for result in one.results)
    rest = len(one.results) - good - bad
    lost = _places([lost.cell.environment for lost in one.lost])
    gained = _places([cell.environment for cell in one.gained])
    return (
        f"| **{safe(one.name)}** | {one.fate.value} | {good or _NONE} "
        f"| {f'**{bad}** ❌' if bad else _NONE} | {rest or _NONE} | {lost} | {gained} |"
    )


def _places(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    return ", ".join(at_most(map(safe, unique), "{} more", 4)) or _NONE
