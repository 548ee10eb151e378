"""``eggcrate registry`` with a real registry, and with Google's own client beside a fake API."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest

from cloud.conftest import BOTH, publish
from eggcrate.cloud.artifact_registry import ENDPOINT, ArtifactRegistry, Place
from eggcrate.errors import RegistryError
from eggcrate.pipelines.submit import kubeflow as on_kubeflow
from eggcrate.pipelines.submit.options import KubeflowOptions
from eggcrate.registry import oci
from support.artifact_registry_server import artifact_registry_server
from support.kubeflow_server import kubeflow_server
from support.pipelines import compiled
from support.planning import package
from support.published import check_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from eggcrate.registry.remote import Remote
    from support.artifact_registry_server import ArtifactRegistryServer
    from support.repository import Repository

    Run = Callable[..., Any]

PREFIX = "europe-west4-docker.pkg.dev/acme/eggs"
PARENT = "projects/acme/locations/europe-west4/repositories/eggs"


def _fates(document: Any) -> dict[str, str]:
    return {one["digest"]: one["fate"] for one in document["images"]}


@pytest.mark.tools
def test_only_what_nothing_uses_leaves_a_real_registry(
    repository: Repository, remote: Remote, run: Run, tmp_path: Path
) -> None:
    """After four versions the promoted, the pinned, the released and the newest are there, whole.

    What they are made of and what is about them too; the rest is gone, and again nothing is left
    to do.
    """
    versions = {}
    for number in range(1, 6):
        repository.environment("one", (package("six", f"{number}.0"),))
        repository.environment("both", (package("six", f"{number}.0"),), settings=BOTH)
        versions[number] = publish(repository, run)
        if number == 2:
            run("promote", "--all")
    stable = remote.resolve("both", "stable")
    assert stable
    released, pinned = versions[3]["one linux/amd64"], versions[4]["one linux/amd64"]
    content, _ = remote.get_manifest("one", released)
    remote.put_manifest("one", "v1.0", content, oci.MANIFEST)
    compiled = repository.root / "build" / "pipelines" / "train.yaml"
    compiled.parent.mkdir(parents=True)
    compiled.write_text(f"image: {remote}/one@{pinned}\n")
    signed = _sign(remote, "one", pinned)
    unsigned = _sign(remote, "one", versions[1]["one linux/amd64"])

    assert set(_fates(run("registry", "cleanup", "--json")).values()) <= {
        *("in-use", "needed", "unknown-age")
    }
    planned = run("registry", "cleanup", "--unknown-age", "--dry-run", "--json")
    assert "deleted" not in _fates(planned).values()
    done = _fates(run("registry", "cleanup", "--unknown-age", "--json"))
    kept = {
        *(versions[5].values()),
        *(versions[2].values()),
        *(released, pinned, signed, stable.digest),
    }
    assert {one for one, fate in done.items() if fate != "deleted"} == kept
    assert {one for one, fate in done.items() if fate == "deleted"} == {
        *versions[1].values(),
        versions[3]["both linux/amd64"],
        versions[3]["both linux/arm64"],
        versions[4]["both linux/amd64"],
        versions[4]["both linux/arm64"],
        unsigned,
    }
    assert {fate for one, fate in done.items() if one in versions[2].values()} <= {
        *("in-use", "needed")
    }
    (tmp_path / "whole").mkdir()
    assert check_whole(str(remote), tmp_path / "whole")
    listed = {one["digest"]: one["used_by"] for one in run("registry", "list", "--json")["images"]}
    assert set(listed) == kept
    assert listed[pinned] == ["build/pipelines/train.yaml"]
    assert listed[released] == ["tag v1.0"]
    again = _fates(run("registry", "cleanup", "--unknown-age", "--json"))
    assert "deleted" not in again.values()
    assert "train.yaml" in run("registry", "list")


def _sign(remote: Remote, name: str, digest: str) -> str:
    """Put a word about an image beside it, by the tag scheme."""
    content, _ = remote.get_manifest(name, digest)
    manifest = oci.parse(content)
    assert isinstance(manifest, oci.Manifest)
    word = oci.Manifest(
        config=manifest.config, layers=manifest.layers, annotations={"about": digest}
    ).encode()
    tag = f"{digest.replace(':', '-')}.sig"
    return remote.put_manifest(name, tag, word, oci.MANIFEST).digest


def test_an_environment_whose_lock_cannot_be_read_keeps_all_its_images(
    repository: Repository, remote: Remote, run: Run
) -> None:
    """What a broken lock names is not known: nothing of it is deleted."""
    publish(repository, run)
    (repository.root / "environments" / "one" / "poetry.lock").write_text("no lock")
    document = run("registry", "cleanup", "--unknown-age", "--dry-run", "--json")
    fates = {one["fate"] for one in document["images"] if one["name"] == "one"}
    assert fates == {"in-use"}


def test_without_a_registry_there_is_nothing_to_clean(run: Run) -> None:
    """Mistakes on the command line are told as such."""
    assert "no registry to list" in run("registry", "list", "--registry", "", code=2)
    assert "there is no /no/such" in run("registry", "list", "--used-by", "/no/such", code=2)
    assert "not in Artifact Registry" in run("registry", "ensure", code=2)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArtifactRegistryServer]:
    pytest.importorskip("google.cloud.artifactregistry_v1", reason="run `make setup-all`")
    with artifact_registry_server() as server:
        monkeypatch.setenv(ENDPOINT, server.endpoint)
        yield server


def test_the_repository_is_made_once_and_changed_when_it_differs(
    api: ArtifactRegistryServer, run: Run
) -> None:
    """Made, up to date, changed: each told, and a dry run changes nothing."""

    def ensure(*arguments: str) -> tuple[str, list[str]]:
        told = run("registry", "ensure", "--registry", PREFIX, "--json", *arguments)
        return told["outcome"], told["changes"]

    assert ensure("--dry-run") == ("create", [])
    assert api.repositories == {}
    assert ensure() == ("created", [])
    made = api.repositories[PARENT]
    assert made["format"] == "DOCKER" or made["format"] == 1
    assert ensure() == ("up-to-date", [])
    assert ensure("--immutable-tags", "--dry-run") == ("update", ["docker_config"])
    assert ensure("--immutable-tags") == ("updated", ["docker_config"])
    assert api.updates == ["dockerConfig"]
    assert ensure("--immutable-tags") == ("up-to-date", [])
    api.forbidden = True
    told = run("registry", "ensure", "--registry", PREFIX, code=1)
    assert "does not make" in told
    assert "artifactregistry.admin" in told


def test_what_settings_mean_is_told(api: ArtifactRegistryServer, run: Run) -> None:
    """Why tags can be moved, what cannot be done where they cannot, and whether scans happen."""
    ensure = ("registry", "ensure", "--registry", PREFIX)
    assert "Google has no exception for stable" in run(*ensure)
    told = {"enablementState": "SCANNING_DISABLED", "enablementStateReason": "the API is off"}
    api.repositories[PARENT]["vulnerabilityScanningConfig"] = told
    text = run(*ensure)
    assert "scanning is disabled (the API is off)" in text
    assert "containerscanning.googleapis.com" in text
    assert "cannot move stable" in run(*ensure, "--immutable-tags")
    told["enablementState"] = "SCANNING_ACTIVE"
    document = run(*ensure, "--immutable-tags", "--json")
    assert (document["immutable_tags"], document["scanning"]) == (True, "active")


def test_a_repository_of_packages_is_refused(api: ArtifactRegistryServer, run: Run) -> None:
    """One of the name that holds something else is not touched."""
    api.repositories[PARENT] = {"name": PARENT, "format": "PYTHON"}
    assert "holds PYTHON" in run("registry", "ensure", "--registry", PREFIX, code=1)


def test_images_are_listed_over_pages_and_deleted_with_their_tags(
    api: ArtifactRegistryServer,
) -> None:
    """Names below the prefix, tags, times; what is gone already is told as gone."""
    digests = [f"sha256:{number:064x}" for number in range(5)]
    api.images = [
        {
            "name": f"{PARENT}/dockerImages/x",
            "uri": f"{PREFIX}/{'ml/' if number else ''}deep/one@{digest}",
            "tags": ["stable"] if number == 1 else [],
            "uploadTime": "2029-01-02T03:04:05Z",
        }
        for number, digest in enumerate(digests)
    ]
    place = Place.parse(f"{PREFIX}/ml")
    assert place
    assert Place.parse("localhost:5000/eggs") is None
    with ArtifactRegistry() as client:
        found = client.images(place)
        assert set(found) == {("deep/one", digest) for digest in digests[1:]}
        seen = found["deep/one", digests[1]]
        assert seen.tags == ("stable",)
        assert seen.uploaded
        assert seen.uploaded.isoformat() == "2029-01-02T03:04:05+00:00"
        assert client.delete(place, "deep/one", digests[1])
        assert not client.delete(place, "deep/one", digests[1])
        assert len(api.images) == 4
        api.forbidden = True
        with pytest.raises(RegistryError, match="does not list"):
            client.images(place)


@pytest.mark.tools
@pytest.mark.skipif(not importlib.util.find_spec("kfp"), reason="kfp is not installed")
def test_what_a_run_uses_is_not_deleted(
    repository: Repository, remote: Remote, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of Kubeflow's runs; when they may not be seen nothing is deleted at all."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    publish(repository, run)
    [tag] = remote.tags("one")
    found = remote.resolve("one", tag)
    assert found
    for number in (2, 3):
        repository.environment("one", (package("six", f"{number}.0"),))
        publish(repository, run)
    before = {one["digest"] for one in run("registry", "list", "--json")["images"]}
    with kubeflow_server() as server:
        there = KubeflowOptions(host=server.url)
        image = remote.image("one", found.digest)
        submission = on_kubeflow.decide(compiled(image=image), {"rows": 3}, there, run="nightly")
        on_kubeflow.Kubeflow(there, environ={}).submit(submission)
        cleanup = ("registry", "cleanup", "--unknown-age", "--kubeflow", server.url)
        server.faults["GET runs"] = [403]
        assert "listing runs failed" in run(*cleanup, code=1)
        assert {one["digest"] for one in run("registry", "list", "--json")["images"]} == before
        done = run(*cleanup, "--json")["images"]
    fates = {one["digest"]: (one["fate"], one["why"]) for one in done}
    assert fates[found.digest] == ("in-use", "run nightly")
    assert [fate for fate, _ in fates.values()].count("deleted") == 1
    assert remote.resolve("one", found.digest)
