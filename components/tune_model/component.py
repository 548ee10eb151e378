"""Find parameters that a model learns best with."""

from collections.abc import Callable
from typing import NamedTuple, Optional

import numpy as np
import optuna
import pandas as pd
from kfp.dsl import HTML, Artifact, Dataset, Input, Output

from components.shared import evaluation, learning, libraries, pages
from components.shared.archives import write_json
from components.shared.errors import DataError, ModelError
from components.shared.features import learn_features, to_matrix
from components.shared.frames import check_target, read_frame
from components.shared.spaces import check_space, suggest
from components.shared.splits import choose
from eggcrate import component

SCHEMA = "components.tuning/1"


class Tuned(NamedTuple):
    """What was found."""

    parameters: dict
    loss: float
    tried: int


@component
def tune_model(  # noqa: PLR0917 - KFP passes them by name
    train_data: Input[Dataset],
    trials: Output[Artifact],
    report: Output[HTML],
    target: str,
    space: dict,
    flavour: str = "xgboost",
    task: str = "classification",
    parameters: Optional[dict] = None,  # noqa: UP045 - KFP does not read `dict | None`
    max_trials: int = 20,
    validation_share: float = 0.25,
    seed: int = 0,
) -> Tuned:
    """Train with one choice of parameters after another, and judge each on rows kept aside.

    Optuna chooses them with its tree-structured Parzen estimator, each from what came of those
    before. What it finds goes to ``train_model``'s ``parameters``, in any environment.

    Args:
        train_data: A table that a component wrote; every column but the target is a feature.
        trials: Every choice and what came of it, as JSON.
        report: The same as a page.
        target: The column to learn.
        space: Name of a parameter to what it may be: ``{"low": 2, "high": 8}`` (whole numbers
            when both are), with ``"log": true`` by its logarithm; or ``{"choices": ["a", "b"]}``.
        flavour: The library, as for ``train_model``.
        task: ``classification`` or ``regression``.
        parameters: Others, which are not tuned.
        max_trials: How many choices are tried.
        validation_share: Share of the rows that they are judged by.
        seed: Makes the search repeatable.

    Returns:
        The best parameters with those that were not tuned, their loss (``log_loss``, or ``rmse``
        of a regression), and how many trials there were.

    Raises:
        DataError: the table cannot be learned from.
        ModelError: the space, the flavour or a parameter cannot be used. Neither artifact is
            written then.
    """
    libraries.versions(flavour)
    options = learning.Options(task=task, validation_share=validation_share, seed=seed)
    options.check()
    check_space(space, parameters or {})
    if max_trials < 1:
        raise ModelError(f"max_trials is {max_trials}; 1 is the least")
    frame = read_frame(train_data.path, require=[target])
    check_target(frame, target, train_data.path)
    judge = _judge(frame, target, flavour, options)

    def objective(trial: optuna.Trial) -> float:
        return judge({**(parameters or {}), **suggest(trial, space)})

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=max_trials)
    best = {**(parameters or {}), **study.best_params}
    tried = [{"parameters": each.params, "loss": each.value} for each in study.trials]
    _write_page(report.path, f"{task} of {target} by {flavour}", tried, sorted(space))
    document = {"schema": SCHEMA, "flavour": flavour, "best": best, "loss": study.best_value}
    write_json(trials.path, {**document, "trials": tried})
    return Tuned(parameters=best, loss=study.best_value, tried=len(tried))


def _judge(
    frame: pd.DataFrame, target: str, flavour: str, options: learning.Options
) -> Callable[[dict], float]:
    """A function that trains with parameters, and gives the loss on rows kept aside."""
    features = learn_features(frame, target=target)
    classes = learning.classes_of(frame[target]) if options.task == "classification" else None
    count = None if classes is None else len(classes)
    matrix = to_matrix(frame, features)
    categorical = tuple(feature.categorical for feature in features)
    share, stratify = options.validation_share, count is not None
    aside = choose(frame[target], share, stratify=stratify, seed=options.seed).to_numpy()
    kept = frame[target][~aside]
    if not aside.any() or kept.empty or (count and kept.nunique() < count):
        raise DataError(f"the data has {len(frame)} rows, too few to keep {share:.0%} aside")
    truth = np.asarray(evaluation.truth_of(frame[target][aside], classes))

    def judge(parameters: dict) -> float:
        training = learning.prepare(
            kept,
            matrix[~aside],
            categorical=categorical,
            classes=classes,
            options=options,
            parameters=parameters,
        )
        estimator = libraries.fit(flavour, training).estimator
        outputs = libraries.outputs(
            flavour, estimator, matrix[aside], categorical=categorical, classes=count
        )
        return evaluation.loss(truth, outputs, count)

    return judge


def _write_page(path: str, about: str, tried: list, names: list) -> None:
    best, line = float("inf"), []
    for number, each in enumerate(tried, 1):
        best = min(best, each["loss"])
        line.append((float(number), best))
    rows = sorted(tried, key=lambda each: each["loss"])
    table = [
        [at, each["loss"], *(each["parameters"][name] for name in names)]
        for at, each in enumerate(rows, 1)
    ]
    drawn = pages.chart(line, across="trials", up="least loss so far", line=True, diagonal=False)
    pages.write_page(
        path,
        f"Tuning: {about}",
        [("Least loss", drawn), ("Trials", pages.table(["place", "loss", *names], table))],
    )
