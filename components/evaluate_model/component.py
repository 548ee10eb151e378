"""Judge a model on data it has not seen."""

from typing import Optional

import numpy as np
import pandas as pd
from kfp.dsl import HTML, Dataset, Input, Metrics, Model, Output

from components.shared import evaluation, pages
from components.shared.archives import write_json
from components.shared.errors import DataError
from components.shared.frames import check_target, read_frame
from components.shared.models import Signature, load_model, read_signature
from eggcrate import component

SCHEMA = "components.metrics/1"
MAX_SLICES = 50
_DRAWN = 1000


@component
def evaluate_model(
    test_data: Input[Dataset],
    model: Input[Model],
    metrics: Output[Metrics],
    report: Output[HTML],
    slices: Optional[list] = None,  # noqa: UP045 - KFP does not read `list | None`
) -> dict:
    """Compute a model's figures of quality, of all rows and of parts of them.

    Args:
        test_data: A table with the model's features and its target.
        model: A model that ``train_model`` wrote.
        metrics: The figures, as its metadata and, with what they are of, as JSON.
        report: A page with the figures, those of each slice, and what is behind them: of a
            classification who is taken for whom, of a regression the truth beside the prediction.
        slices: Columns; the figures are computed for the rows of each of their values too.

    Returns:
        The figures by name: ``accuracy``, ``log_loss`` and, with two classes, ``roc_auc`` of a
        classification; ``rmse``, ``mae`` and ``r2`` of a regression. One that the data does not
        define (``roc_auc`` where all rows are of one class) is left out.

    Raises:
        DataError: the table does not fit the model, or a slice has too many values. Neither
            artifact is written then.
        ModelError: the model cannot be read here.
    """
    signature = read_signature(model.path)
    frame = read_frame(test_data.path, require=[signature.target, *(slices or ())])
    check_target(frame, signature.target, test_data.path)
    truth = evaluation.truth_of(frame[signature.target], signature.classes)
    groups = [(name, *each) for name in slices or () for each in _groups(frame[name])]
    trained = load_model(model.path)
    count = signature.class_count
    outputs = trained.predict(frame) if count is None else trained.probabilities(frame)
    defined = evaluation.figures(truth, outputs, count)
    parts = [
        {
            "column": name,
            "value": value,
            "rows": int(rows.sum()),
            "metrics": evaluation.figures(truth[rows], outputs[rows], count),
        }
        for name, value, rows in groups
    ]
    sections = [
        ("Figures", pages.table(["", "of all rows"], list(defined.items()))),
        *_slices(parts, list(defined)),
        *_behind(truth, outputs, signature),
    ]
    about = f"{signature.task} of {signature.target} by {signature.flavour}"
    pages.write_page(report.path, f"{about}: {len(frame)} rows", sections)
    for name, value in defined.items():
        metrics.log_metric(name, value)
    write_json(
        metrics.path,
        {
            "schema": SCHEMA,
            "flavour": signature.flavour,
            "task": signature.task,
            "target": signature.target,
            "rows": len(frame),
            "metrics": defined,
            "slices": parts,
        },
    )
    return defined


def _groups(column: pd.Series) -> list:
    texts = column.astype("object").where(column.notna(), None).map(str)
    values = sorted(texts.unique())
    if len(values) > MAX_SLICES:
        raise DataError(
            f"the slice {column.name} has {len(values)} values, more than {MAX_SLICES}; "
            "group them first"
        )
    return [(value, (texts == value).to_numpy()) for value in values]


def _slices(parts: list, names: list) -> list:
    rows = [
        [f"{part['column']} {part['value']}", part["rows"]]
        + [part["metrics"].get(name, "-") for name in names]
        for part in parts
    ]
    return [("Slices", pages.table(["", "rows", *names], rows))] if rows else []


def _behind(truth: np.ndarray, outputs: np.ndarray, signature: Signature) -> list:
    if signature.classes is None:
        step = max(1, len(truth) // _DRAWN)
        points = list(zip(truth[::step].tolist(), outputs[::step].tolist(), strict=True))
        drawn = pages.chart(points, across="truth", up="prediction", line=False, diagonal=True)
        return [("Truth and prediction", drawn)]
    names = [str(each) for each in signature.classes]
    table = evaluation.confusion(truth, outputs, signature)
    rows = [[name, *counts] for name, counts in zip(names, table.tolist(), strict=True)]
    sections = [("Class, and as what it is predicted", pages.table(["", *names], rows))]
    if len(names) == 2:  # noqa: PLR2004 - binary
        points = evaluation.roc(truth == 1, outputs[:, 1])
        axes = {"across": "false positives", "up": f"true positives ({names[1]})"}
        sections.append(("ROC curve", pages.chart(points, **axes, line=True, diagonal=True)))
    return sections
