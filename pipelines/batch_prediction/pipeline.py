"""Predict for a table with a model that the training pipeline made."""

from components.predict.component import predict
from components.shared.homes import HOMES
from kfp import dsl


@dsl.pipeline(description="Predict for every row of a table")
def batch_prediction(
    source: str,
    model: str,
    flavour: str = "xgboost",
    keep: list = [],  # noqa: B006 - KFP reads it, and changes nothing
    chunk_rows: int = 50_000,
) -> dsl.Dataset:
    """Predict.

    Args:
        source: Address of the table.
        model: Address of the model.
        flavour: The library that made the model, which decides the environment.
        keep: Columns of the table, such as a key, to put before the predictions.
        chunk_rows: How many rows are held at once.

    Returns:
        The predictions.
    """
    table = dsl.importer(artifact_uri=source, artifact_class=dsl.Dataset, reimport=False)
    trained = dsl.importer(artifact_uri=model, artifact_class=dsl.Model, reimport=False)
    found = []
    for number, (name, home) in enumerate(HOMES.items(), 1):
        if number == 1:
            chosen = dsl.If(flavour == name, f"as {name}")
        elif number < len(HOMES):
            chosen = dsl.Elif(flavour == name, f"as {name}")
        else:
            chosen = dsl.Else(f"as {name}")
        with chosen:
            told = predict(
                data=table.output,
                model=trained.output,
                keep=keep,
                chunk_rows=chunk_rows,
                environment=home,
            )
            found.append(told.outputs["predictions"])
    return dsl.OneOf(*found)
