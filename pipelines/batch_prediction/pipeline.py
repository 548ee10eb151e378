"""Predict for a table with a model that the training pipeline made."""

from components.predict.component import predict
from kfp import dsl


@dsl.pipeline(description="Predict for every row of a table")
def batch_prediction(source: str, model: str) -> dsl.Dataset:
    """Predict.

    Args:
        source: Address of the table.
        model: Address of the model; made by a library that the environment of the step holds.

    Returns:
        The predictions.
    """
    table = dsl.importer(artifact_uri=source, artifact_class=dsl.Dataset, reimport=False)
    trained = dsl.importer(artifact_uri=model, artifact_class=dsl.Model, reimport=False)
    told = predict(data=table.output, model=trained.output, environment="xgboost-2")
    return told.outputs["predictions"]
