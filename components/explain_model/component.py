"""Tell which features a model goes by."""

import random

import pandas as pd
from kfp.dsl import HTML, Artifact, Dataset, Input, Model, Output

from components.shared import evaluation, libraries, models, pages
from components.shared.archives import write_json
from components.shared.errors import DataError
from components.shared.frames import check_target, read_frame
from eggcrate import component

SCHEMA = "components.importances/1"


@component
def explain_model(  # noqa: PLR0917 - KFP passes them by name
    data: Input[Dataset],
    model: Input[Model],
    importances: Output[Artifact],
    report: Output[HTML],
    repeats: int = 5,
    max_rows: int = 5000,
    seed: int = 0,
) -> dict:
    """Shuffle one feature at a time, and see how much worse the model predicts.

    This is permutation importance (L. Breiman, Random Forests, 2001): the same measure for a
    model of any library. What the library itself keeps of a feature's use stands beside it.

    Args:
        data: A table with the model's features and its target, best one it was not trained on.
        model: A model that ``train_model`` wrote.
        importances: Of each feature, as JSON: the most important first.
        report: The same as a page.
        repeats: How often each feature is shuffled.
        max_rows: How many rows are looked at; of a larger table some are chosen at random.
        seed: Of shuffling and choosing.

    Returns:
        By how much the loss (``log_loss``, or ``rmse`` of a regression) grows on average when
        the feature is shuffled, by its name.

    Raises:
        DataError: the table does not fit the model. Neither artifact is written then.
        ModelError: the model cannot be read here.
    """
    if repeats < 1 or max_rows < 1:
        raise DataError(f"repeats is {repeats} and max_rows {max_rows}; 1 is the least of both")
    signature = models.read_signature(model.path)
    frame = read_frame(data.path, require=[signature.target])
    check_target(frame, signature.target, data.path)
    generator = random.Random(seed)  # noqa: S311 - a shuffle is no secret
    if len(frame) > max_rows:
        frame = frame.iloc[sorted(generator.sample(range(len(frame)), max_rows))]
    truth = evaluation.truth_of(frame[signature.target], signature.classes)
    trained = models.load_model(model.path)
    whole = _loss(trained, frame, truth)
    found = []
    for feature in signature.features:
        grown = []
        for _ in range(repeats):
            order = list(range(len(frame)))
            generator.shuffle(order)
            shuffled = frame[feature.name].iloc[order].set_axis(frame.index)
            grown.append(_loss(trained, frame.assign(**{feature.name: shuffled}), truth) - whole)
        spread = float(pd.Series(grown).std(ddof=0))
        found.append({"feature": feature.name, "growth": sum(grown) / repeats, "spread": spread})
    own = libraries.importances(signature.flavour, trained.estimator)
    for row, value in zip(found, own or [None] * len(found), strict=True):
        row["library"] = value
    found.sort(key=lambda row: (-row["growth"], row["feature"]))
    _write_page(report.path, signature, found, whole, len(frame))
    loss = "rmse" if signature.classes is None else "log_loss"
    document = {"schema": SCHEMA, "loss": loss, "value": whole, "rows": len(frame)}
    write_json(importances.path, {**document, "flavour": signature.flavour, "importances": found})
    return {row["feature"]: row["growth"] for row in found}


def _loss(trained: models.Model, frame: pd.DataFrame, truth: object) -> float:
    count = trained.signature.class_count
    outputs = trained.predict(frame) if count is None else trained.probabilities(frame)
    return evaluation.loss(truth, outputs, count)


def _write_page(
    path: str, signature: models.Signature, found: list, whole: float, rows: int
) -> None:
    about = f"What {signature.flavour} goes by for {signature.target}"
    loss = "root mean squared error" if signature.classes is None else "log loss"
    told = f"On {rows} rows the {loss} is {whole:.4g}; so much it grows when a feature is shuffled."
    names = ("feature", "growth", "spread", "library")
    table = [["-" if row[name] is None else row[name] for name in names] for row in found]
    head = ["feature", "growth", "spread", "the library's own measure"]
    drawn = pages.bars([(row["feature"], row["growth"]) for row in found])
    sections = [("Growth of the loss", pages.paragraph(told) + drawn)]
    pages.write_page(path, about, [*sections, ("In figures", pages.table(head, table))])
