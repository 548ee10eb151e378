"""Predict for a table with a model that the training pipeline made."""

from components.notify.component import notify
from components.predict.component import predict
from components.shared.homes import HOMES
from kfp import dsl


@dsl.pipeline(description="Predict for every row of a table")
def predicting(source: str, model: str, flavour: str, keep: list, chunk_rows: int) -> dsl.Dataset:
    """Predict, and nothing else: one task for what tells its end.

    Args:
        source: Address of the table.
        model: Address of the model.
        flavour: The library that made the model, which decides the environment.
        keep: Columns of the table to put before the predictions.
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


@dsl.pipeline(description="Predict for every row of a table, tell its end")
def batch_prediction(  # noqa: PLR0917 - KFP passes them by name
    source: str,
    model: str,
    flavour: str = "xgboost",
    keep: list = [],  # noqa: B006 - KFP reads it, and changes nothing
    chunk_rows: int = 50_000,
    notify_when: str = "failure",
    webhook: str = "",
) -> dsl.Dataset:
    """Predict, and tell how it ended.

    Args:
        source: Address of the table.
        model: Address of the model.
        flavour: The library that made the model, which decides the environment.
        keep: Columns of the table, such as a key, to put before the predictions.
        chunk_rows: How many rows are held at once.
        notify_when: ``always``, ``failure`` or ``success``.
        webhook: The secret that is the address to tell the end to, ``env:NAME`` or ``file:PATH``;
            the task's log has it when none is given.

    Returns:
        The predictions.
    """
    made = predicting(source=source, model=model, flavour=flavour, keep=keep, chunk_rows=chunk_rows)
    told = notify(  # with every input: KFP wants to see each of a task that runs in any case
        title="batch prediction",
        text="",
        when=notify_when,
        webhook=webhook,
        mail_to="",
        mail_from="",
        smtp_host="",
        smtp_port=587,
        smtp_user="",
        smtp_password="",
        smtp_security="starttls",
        required=False,
        environment="monitoring",
    )
    told.after(made).ignore_upstream_failure()  # what gives something can be in no exit handler
    return made.output
