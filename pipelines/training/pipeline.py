"""Train a model on a table, judge it and register it; each step in an environment of its own."""

from components.evaluate_model.component import evaluate_model
from components.notify.component import notify
from components.prepare_data.component import prepare_data
from components.register_model.component import register_model
from components.shared.homes import HOMES
from components.train_model.component import train_model
from kfp import dsl


@dsl.pipeline(
    description="Split a table, train a model on one part, judge it by the other, register it"
)
def fitting(  # noqa: PLR0917 - KFP passes them by name
    source: str,
    target: str,
    flavour: str = "xgboost",
    task: str = "classification",
    parameters: dict = {},  # noqa: B006 - KFP reads it, and changes nothing
    early_stopping: int = 0,
    balanced: bool = False,
    test_share: float = 0.25,
    stratify: bool = False,
    slices: list = [],  # noqa: B006 - as above
    seed: int = 0,
    name: str = "model",
    backend: str = "local",
    at_least: dict = {},  # noqa: B006 - KFP reads it, and never changes it
    project: str = "",
    location: str = "",
    serving_image: str = "",
) -> dsl.Model:
    """Train, judge and register: one task for what tells its end.

    Parameters are those of :func:`training`.

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
    models, metrics = [], []
    for number, (library, home) in enumerate(HOMES.items(), 1):
        if number == 1:
            chosen = dsl.If(flavour == library, f"as {library}")
        elif number < len(HOMES):
            chosen = dsl.Elif(flavour == library, f"as {library}")
        else:
            chosen = dsl.Else(f"as {library}")
        with chosen:
            trained = train_model(
                train_data=prepared.outputs["train_data"],
                target=target,
                flavour=flavour,
                task=task,
                parameters=parameters,
                early_stopping=early_stopping,
                balanced=balanced,
                seed=seed,
                environment=home,
            )
            evaluated = evaluate_model(
                test_data=prepared.outputs["test_data"],
                model=trained.outputs["model"],
                slices=slices,
                environment=home,
            )
            models.append(trained.outputs["model"])
            metrics.append(evaluated.outputs["Output"])
    model = dsl.OneOf(*models)
    register_model(
        model=model,
        name=name,
        backend=backend,
        metrics=dsl.OneOf(*metrics),
        at_least=at_least,
        project=project,
        location=location,
        serving_image=serving_image,
        environment="vertex-sdk",
    )
    return model


@dsl.pipeline(
    description="Split a table, train a model, judge it by the rest, register it, tell its end"
)
def training(  # noqa: PLR0917 - KFP passes them by name
    source: str,
    target: str,
    flavour: str = "xgboost",
    task: str = "classification",
    parameters: dict = {},  # noqa: B006 - KFP reads it, and changes nothing
    early_stopping: int = 0,
    balanced: bool = False,
    test_share: float = 0.25,
    stratify: bool = False,
    slices: list = [],  # noqa: B006 - as above
    seed: int = 0,
    name: str = "model",
    backend: str = "local",
    at_least: dict = {},  # noqa: B006 - KFP reads it, and never changes it
    project: str = "",
    location: str = "",
    serving_image: str = "",
    notify_when: str = "failure",
    webhook: str = "",
) -> dsl.Model:
    """Train, judge and register, and tell how it ended.

    Args:
        source: Address of the table: CSV, plain or gzipped.
        target: The column to learn.
        flavour: The library, which decides the environment: ``sklearn``, ``xgboost``,
            ``lightgbm``, ``catboost`` or ``tensorflow``.
        task: ``classification`` or ``regression``.
        parameters: Of the library, under its own names.
        early_stopping: Stop after so many rounds that are no better; 0 trains them all.
        balanced: Let each class count alike.
        test_share: Share of the rows that the model is judged by.
        stratify: Whether to take this share of every value of the target.
        slices: Columns whose values are judged by themselves as well.
        seed: Of the split and of the training.
        name: The model's name where it is registered.
        backend: Where: ``local``, an entry and a model card among the run's artifacts, or
            ``vertex``, Vertex AI's Model Registry.
        at_least: Figures of quality below which the model is not registered.
        project: Google Cloud's project, for ``vertex``.
        location: Its region.
        serving_image: The container that serves the model there.
        notify_when: ``always``, ``failure`` or ``success``.
        webhook: The secret that is the address to tell the end to, ``env:NAME`` or ``file:PATH``;
            the task's log has it when none is given.

    Returns:
        The model.
    """
    made = fitting(
        source=source,
        target=target,
        flavour=flavour,
        task=task,
        parameters=parameters,
        early_stopping=early_stopping,
        balanced=balanced,
        test_share=test_share,
        stratify=stratify,
        slices=slices,
        seed=seed,
        name=name,
        backend=backend,
        at_least=at_least,
        project=project,
        location=location,
        serving_image=serving_image,
    )
    told = notify(  # with every input: KFP wants to see each of a task that runs in any case
        title="training",
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
