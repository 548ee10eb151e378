"""Tell whether data has moved away from what a model was trained on."""

from typing import NamedTuple, Optional

import pandas as pd
from kfp.dsl import HTML, Artifact, Dataset, Input, Output

from components.monitor_drift.measures import Measured, is_number, measure
from components.monitor_drift.thresholds import thresholds_of
from components.shared import pages
from components.shared.archives import write_json
from components.shared.errors import DataError
from components.shared.tables import read_table
from eggcrate import component

SCHEMA = "components.drift/1"


class Drift(NamedTuple):
    """What pipelines decide by: ``verdict`` is ``drift`` or ``stable``."""

    verdict: str
    drifted: bool
    columns: list
    share: float


@component
def monitor_drift(  # noqa: PLR0917 - KFP passes them by name
    reference: Input[Dataset],
    current: Input[Dataset],
    report: Output[HTML],
    figures: Output[Artifact],
    columns: Optional[list] = None,  # noqa: UP045 - KFP does not read `list | None`
    thresholds: Optional[dict] = None,  # noqa: UP045 - as above
    least_share: float = 0.0,
    least_rows: int = 30,
) -> Drift:
    """Compare each column of two tables: training data and serving data, or last month and this.

    A column has drifted when one of its measures is beyond its threshold: PSI, the Jensen-Shannon
    distance, or the change of the share of missing values above it, or the p-value of
    Kolmogorov-Smirnov (numbers) or chi-squared (texts) below it. With many rows the smallest
    change is significant, so the p-value counts only where a threshold is set for it.

    Args:
        reference: What the model was trained on.
        current: What it meets now; columns that the reference lacks are not looked at.
        report: A page with a table and, of what drifted, the shares before and now.
        figures: The measures as JSON.
        columns: Those to compare; all of the reference when not given.
        thresholds: ``{"psi": 0.2, "distance": 0.1, "missing": 0.05, "p_value": 0.01}`` for all
            columns, and under a column's name such a table for it; null takes one away.
        least_share: Share of the columns that must have drifted for the verdict; 0 for any.
        least_rows: Fewest rows of each table; below, chance would decide.

    Returns:
        The verdict, the columns that drifted, and their share.

    Raises:
        DataError: a table cannot be read, is too small or lacks a column, a column is numbers in
            one and texts in the other, or a threshold is none. Nothing is written then.
    """
    if not 0 <= least_share <= 1:
        raise DataError(f"least_share is {least_share}; it must lie between 0 and 1")
    before = read_table(reference.path, require=columns or ())
    names = list(columns) if columns else list(before.columns)
    now = read_table(current.path, require=names)
    for artifact, frame in ((reference, before), (current, now)):
        if len(frame) < least_rows:
            raise DataError(
                f"data {artifact.path} has {len(frame)} rows, fewer than least_rows ({least_rows})"
            )
    chosen = thresholds_of(thresholds or {}, names)
    measured = [_compared(name, before[name], now[name]) for name in names]
    beyond = {each.column: chosen[each.column].beyond(each) for each in measured}
    drifted = [name for name, reasons in beyond.items() if reasons]
    share = len(drifted) / len(names)
    verdict = "drift" if drifted and share >= least_share else "stable"
    write_json(
        figures.path,
        {
            "schema": SCHEMA,
            "verdict": verdict,
            "rows": {"reference": len(before), "current": len(now)},
            "columns": [each.to_row() | {"beyond": beyond[each.column]} for each in measured],
        },
    )
    sections = _sections(verdict, measured, beyond, sizes=(len(before), len(now)))
    pages.write_page(report.path, "Drift", sections)
    figures.metadata["verdict"] = verdict
    return Drift(verdict=verdict, drifted=verdict == "drift", columns=drifted, share=share)


def _compared(name: str, before: pd.Series, now: pd.Series) -> Measured:
    empty = before.isna().all() or now.isna().all()
    if is_number(before) != is_number(now) and not empty:
        kinds = ["numbers" if is_number(each) else "texts" for each in (before, now)]
        raise DataError(f"column {name} holds {kinds[0]} in the reference and {kinds[1]} now")
    if is_number(before) != is_number(now):  # nothing but missing values has no type of its own
        before, now = (
            each.astype("object") if each.isna().all() else each for each in (before, now)
        )
        if is_number(before):
            now = now.astype("float64")
        elif is_number(now):
            before = before.astype("float64")
    return measure(name, before, now)


def _sections(
    verdict: str, measured: list[Measured], beyond: dict[str, list], *, sizes: tuple[int, int]
) -> list:
    drifted = [each for each in measured if beyond[each.column]]
    rows = [
        (
            each.column,
            each.kind,
            each.psi,
            each.distance,
            f"{each.p_value:.3g} ({each.test})",
            f"{each.missing_reference:.1%} → {each.missing_current:.1%}",
            "; ".join(beyond[each.column]) or "-",
        )
        for each in measured
    ]
    told = pages.paragraph(
        f"Verdict: {verdict}. {len(drifted)} of {len(measured)} columns drifted, between "
        f"{sizes[0]:,} rows of the reference and {sizes[1]:,} now."
    )
    table = pages.table(
        ("column", "kind", "PSI", "distance", "p-value", "missing", "beyond"),
        rows,
        bad=[number for number, each in enumerate(measured) if beyond[each.column]],
    )
    before_and_now = pages.paragraph("Before in blue, now in orange.")
    drawn = [
        (each.column, before_and_now + pages.pairs(each.labels, each.reference, each.current))
        for each in drifted
    ]
    return [("", told + table), *drawn]
