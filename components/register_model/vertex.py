"""Vertex AI's Model Registry, by the official client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.shared import vertex
from components.shared.errors import ComponentError

if TYPE_CHECKING:
    from components.register_model.entry import Entry

_CONTENT = "content"
"""Label by which a version is found again."""
_SECONDS = 1800


def register(
    entry: Entry,
    *,
    uri: str,
    project: str,
    location: str,
    serving_image: str,
    routes: tuple[str, str],
    api_endpoint: str,
) -> tuple[str, str]:
    """Upload a model as a new version, unless it is one already; tell its name and version.

    Raises:
        ComponentError: something is not given, or Vertex AI refuses it.
    """
    parent = vertex.parent(project, location)
    if not uri.startswith("gs://"):
        raise ComponentError(
            f"Vertex AI reads models from a bucket, and this one is at {uri}; "
            "run the pipeline with a pipeline root in one"
        )
    if not serving_image:
        raise ComponentError("Vertex AI needs serving_image, the container that serves the model")
    client = vertex.connect("ModelServiceClient", location=location, endpoint=api_endpoint)
    with vertex.refusals(f"the model {entry.name}"):
        same = [
            each
            for each in client.list_models(
                request={"parent": parent, "filter": f'display_name="{entry.name}"'}
            )
            if each.display_name == entry.name
        ]
        if same and (found := _known(client, same[0].name, entry)):
            if entry.aliases:
                aliases = list(entry.aliases)
                client.merge_version_aliases(name=_versioned(found), version_aliases=aliases)
            return _versioned(found), found.version_id
        request = {
            "parent": parent,
            "parent_model": same[0].name if same else "",
            "model": _model(entry, uri, serving_image, routes),
        }
        done = client.upload_model(request=request).result(timeout=_SECONDS)
    return f"{done.model.partition('@')[0]}@{done.model_version_id}", done.model_version_id


def _model(entry: Entry, uri: str, image: str, routes: tuple[str, str]) -> dict[str, Any]:
    folder, _, file = uri.rpartition("/")
    predict, health = routes
    return {
        "display_name": entry.name,
        "description": entry.description,
        "version_description": ", ".join(f"{k} {v:.6g}" for k, v in sorted(entry.metrics.items())),
        "artifact_uri": folder,
        "labels": {_CONTENT: entry.sha256[:40]},
        "version_aliases": list(entry.aliases),
        "container_spec": {
            "image_uri": image,
            "predict_route": predict,
            "health_route": health,
            "env": [{"name": "MODEL_FILE", "value": file}],
        },
    }


def _known(client: Any, name: str, entry: Entry) -> Any:
    for version in client.list_model_versions(name=name):
        if dict(version.labels).get(_CONTENT) == entry.sha256[:40]:
            return version
    return None


def _versioned(model: Any) -> str:
    return f"{model.name.partition('@')[0]}@{model.version_id}"
