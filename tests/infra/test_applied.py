"""The whole of `infra/`, applied by Terraform itself with stand-ins for Google's resources."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.cloud.new_cloud import decide_cloud
from eggcrate.questions import NobodyToAsk
from eggcrate.repo.monorepo import read_monorepo
from support.google_schema import SCHEMA
from support.repository import HERE
from support.standins import value_problems, write_standins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

KNOWN = json.loads(SCHEMA.read_text())
CONNECTED = {"connection": "github", "remote": "https://github.com/acme/ml.git"}
EVERYTHING = {
    **CONNECTED,
    "notify": ["ml@example.com"],
    "notification_channels": ["projects/acme-ml/notificationChannels/1"],
    "administrators": ["group:ml@example.com"],
    "own_machines": {"gpu": "Dockerfile"},
    "vertex": True,
    "signing_key": "projects/p/locations/l/keyRings/r/cryptoKeys/k",
    "branch": "trunk",
    "time_zone": "Europe/Berlin",
}


@dataclass(kw_only=True)
class Applied:
    """What each resource would be made of, by its kind and key."""

    made: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def of(self, kind: str) -> Mapping[str, dict[str, Any]]:
        return self.made.get(f"google_{kind}", {})


@pytest.fixture(scope="session")
def applied(
    terraform: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Applied]:
    """Applies everything for some answers, which `eggcrate new cloud` writes, and variables."""
    root = tmp_path_factory.mktemp("applied")
    write_standins(HERE / "infra", root)
    terraform("init", "-no-color", "-input=false", where=root)

    def apply(*, code: int = 0, **variables: object) -> Applied:
        folder = tmp_path_factory.mktemp("given")
        state, given = folder / "state", folder / "given.tfvars.json"
        wanted = decide_cloud(
            {"project": "acme-ml", "region": "europe-west1"},
            None,
            monorepo=read_monorepo(HERE),
            origin="",
            questions=NobodyToAsk(),
        )
        given.write_text(json.dumps({**wanted.variables, **variables}))
        options = ("-no-color", "-input=false", f"-state={state}", f"-var-file={given}")
        terraform("apply", "-auto-approve", *options, where=root, code=code)
        return _read(state) if code == 0 else Applied()

    return apply


def _read(state: Path) -> Applied:
    found = Applied()
    for resource in json.loads(state.read_text())["resources"]:
        kind, _, name = resource["name"].partition("__")
        for one in resource["instances"]:
            key = str(one.get("index_key", name))
            found.made.setdefault(kind, {})[f"{name} {key}" if key in found.made[kind] else key] = (
                one["attributes"]["output"]["value"]
            )
    return found


@pytest.fixture(scope="session")
def everything(applied: Callable[..., Applied]) -> Applied:
    return applied(**EVERYTHING)


def test_the_first_apply_needs_no_connection(applied: Callable[..., Applied]) -> None:
    """All but the triggers is made before anybody connected the forge."""
    found = applied()
    assert not found.of("cloudbuild_trigger")
    assert not found.of("cloud_scheduler_job")
    assert not found.of("cloudbuildv2_repository")
    assert set(found.of("artifact_registry_repository")) == {"images", "signatures", "pipelines"}
    assert set(found.of("service_account")) == {"build", "check", "refresh", "run"}
    assert found.of("monitoring_alert_policy")["builds"]["notification_channels"] == []


def test_values_are_those_that_the_provider_takes(everything: Applied) -> None:
    """What loops and conditions come to has all that is required, and no unknown value."""
    assert len(everything.made) == len(KNOWN)
    told = [
        problem
        for kind, each in everything.made.items()
        for value in each.values()
        for problem in value_problems(kind, value, KNOWN[kind])
    ]
    assert told == []


def test_values_that_the_provider_refuses_are_found(everything: Applied) -> None:
    """The check is one: a missing value, a missing block and a wrong word are told."""
    kind = "google_monitoring_alert_policy"
    good = everything.made[kind]["builds"]
    for change, told in (
        ({"combiner": None}, f"{kind}: combiner is missing"),
        ({"combiner": "MAYBE"}, f"{kind}: combiner is MAYBE"),
        ({"conditions": []}, f"{kind}: conditions is missing"),
        ({"conditions": [{}]}, f"{kind}.conditions: display_name is missing"),
    ):
        assert told in value_problems(kind, {**good, **change}, KNOWN[kind])


def test_triggers(everything: Applied) -> None:
    """The forge's events and the clock's each start what they must, as whom they must."""
    made = everything.of("cloudbuild_trigger")
    assert set(made) == {"pull-request", "main", "refresh-bases", "refresh-locks"}
    pull, main, bases = made["pull-request"], made["main"], made["refresh-bases"]
    [event] = pull["repository_event_config"]
    assert event["pull_request"][0]["branch"] == "^trunk$"
    assert event["push"] == []
    assert main["repository_event_config"][0]["push"] == [{"branch": "^trunk$"}]
    assert (pull["filename"], main["filename"]) == ("cloudbuild.yaml", "cloudbuild.yaml")
    assert bases.get("filename") is None
    assert bases["repository_event_config"] == []
    assert bases["git_file_source"][0]["path"] == "ci/refresh-bases.yaml"
    assert bases["git_file_source"][0]["repo_type"] == "GITHUB"
    assert bases["source_to_build"][0]["ref"] == "refs/heads/trunk"
    assert [len(one["pubsub_config"]) for one in (pull, main, bases)] == [0, 0, 1]


def test_the_clock(everything: Applied) -> None:
    """Each scheduled trigger has a job of the scheduler and a topic, in the team's time zone."""
    jobs = everything.of("cloud_scheduler_job")
    assert set(jobs) == set(everything.of("pubsub_topic")) == {"refresh-bases", "refresh-locks"}
    assert {one["time_zone"] for one in jobs.values()} == {"Europe/Berlin"}
    assert jobs["refresh-bases"]["schedule"] != jobs["refresh-locks"]["schedule"]


