"""Train a model on a table and judge it; each step in an environment of its own."""

from components.evaluate_model.component import evaluate_model
from components.prepare_data.component import prepare_data
from components.train_model.component import train_model
from kfp import dsl


@dsl.pipeline(description="Split a table, train a model on one part, judge it by the other")
def training(  # noqa: PLR0917 - KFP passes them by name
    source: str,
    target: str,
    flavour: str = "xgboost",
    task: str = "classification",
    test_share: float = 0.25,
    stratify: bool = False,
    seed: int = 0,
) -> dsl.Model:
    """Train and judge.

    Args:
        source: Address of the table: CSV, plain or gzipped.
        target: The column to learn.
        flavour: The library; the environment of the training step must hold it.
        task: ``classification`` or ``regression``.
        test_share: Share of the rows that the model is judged by.
        stratify: Whether to take this share of every value of the target.
        seed: Of the split and of the training.

    Returns:
        The model.
    """
    table = dsl.importer(artifact_uri=source, artifact_class=dsl.Dataset, reimport=False)
    prepared = prepare_data(
        source=table.output,
        target=target,
        test_share=test_share,
        stratify=stratify,
        seed=seed,
        environment="sklearn-1-7",
    )
    trained = train_model(
        train_data=prepared.outputs["train_data"],
        target=target,
        flavour=flavour,
        task=task,
        seed=seed,
        environment="xgboost-2",
    )
    evaluate_model(
        test_data=prepared.outputs["test_data"],
        model=trained.outputs["model"],
        environment="xgboost-2",
    )
    return trained.outputs["model"]
