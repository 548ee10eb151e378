"""An impact as ``eggcrate.impact/1``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.report.diff import difference_document
from eggcrate.report.policy import violation_document

if TYPE_CHECKING:
    from datetime import date

    from eggcrate.build.layer_cost import LayerCost
    from eggcrate.matrix.cells import CellResult
    from eggcrate.matrix.impact import ComponentImpact, EnvironmentImpact, Impact

SCHEMA = "eggcrate.impact/1"


def document(impact: Impact, today: date) -> dict[str, Any]:
    """All of it, without the schema's name."""
    return {
        "base": impact.base,
        "commit": impact.commit,
        "registry": impact.registry,
        "good": impact.good,
        "changed_files": impact.changed_files,
        "decisions": [
            {
                "weight": one.weight.value,
                "kind": one.kind,
                "subject": one.subject,
                "what": one.what,
                "hint": one.hint,
                "command": one.command,
            }
            for one in impact.decisions
        ],
        "environments": [_environment(one) for one in impact.environments],
        "unchanged": impact.unchanged,
        "components": [_component(one) for one in impact.components],
        "cells": {
            "proven": impact.proven,
            "failed": impact.failed,
            "unproven": impact.unproven,
        },
        "violations": [violation_document(one, today) for one in impact.judgement.violations],
        "errors": {name: str(error) for name, error in impact.errors.items()},
    }


def _environment(one: EnvironmentImpact) -> dict[str, Any]:
    planned = one.planned
    return {
        "name": one.name,
        "platform": one.platform,
        "fate": one.fate.value,
        "verdict": planned.verdict.value if planned else "",
        "reasons": [reason.value for reason in planned.reasons] if planned else [],
        "key_before": one.key_before,
        "key": one.key,
        "image": planned.image if planned else "",
        "base_before": one.base_before,
        "base": one.base,
        "base_moved": one.base_moved,
        "budget": one.budget,
        "layers": _cost(one.cost) if one.cost else None,
        "twins": list(one.twins),
        "renamed_from": one.renamed_from,
        "error": str(one.error) if one.error else "",
        "difference": difference_document(one.difference) if one.difference else None,
    }


def _cost(cost: LayerCost) -> dict[str, Any]:
    return {
        "measured": cost.measured,
        "new": cost.new,
        "count": cost.count,
        "new_bytes": cost.new_bytes,
        "size": cost.size,
        "size_before": cost.size_before,
    }


def _component(one: ComponentImpact) -> dict[str, Any]:
    return {
        "name": one.name,
        "fate": one.fate.value,
        "files": list(one.files),
        "lost": [
            {
                "flavour": lost.cell.flavour,
                "environment": lost.cell.environment,
                "reason": lost.reason,
            }
            for lost in one.lost
        ],
        "gained": [
            {"flavour": cell.flavour, "environment": cell.environment} for cell in one.gained
        ],
        "cells": [_cell(result) for result in one.results],
    }


def _cell(result: CellResult) -> dict[str, Any]:
    return {
        "flavour": result.cell.flavour,
        "environment": result.cell.environment,
        "outcome": result.outcome.value,
        "reason": result.reason,
        "seconds": round(result.seconds, 3),
        "command": result.command,
    }
