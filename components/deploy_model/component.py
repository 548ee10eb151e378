"""Serve a version of Vertex AI's Model Registry at an endpoint."""

import re
from typing import NamedTuple

from components.deploy_model.traffic import shifted
from components.shared import vertex
from components.shared.errors import ComponentError
from eggcrate import component

_MODEL = re.compile(
    r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/models/[^/@]+(@[^/@]+)?"
)
_NAME = re.compile(r"\S.{0,127}")


class Deployed(NamedTuple):
    """The endpoint's resource name, and the id of the model there."""

    endpoint: str
    deployed_model: str


@component
def deploy_model(  # noqa: PLR0917 - KFP passes them by name
    model: str,
    endpoint: str,
    machine_type: str = "n1-standard-2",
    min_replicas: int = 1,
    max_replicas: int = 1,
    traffic: int = 100,
    service_account: str = "",
    undeploy_idle: bool = False,
    api_endpoint: str = "",
    timeout: float = 3600.0,
) -> Deployed:
    """Deploy a model and give it a share of the traffic; the rest keeps its proportions.

    A version that is at the endpoint already is not deployed again: only traffic moves, so a retry
    does no harm. Needs ``roles/aiplatform.user`` on the project.

    Args:
        model: ``projects/P/locations/L/models/M@VERSION``, as ``register_model`` returns it.
        endpoint: The endpoint's display name; it is made when there is none.
        machine_type: What it runs on.
        min_replicas: Fewest machines.
        max_replicas: Most machines.
        traffic: Its share of the requests in percent, 0 to 100; the first model gets all.
        service_account: That it runs as; Vertex AI's own when not given.
        undeploy_idle: Whether models that get no traffic afterwards are taken away.
        api_endpoint: The API's host where it is not the region's own.
        timeout: Seconds that deploying may take.

    Returns:
        The endpoint and the id of the deployed model.

    Raises:
        ComponentError: an argument does not fit, or Vertex AI refuses; the endpoint's traffic is as
            it was then.
    """
    place = _MODEL.fullmatch(model)
    if not place:
        raise ComponentError(
            f"{model!r} is no model: write projects/PROJECT/locations/LOCATION/models/MODEL@VERSION"
        )
    if not _NAME.fullmatch(endpoint):
        raise ComponentError(f"{endpoint!r} is no endpoint's name: 1 to 128 characters")
    if not 0 <= traffic <= 100:  # noqa: PLR2004 - percent
        raise ComponentError(f"traffic is {traffic}; it must lie between 0 and 100")
    if not 1 <= min_replicas <= max_replicas:
        raise ComponentError(
            f"min_replicas is {min_replicas} and max_replicas {max_replicas}; "
            "there must be one at least, and no fewer at most than at least"
        )
    where = vertex.parent(place["project"], place["location"])
    connection = {"location": place["location"], "endpoint": api_endpoint}
    models = vertex.connect("ModelServiceClient", **connection)
    client = vertex.connect("EndpointServiceClient", **connection)
    with vertex.refusals(f"the model {model}"):
        version = models.get_model(name=model)
    with vertex.refusals(f"the endpoint {endpoint}"):
        found = _endpoint(client, where, endpoint, timeout)
        same = [
            each
            for each in found.deployed_models
            if each.model.partition("@")[0] == version.name.partition("@")[0]
            and each.model_version_id == version.version_id
        ]
        if same:
            identity = same[0].id
            split = shifted(dict(found.traffic_split), identity, traffic)
            update = {"name": found.name, "traffic_split": split}
            client.update_endpoint(endpoint=update, update_mask="trafficSplit")
        else:
            split = shifted(dict(found.traffic_split), "0", traffic)
            deployed = {
                "model": model,
                "display_name": version.display_name,
                "service_account": service_account,
                "dedicated_resources": {
                    "machine_spec": {"machine_type": machine_type},
                    "min_replica_count": min_replicas,
                    "max_replica_count": max_replicas,
                },
            }
            request = {"endpoint": found.name, "deployed_model": deployed, "traffic_split": split}
            identity = (
                client.deploy_model(request=request).result(timeout=timeout).deployed_model.id
            )
        if undeploy_idle:
            _undeploy_idle(client, found.name, identity, timeout)
    return Deployed(endpoint=found.name, deployed_model=identity)


def _endpoint(client: object, parent: str, name: str, timeout: float) -> object:
    asked = {"parent": parent, "filter": f'display_name="{name}"'}
    for each in client.list_endpoints(request=asked):
        if each.display_name == name:
            return each
    made = client.create_endpoint(parent=parent, endpoint={"display_name": name})
    return made.result(timeout=timeout)


def _undeploy_idle(client: object, name: str, kept: str, timeout: float) -> None:
    now = client.get_endpoint(name=name)
    for each in now.deployed_models:
        if each.id != kept and not now.traffic_split.get(each.id):
            client.undeploy_model(request={"endpoint": name, "deployed_model_id": each.id}).result(
                timeout=timeout
            )
