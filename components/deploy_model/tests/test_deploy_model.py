"""Deployment by the official client to a fake Vertex AI: traffic moves as asked, or not at all."""

from collections.abc import Iterator

import pytest

from components.deploy_model.component import deploy_model
from components.deploy_model.tests.fake_vertex import PARENT, Vertex, vertex_server
from components.deploy_model.traffic import shifted
from components.shared.errors import ComponentError


@pytest.fixture
def vertex(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vertex]:
    with vertex_server() as served:
        monkeypatch.setenv("VERTEX_AI_ENDPOINT", served.url)
        yield served


def test_the_first_model_gets_an_endpoint_and_all_traffic(vertex: Vertex) -> None:
    model = vertex.add_model("iris", "2")
    told = deploy_model(model, "flowers", machine_type="n1-highmem-2", max_replicas=3, traffic=10)
    [endpoint] = vertex.endpoints.values()
    assert told.endpoint == endpoint["name"]
    assert endpoint["trafficSplit"] == {told.deployed_model: 100}
    [deployed] = endpoint["deployedModels"]
    assert deployed["modelVersionId"] == "2"
    assert deployed["dedicatedResources"] == {
        "machineSpec": {"machineType": "n1-highmem-2"},
        "minReplicaCount": 1,
        "maxReplicaCount": 3,
    }


def test_a_canary_takes_its_share_from_the_others(vertex: Vertex) -> None:
    first = deploy_model(vertex.add_model("iris", "1"), "flowers").deployed_model
    second = deploy_model(vertex.add_model("iris", "2"), "flowers", traffic=10).deployed_model
    [endpoint] = vertex.endpoints.values()
    assert endpoint["trafficSplit"] == {first: 90, second: 10}


def test_a_version_is_not_deployed_twice(vertex: Vertex) -> None:
    """Asked again, only its traffic moves; what has none left can be taken away."""
    vertex.add_model("iris", "1")
    old = deploy_model(f"{PARENT}/models/iris@1", "flowers").deployed_model
    model = vertex.add_model("iris", "2")
    canary = deploy_model(model, "flowers", traffic=10)
    assert deploy_model(model, "flowers", undeploy_idle=True) == canary
    [endpoint] = vertex.endpoints.values()
    assert endpoint["trafficSplit"] == {canary.deployed_model: 100}
    assert old not in [each["id"] for each in endpoint["deployedModels"]]
    assert sum(each.endswith(":deployModel") for each in vertex.requests) == 2


@pytest.mark.parametrize(
    ("before", "share", "after"),
    [
        ({}, 10, {"new": 100}),
        ({"a": 100}, 0, {"a": 100, "new": 0}),
        ({"a": 100}, 100, {"new": 100}),
        ({"a": 50, "b": 50}, 25, {"a": 38, "b": 37, "new": 25}),
        ({"a": 33, "b": 33, "c": 34}, 1, {"a": 33, "b": 33, "c": 33, "new": 1}),
        ({"new": 10, "a": 90}, 60, {"a": 40, "new": 60}),
        ({"a": 0, "b": 100}, 50, {"b": 50, "new": 50}),
    ],
)
def test_traffic_is_whole_and_complete(before: dict, share: int, after: dict) -> None:
    assert sum(shifted(before, "new", share).values()) == 100
    assert shifted(before, "new", share) == after


@pytest.mark.parametrize(
    ("method", "failure", "says"),
    [
        ("deployModel", (429, "Quota CustomModelServing exceeded"), "has no quota left for the en"),
        ("deployModel", (400, "machine type is not supported"), "does not take the endpoint flow"),
        ("POST endpoints", (403, "Permission denied"), "forbids the endpoint flowers: .*denied"),
        ("GET models", (500, "broken"), "failed at the model"),
    ],
)
def test_what_vertex_refuses_is_told(
    vertex: Vertex, method: str, failure: tuple, says: str
) -> None:
    """And no traffic has moved."""
    model = vertex.add_model("iris")
    vertex.failures[method] = failure
    with pytest.raises(ComponentError, match=says):
        deploy_model(model, "flowers")
    assert not any(each["trafficSplit"] for each in vertex.endpoints.values())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"model": "iris"}, "'iris' is no model: write projects/PROJECT"),
        ({"model": f"{PARENT}/models/none@1"}, "does not have the model .*none@1 is not found"),
        ({"endpoint": ""}, "'' is no endpoint's name"),
        ({"traffic": 101}, "traffic is 101"),
        ({"min_replicas": 3}, "min_replicas is 3 and max_replicas 1"),
        ({"api_endpoint": "http://example.org"}, "is not encrypted"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(vertex: Vertex, given: dict, says: str) -> None:
    model = vertex.add_model("iris")
    with pytest.raises(ComponentError, match=says):
        deploy_model(**({"model": model, "endpoint": "flowers"} | given))
    assert not vertex.endpoints
