"""What a reviewer of a change has to decide, the heaviest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.matrix.impact import Decision, Fate, Weight
from eggcrate.packages.difference import Step
from eggcrate.progress import human_size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from eggcrate.build.judgement import Judgement
    from eggcrate.errors import EggcrateError
    from eggcrate.matrix.cells import CellResult
    from eggcrate.matrix.impact import ComponentImpact, EnvironmentImpact
    from eggcrate.packages.difference import Difference, PackageChange

JUMP_BYTES = 20_000_000
"""Unpacked bytes of growth that somebody should want."""
_JUMP_SHARE, _JUMP_LEAST = 0.1, 5_000_000
_NAMED = 4
_GROWTH = "max-growth"
_ORDER = {weight: number for number, weight in enumerate(Weight)}


def decisions(
    environments: Sequence[EnvironmentImpact],
    components: Sequence[ComponentImpact],
    judgement: Judgement,
    errors: Mapping[str, EggcrateError],
    unproven: int,
) -> tuple[Decision, ...]:
    """Everything to decide or to know.

    Args:
        environments: that are not as they were.
        components: that the change has to do with.
        judgement: of the changed environments, and of others that are broken by it.
        errors: what stands in the way of proving components.
        unproven: how many cells are not proven yet.
    """
    removed = {one.name for one in environments if one.fate is Fate.REMOVED}
    found = [
        *_errors(errors, environments),
        *_cells(components, removed),
        *_policy(judgement, environments),
        *_unproven(unproven),
        *_sizes(environments, judgement),
        *_upgrades(environments),
        *_twins(environments),
        *_renamed(environments),
        *_removed(environments, components),
    ]
    return tuple(sorted(found, key=lambda one: _ORDER[one.weight]))


def _errors(
    errors: Mapping[str, EggcrateError], environments: Sequence[EnvironmentImpact]
) -> Iterator[Decision]:
    blocked = {
        f"environments/{one.name}": one.error
        for one in environments
        if one.error and one.fate is not Fate.REMOVED
    }
    for subject, error in {**blocked, **errors}.items():
        yield Decision(
            weight=Weight.STOP,
            kind="error",
            subject=subject.rpartition("/")[2],
            what=error.what + (f" ({error.why})" if error.why else ""),
            hint=error.hint,
        )


def _policy(judgement: Judgement, environments: Sequence[EnvironmentImpact]) -> Iterator[Decision]:
    found = {one.name: one.difference for one in environments if one.difference}
    for one in judgement.violations:
        place = f" (set in {one.where})" if one.where else ""
        causes = _causes(found[one.environment]) if one.environment in found else ""
        told = f"{one.rule}: {one.what}{causes if one.rule == _GROWTH else ''}{place}"
        if one.counts:
            late = f"; its exception expired on {one.expired.until}" if one.expired else ""
            yield Decision(
                weight=Weight.STOP,
                kind="policy",
                subject=one.environment,
                what=f"{told}{late}",
            )
        elif one.exception:
            yield Decision(
                weight=Weight.NOTE,
                kind="exception",
                subject=one.environment,
                what=f"{told}: allowed until {one.exception.until}: {one.exception.reason}",
            )
        else:
            yield Decision(weight=Weight.NOTE, kind="policy", subject=one.environment, what=told)
    for error in judgement.errors.values():
        yield Decision(
            weight=Weight.STOP,
            kind="policy",
            subject="policy",
            what=error.what + (f" ({error.why})" if error.why else ""),
            hint=error.hint,
        )


def _cells(components: Sequence[ComponentImpact], removed: Collection[str]) -> Iterator[Decision]:
    for component in components:
        bad: dict[tuple[str, str, str], list[CellResult]] = {}
        for one in component.results:
            if not one.outcome.good:
                key = (one.cell.row, one.outcome.value, one.reason)
                bad.setdefault(key, []).append(one)
        for (row, outcome, reason), results in bad.items():
            places = [one.cell.environment for one in results]
            yield Decision(
                weight=Weight.STOP,
                kind="cell",
                subject=component.name,
                what=f"{_as(row)}{outcome} in {_named(places)}" + (f": {reason}" if reason else ""),
                command=results[0].command,
            )
        lost_for: dict[tuple[str, str], list[str]] = {}
        for lost in component.lost:
            if lost.cell.environment not in removed:  # that is told by itself
                lost_for.setdefault((lost.cell.row, lost.reason), []).append(lost.cell.environment)
        for (row, reason), names in lost_for.items():
            yield Decision(
                weight=Weight.LOOK,
                kind="lost",
                subject=component.name,
                what=f"{_as(row)}no longer runs in {_named(names)}: {reason}",
            )


def _as(row: str) -> str:
    """As which flavour: ``train_model[sklearn]`` is told as ``as sklearn``."""
    _, _, flavour = row.partition("[")
    return f"as {flavour.rstrip(']')} " if flavour else ""


def _sizes(environments: Sequence[EnvironmentImpact], judgement: Judgement) -> Iterator[Decision]:
    told = {one.environment for one in judgement.violations if one.rule == _GROWTH}
    for one in environments:
        found = one.difference
        if one.fate is not Fate.CHANGED or found is None or one.name in told:
            continue
        growth, before = found.growth, found.size_before
        if growth is None or before is None or not is_jump(found):
            continue
        share = f", {growth.unpacked / before.unpacked:+.0%}" if before.unpacked else ""
        yield Decision(
            weight=Weight.LOOK,
            kind="size",
            subject=one.name,
            what=f"grows by {human_size(growth.unpacked)} unpacked{share}{_causes(found)}",
        )


def _causes(found: Difference) -> str:
    """The packages that make it grow most."""
    causes = [
        f"{change.package} +{human_size(change.growth.unpacked)}"
        for change in found.changes[:_NAMED]
        if change.growth and change.growth.unpacked > JUMP_BYTES // 20
    ]
    return f": {', '.join(causes)}" if causes else ""


def is_jump(found: Difference) -> bool:
    """Whether an environment grew by so much that somebody should want it."""
    growth, before = found.growth, found.size_before
    if growth is None or before is None:
        return False
    share = growth.unpacked > _JUMP_SHARE * before.unpacked
    return growth.unpacked > JUMP_BYTES or (share and growth.unpacked > _JUMP_LEAST)


def _upgrades(environments: Sequence[EnvironmentImpact]) -> Iterator[Decision]:
    told: dict[str, list[str]] = {}
    for one in environments:
        if one.difference is None or one.fate is not Fate.CHANGED:
            continue
        changes = [
            change
            for change in one.difference.changes
            if change.step is Step.MAJOR or (change.backwards and change.step is not Step.PATCH)
        ]
        changes.sort(key=lambda change: not change.direct)
        if changes:
            text = ", ".join(map(_moved, changes[:_NAMED]))
            more = f" and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
            names = told.setdefault(f"{text}{more}", [])
            if one.name not in names:
                names.append(one.name)
    for text, names in told.items():
        yield Decision(
            weight=Weight.LOOK, kind="upgrade", subject=_named(names), what=f"takes {text}"
        )


def _moved(change: PackageChange) -> str:
    step = "back" if change.backwards else change.step.value
    return f"{change.package} {change.before} → {change.after} ({step})"


def _twins(environments: Sequence[EnvironmentImpact]) -> Iterator[Decision]:
    for one in environments:
        if one.twins:
            yield Decision(
                weight=Weight.LOOK,
                kind="twin",
                subject=one.name,
                what=f"{_named(one.twins)} would do as well: it holds all that is asked for here",
            )


def _renamed(environments: Sequence[EnvironmentImpact]) -> Iterator[Decision]:
    told = {one.name: one for one in environments if one.fate is Fate.RENAMED}
    for one in told.values():
        yield Decision(
            weight=Weight.LOOK,
            kind="renamed",
            subject=one.name,
            what=f"it was {one.renamed_from}, and holds the same; its image is published under "
            f"the new name, made of the layers that there are, and images of {one.renamed_from} "
            "stay for what is compiled with them",
            hint=f"write {one.name} for {one.renamed_from} in {_named(one.still_named)}"
            if one.still_named
            else "",
        )


def _removed(
    environments: Sequence[EnvironmentImpact], components: Sequence[ComponentImpact]
) -> Iterator[Decision]:
    for name in dict.fromkeys(one.name for one in environments if one.fate is Fate.REMOVED):
        ran = [
            component.name
            for component in components
            if any(lost.cell.environment == name for lost in component.lost)
        ]
        what = "the environment is removed; its published images stay"
        yield Decision(
            weight=Weight.LOOK,
            kind="removed",
            subject=name,
            what=what + (f"; {_named(ran)} ran in it" if ran else ""),
        )
    for component in components:
        if component.fate is Fate.REMOVED:
            yield Decision(
                weight=Weight.LOOK,
                kind="removed",
                subject=component.name,
                what="the component is removed",
            )


def _unproven(unproven: int) -> Iterator[Decision]:
    if unproven:
        cells = f"{unproven} cell{' is' if unproven == 1 else 's are'}"
        yield Decision(
            weight=Weight.LOOK,
            kind="unproven",
            subject="matrix",
            what=f"{cells} not proven yet as of this change",
            command="make test-matrix",
        )


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
