"""A plan as a table, as sentences, and as a document."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from eggcrate.build.plan import STABLE, Reason
from eggcrate.build.values import Verdict
from eggcrate.report.table import table

if TYPE_CHECKING:
    from eggcrate.build.plan import Plan, Planned
    from eggcrate.packages.changes import Change

_SHOWN = 3


def summary(plan: Plan) -> str:
    """A table of verdicts, then what is blocked and what is retired."""
    rows = [
        (
            item.environment,
            item.platform or "-",
            item.verdict.value,
            ", ".join(reason.value for reason in item.reasons) or "-",
            _few(item.changes) or "-",
        )
        for item in plan.environments
    ]
    parts = [table(("environment", "platform", "verdict", "reasons", "changes"), rows)]
    parts += [f"{item.environment}: {item.error}" for item in plan.environments if item.error]
    counts = Counter(item.verdict.value for item in plan.environments)
    if len(plan.environments) > 1:
        parts.append(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    if plan.retired:
        parts.append(f"retired (images kept, no folder any more): {', '.join(plan.retired)}")
    return "\n\n".join(parts)


def _few(changes: tuple[Change, ...]) -> str:
    shown = ", ".join(_change(change) for change in changes[:_SHOWN])
    return shown + (f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else "")


def _change(change: Change) -> str:
    if not change.before:
        return f"+{change.package} {change.after}"
    if not change.after:
        return f"-{change.package} {change.before}"
    return f"{change.package} {change.before} -> {change.after}"


def explain(
    plan: Plan, environment: str, git: tuple[str, ...] = (), *, where: str = "published"
) -> str:
    """Plain sentences about one environment.

    Args:
        plan: what was decided.
        environment: its name.
        git: sentences that git adds.
        where: an image is when nothing has to be done about it.
    """
    lines = []
    for item in plan.environments:
        if item.environment == environment:
            lines += _sentences(item, where)
    if not lines and environment in plan.retired:
        lines.append(
            f"{environment} has no folder any more. Its published images are kept; "
            "delete them by hand when no pipeline uses them."
        )
    elif not lines:
        lines.append(f"{environment} has no folder any more, and no published image.")
    return "\n".join([*lines, *git])


def _sentences(item: Planned, where: str) -> list[str]:
    name = f"{item.environment} ({item.platform})" if item.platform else item.environment
    tag = f"key-{item.key[:32]}"
    if item.verdict is Verdict.BLOCKED:
        return [f"{name} cannot be built as it is.", str(item.error)]
    if item.verdict is Verdict.UP_TO_DATE:
        return [f"{name} is up to date: {tag} is {where} as {item.image}."]
    if Reason.FORCED in item.reasons:
        return [f"{name} is to be built because it was asked for; {tag} is {where}."]
    head = f"{name} is to be built: {tag} is not {where}."
    if Reason.NEW in item.reasons:
        return [head, f"No image of it is {where} yet."]
    what = "the stable image" if item.against == STABLE else f"the nearest image, {item.against}"
    return [head, f"Compared with {what}:", *_differences(item)]


def _differences(item: Planned) -> list[str]:
    lines = []
    if Reason.BASE_MOVED in item.reasons:
        lines.append(f"- base {item.base} is another one now (it was {item.base_before}).")
    for change in item.changes:
        if not change.before:
            lines.append(f"- {change.package} {change.after} is new.")
        elif not change.after:
            lines.append(f"- {change.package} {change.before} is gone.")
        else:
            lines.append(f"- {change.package} went from {change.before} to {change.after}.")
    if Reason.MISSING in item.reasons:
        lines.append("- it was published under this key, but the tag is missing now.")
    for change in item.settings:
        before, after = (
            repr(text) if text else "nothing" for text in (change.before, change.after)
        )
        lines.append(f"- {change.package} was {before} and is {after}.")
    if Reason.RECIPE_CHANGED in item.reasons and not item.settings:
        lines.append(
            "- packages and base are the same; a setting such as compile, or Eggcrate's own rules, "
            "are not."
        )
    return lines


def document(plan: Plan) -> dict[str, Any]:
    """The plan as ``eggcrate.plan/1``."""
    return {
        "environments": [
            {
                "name": item.environment,
                "platform": item.platform,
                "verdict": item.verdict.value,
                "reasons": [reason.value for reason in item.reasons],
                "key": item.key,
                "image": item.image,
                "base": item.base,
                "against": item.against,
                "changes": [
                    {"package": change.package, "from": change.before, "to": change.after}
                    for change in item.changes
                ],
                "settings": [
                    {"setting": change.package, "from": change.before, "to": change.after}
                    for change in item.settings
                ],
                "error": str(item.error) if item.error else "",
            }
            for item in plan.environments
        ],
        "retired": list(plan.retired),
    }
