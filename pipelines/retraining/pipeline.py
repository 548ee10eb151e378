"""Train again when the data has moved away from what the model was trained on."""

from components.monitor_drift.component import monitor_drift
from components.notify.component import notify
from kfp import dsl
from pipelines.training.pipeline import fitting


@dsl.pipeline(description="Watch for drift, train a new model if there is, tell its end")
def retraining(  # noqa: PLR0917 - KFP passes them by name
    reference: str,
    current: str,
    target: str,
    name: str,
    flavour: str = "xgboost",
    task: str = "classification",
    thresholds: dict = {},  # noqa: B006 - KFP reads it, and never changes it
    watched: list = [],  # noqa: B006 - as above
    least_share: float = 0.0,
    stratify: bool = False,
    seed: int = 0,
    at_least: dict = {},  # noqa: B006 - as above
    backend: str = "local",
    project: str = "",
    location: str = "",
    serving_image: str = "",
    notify_when: str = "always",
    webhook: str = "",
) -> None:
    """Compare, and train on the current data when it has drifted.

    Args:
        reference: Address of what the model was trained on.
        current: Address of the newest data, with the target.
        target: The column to learn.
        name: The model's name where it is registered.
        flavour: The library, as in the pipeline ``training``.
        task: ``classification`` or ``regression``.
        thresholds: Beyond which a column has drifted.
        watched: Columns to compare; all when none is given.
        least_share: Share of the columns that must have drifted.
        stratify: Whether the split keeps the shares of the target's values.
        seed: Of the split and of the training.
        at_least: Figures of quality below which the model is not registered.
        backend: Where it is registered: ``local`` or ``vertex``.
        project: Google Cloud's project, for ``vertex``.
        location: Its region.
        serving_image: The container that serves the model there.
        notify_when: ``always``, ``failure`` or ``success``.
        webhook: The secret that is the address to tell the end to, ``env:NAME`` or ``file:PATH``;
            the task's log has it when none is given.
    """
    told = notify(title="retraining", when=notify_when, webhook=webhook, environment="monitoring")
    with dsl.ExitHandler(told, name="told-at-the-end"):
        before = dsl.importer(artifact_uri=reference, artifact_class=dsl.Dataset, reimport=False)
        now = dsl.importer(artifact_uri=current, artifact_class=dsl.Dataset, reimport=False)
        drift = monitor_drift(
            reference=before.output,
            current=now.output,
            columns=watched,
            thresholds=thresholds,
            least_share=least_share,
            environment="monitoring",
        )
        with dsl.If(drift.outputs["verdict"] == "drift", name="drifted"):
            fitting(
                source=current,
                target=target,
                flavour=flavour,
                task=task,
                stratify=stratify,
                seed=seed,
                name=name,
                backend=backend,
                at_least=at_least,
                project=project,
                location=location,
                serving_image=serving_image,
            )
