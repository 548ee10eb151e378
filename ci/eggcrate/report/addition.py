"""What adding packages to an environment comes to, for people and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.progress import human_size
from eggcrate.report import policy
from eggcrate.report.sizes import growth
from eggcrate.report.table import table

if TYPE_CHECKING:
    from datetime import date

    from eggcrate.build.judgement import Judgement
    from eggcrate.build.proposal import Cost, Costs
    from eggcrate.matrix.addition import Addition, Chosen
    from eggcrate.matrix.effects import Effect
    from eggcrate.packages.sizes import Size


def addition(found: Addition, *, written: bool, today: date) -> str:
    """The requirements, each package with what it costs, totals, components, broken rules."""
    parts = ["\n".join(_asked(one, found.proposal.environment.name) for one in found.chosen)]
    if found.costs.packages:
        parts.append(_packages(found.costs))
    parts.append("\n".join([_total(found), *_components(found)]))
    parts += broken_rules(found.judgement, today)
    if not found.changed:
        parts.append("nothing changes: both files are as they were")
    elif not written:
        parts.append("nothing was written (--dry-run)")
    return "\n\n".join(parts)


def broken_rules(judgement: Judgement, today: date) -> list[str]:
    """What the rules say, and how to ask for an exception; nothing where they are content."""
    told = [policy.line(one) for one in judgement.violations]
    told += [f"error: {error}" for error in judgement.errors.values()]
    asking = policy.asking(judgement, today)
    return [*(["\n".join(told)] if told else []), *(["\n".join(asking)] if asking else [])]


def _asked(one: Chosen, environment: str) -> str:
    if not one.requirement:
        stays = f"; {one.name} {one.version} stays, others need it" if one.version else ""
        return f"{environment} no longer asks for {one.name}{stays}"
    line = f"{environment} asks for {one.requirement}"
    why = f", {one.why}" if one.why else ""
    line += f" ({one.version} is locked{why})" if one.version else ""
    if one.newest:
        line += f"\n  {one.newest} is the newest; what else is there keeps it out"
    return line


def _packages(costs: Costs) -> str:
    rows = [_row(cost) for cost in costs.packages]
    return table(("package", "version", "download", "unpacked"), rows, right="download unpacked")


def _row(cost: Cost) -> tuple[str, str, str, str]:
    change = cost.change
    sign = "~" if change.before and change.after else "+" if change.after else "-"
    version = " -> ".join(filter(None, (change.before, change.after)))
    if not cost.installed:
        return f"{sign} {change.package}", version, "", "not on this platform"
    return f"{sign} {change.package}", version, *_sizes(cost)


def _sizes(cost: Cost) -> tuple[str, str]:
    """Download and unpacked: of a change what becomes of it."""
    change, before, after = cost.change, cost.before, cost.after
    if change.before and change.after:
        if before is None or after is None:
            return "?", "?"
        more, larger = after.download - before.download, after.unpacked - before.unpacked
        return growth(more), growth(larger)
    one, minus = (after, "") if change.after else (before, "-")
    if one is None:
        return "?", "?"
    return f"{minus}{human_size(one.download)}", f"{minus}{human_size(one.unpacked)}"


def _total(found: Addition) -> str:
    costs = found.costs
    counts = _counts(found)
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "no change"
    line = (
        f"{told}: {growth(costs.download)} to download, {growth(costs.unpacked)} unpacked; "
        f"{found.proposal.environment.name} is {human_size(costs.after.unpacked)} then"
    )
    if costs.unknown:
        line += f" (without {', '.join(costs.unknown)}: size not known)"
    return line


def _counts(found: Addition) -> dict[str, int]:
    changes = [cost.change for cost in found.costs.packages]
    return {
        "gained": sum(not one.before for one in changes),
        "changed": sum(bool(one.before and one.after) for one in changes),
        "lost": sum(not one.after for one in changes),
    }


def _components(found: Addition) -> list[str]:
    if found.proposal.before is None:
        return ["components were not compared: the lock before could not be used"]
    if not found.effects:
        return ["components: each fits as before"]
    return [_effect(effect) for effect in found.effects]


def _effect(effect: Effect) -> str:
    if effect.fits:
        return f"{effect.row} fits now: it {effect.reason}"
    default = " (this is its default environment)" if effect.default else ""
    return f"{effect.row} no longer fits{default}: it {effect.reason}"


def document(found: Addition, *, written: bool, today: date) -> dict[str, Any]:
    """``eggcrate.add/1`` and ``eggcrate.remove/1``."""
    costs = found.costs
    return {
        "environment": found.proposal.environment.name,
        "written": written and found.changed,
        "requirements": [vars(one) for one in found.chosen],
        "changes": [
            {
                "package": cost.change.package,
                "from": cost.change.before,
                "to": cost.change.after,
                "installed": cost.installed,
                "before": _size(cost.before),
                "after": _size(cost.after),
            }
            for cost in costs.packages
        ],
        "totals": {
            **_counts(found),
            "download": costs.download,
            "unpacked": costs.unpacked,
            "before": _size(costs.before),
            "after": _size(costs.after),
            "unknown": list(costs.unknown),
        },
        "components": [
            {
                "component": effect.row,
                "fits": effect.fits,
                "reason": effect.reason,
                "default": effect.default,
            }
            for effect in found.effects
        ],
        "violations": [policy.violation_document(one, today) for one in found.judgement.violations],
    }


def _size(size: Size | None) -> dict[str, int] | None:
    return None if size is None else {"download": size.download, "unpacked": size.unpacked}