def test_failures_of_some_triggers_are_told(everything: Applied) -> None:
    """The metric of builds counts the watched triggers; people and channels hear of both."""
    metric = everything.of("logging_metric")["builds"]
    assert metric["filter"].count("trigger_id of google_cloudbuild_trigger") == 3
    assert "resource.labels.build_trigger_id=(" in metric["filter"]
    for policy in everything.of("monitoring_alert_policy").values():
        assert len(policy["notification_channels"]) == 2
    condition = everything.of("monitoring_alert_policy")["pipelines"]["conditions"][0]
    told = condition["condition_threshold"][0]["filter"]
    assert 'metric.type="logging.googleapis.com/user/eggcrate-failed-pipelines"' in told
    assert 'resource.type="aiplatform.googleapis.com/PipelineJob"' in told


def test_buckets(everything: Applied) -> None:
    """None is public; artifacts of runs are never deleted, sources are."""
    made = everything.of("storage_bucket")
    actions = {
        key: {rule["action"][0]["type"] for rule in one["lifecycle_rule"]}
        for key, one in made.items()
    }
    assert actions == {
        "runs": {"SetStorageClass", "AbortIncompleteMultipartUpload"},
        "staging": {"Delete", "AbortIncompleteMultipartUpload"},
    }
    assert all(one["uniform_bucket_level_access"] for one in made.values())
    assert {one["public_access_prevention"] for one in made.values()} == {"enforced"}


def test_no_right_is_given_that_the_matrix_does_not_hold(
    everything: Applied, decided: Callable[..., dict[str, Any]]
) -> None:
    """Every grant is made once, and the administrators' beside them; none more."""
    kinds = ("project", "artifact_registry_repository", "storage_bucket", "service_account")
    kinds += ("secret_manager_secret", "kms_crypto_key")
    made = {key for kind in kinds for key in everything.of(f"{kind}_iam_member")}
    variables = ("own_machines", "vertex", "signing_key")
    grants = decided(**{name: EVERYTHING[name] for name in variables})["grants"]
    assert made - set(grants) == {"group:ml@example.com"}
    assert set(grants) <= made


def test_a_connection_needs_an_address(applied: Callable[..., Applied]) -> None:
    """The mistake is told before anything is made."""
    applied(connection="github", code=1)
