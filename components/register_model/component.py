"""Give a model a version: in a folder, or in Vertex AI's Model Registry."""

from typing import NamedTuple, Optional

from kfp.dsl import Artifact, Input, Model, Output

from components.register_model import folder, vertex
from components.register_model.entry import check_metrics, entry_of, write_entry
from components.shared.errors import ModelError
from eggcrate import component

BACKENDS = ("local", "vertex")


class Registered(NamedTuple):
    """Where the version is, and its name."""

    resource: str
    version: str


@component
def register_model(  # noqa: PLR0917 - KFP passes them by name
    model: Input[Model],
    entry: Output[Artifact],
    name: str,
    backend: str = "local",
    registry: str = "",
    metrics: Optional[dict] = None,  # noqa: UP045 - KFP does not read `dict | None`
    at_least: Optional[dict] = None,  # noqa: UP045 - as above
    description: str = "",
    aliases: Optional[list] = None,  # noqa: UP045 - as above
    project: str = "",
    location: str = "",
    serving_image: str = "",
    predict_route: str = "/predict",
    health_route: str = "/health",
    artifact_uri: str = "",
    api_endpoint: str = "",
) -> Registered:
    """Register a model; one that is registered already keeps its version, so a retry adds none.

    Vertex AI needs ``roles/aiplatform.user`` on the project, and its service agent must be able to
    read the model's bucket.

    Args:
        model: A model that a component trained. For Vertex AI it must be in a bucket.
        entry: A folder with the model card (``MODEL_CARD.md``) and the entry (``version.json``).
        name: The model's name: lower-case letters, digits, ``-`` and ``_``.
        backend: ``local`` or ``vertex``.
        registry: A folder that keeps versions, for ``local``; without it there is the entry alone,
            and its version is called by the model's content.
        metrics: Figures of quality, told in the card.
        at_least: Figures below which a model is not registered, such as ``{"accuracy": 0.9}``.
        description: What the model is for, told in the card.
        aliases: Names that lead to this version from now on, such as ``champion``.
        project: Google Cloud's project, for ``vertex``.
        location: Its region, such as ``europe-west4``.
        serving_image: The container that serves the model, for ``vertex``.
        predict_route: Path at which it predicts.
        health_route: Path at which it tells that it is there.
        artifact_uri: Where the model is in a bucket, for ``vertex``; by itself the artifact's
            own address.
        api_endpoint: The API's host where it is not the region's own.

    Returns:
        The version's resource name or path, and the version.

    Raises:
        ModelError: the model cannot be read, or is not as good as it must be.
        ComponentError: it cannot be registered so. Nothing is written then.
    """
    if backend not in BACKENDS:
        raise ModelError(f"there is no backend {backend!r}; use one of: {', '.join(BACKENDS)}")
    check_metrics(metrics or {}, at_least or {})
    made = entry_of(
        model.path,
        name=name,
        description=description,
        metrics=metrics or {},
        aliases=tuple(aliases or ()),
    )
    if backend == "vertex":
        resource, version = vertex.register(
            made,
            uri=artifact_uri or model.uri,
            project=project,
            location=location,
            serving_image=serving_image,
            routes=(predict_route, health_route),
            api_endpoint=api_endpoint,
        )
    elif registry:
        resource, version = folder.register(made, model.path, registry)
    else:
        resource, version = model.uri, made.sha256[:12]
    write_entry(entry.path, made, resource=resource, version=version)
    entry.metadata.update({"name": name, "version": version, "resource": resource})
    return Registered(resource=resource, version=version)
