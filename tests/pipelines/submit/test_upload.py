"""``eggcrate upload``: to a bucket and to a registry of pipelines, by the official clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support import pipelines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.template_server import Templates
    from support.vertex_server import Vertex

REGISTRY = "https://europe-west4-kfp.pkg.dev/ml-production/pipelines"


def test_uploaded_then_up_to_date_then_replaced(
    vertex: Vertex, eggcrate: Callable[..., Any], file: Path, tmp_path: Path
) -> None:
    """The same bytes are written once; the file is the compiled one, byte for byte."""
    to = "gs://artifacts/pipelines/"
    first = eggcrate("upload", str(file), "--to", to, "--json").document
    assert first["outcome"] == "uploaded"
    assert first["to"] == "gs://artifacts/pipelines/train-and-register.yaml"
    blob = vertex.storage.buckets["artifacts"]["pipelines/train-and-register.yaml"]
    assert blob.content == file.read_bytes()
    assert first["version"] == str(blob.generation)
    assert eggcrate("upload", str(file), "--to", to, "--json").document == {
        **first, "outcome": "up-to-date",
    }  # fmt: skip
    changed = pipelines.write(tmp_path, pipelines.compiled(code="print()"))
    third = eggcrate("upload", str(changed), "--to", to, "--json").document
    assert third["outcome"] == "replaced"
    assert int(third["version"]) > int(first["version"])


@pytest.mark.parametrize(
    ("status", "told"),
    [(404, "create it first"), (403, "roles/storage.objectUser"), (412, "at the same time")],
)
def test_refusals_of_a_bucket(
    vertex: Vertex, eggcrate: Callable[..., Any], file: Path, status: int, told: str
) -> None:
    """No bucket, no right, someone else at the same time: each says what to do."""
    if status == 404:
        del vertex.storage.buckets["artifacts"]
    elif status == 403:
        vertex.storage.denied.add("POST artifacts")
    else:
        vertex.storage.failures["POST"] = [412]
    ran = eggcrate("upload", str(file), "--to", "gs://artifacts/x.yaml")
    assert ran.code == 1
    assert f"why:  {status} " in ran.err
    assert told in ran.err
    assert not vertex.storage.buckets.get("artifacts")


def test_busy_for_a_moment(vertex: Vertex, eggcrate: Callable[..., Any], file: Path) -> None:
    """429 and 503 are tried again by Google's client."""
    vertex.storage.failures |= {"GET": [429], "POST": [503]}
    assert eggcrate("upload", str(file), "--to", "gs://artifacts/x.yaml").code == 0
    assert "x.yaml" in vertex.storage.buckets["artifacts"]


def test_uploaded_and_found_again(
    templates: Templates, eggcrate: Callable[..., Any], file: Path
) -> None:
    """Under its content's name and its tags; KFP's client gets the same bytes back."""
    from kfp.registry import RegistryClient  # noqa: PLC0415 - takes seconds

    ran = eggcrate(
        "upload", str(file), "--to", REGISTRY, "--tag", "stable", "--tag", "v7", "--json"
    )
    assert ran.code == 0, ran.err
    told = ran.document
    [version] = templates.packages["train-and-register"]
    assert told["version"] == version
    assert told["to"] == f"{REGISTRY}/train-and-register/stable"
    assert set(templates.tags) == {"train-and-register/stable", "train-and-register/v7"}
    back = file.with_name("back.yaml")
    RegistryClient(host=REGISTRY).download_pipeline(
        "train-and-register", tag="v7", file_name=str(back)
    )
    assert back.read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (403, "roles/artifactregistry.writer"),
        (400, "is it of the format kfp?"),
        (503, "the same pipeline makes no second version"),
        (0, "does not answer"),
    ],
)
def test_refusals_of_a_registry(
    templates: Templates, eggcrate: Callable[..., Any], file: Path, fault: int, told: str
) -> None:
    """No right, another format, out of order, cut off."""
    templates.faults.append(fault)
    ran = eggcrate("upload", str(file), "--to", REGISTRY)
    assert ran.code == 1
    assert told in ran.err
    assert "Traceback" not in ran.err
    assert templates.packages == {}


def test_a_repository_that_is_not_there(
    templates: Templates, eggcrate: Callable[..., Any], file: Path
) -> None:
    """How one is made."""
    ran = eggcrate("upload", str(file), "--to", f"{REGISTRY}2")
    assert ran.code == 1
    assert "--repository-format=kfp" in ran.err


@pytest.mark.parametrize(
    ("to", "tags", "told"),
    [
        ("pipelines/x.yaml", (), "is not a registry of pipelines"),
        ("gs://UPPER/x.yaml", (), "is not an address in a bucket"),
        ("gs://bucket/x.yaml", ("stable",), "a bucket has none"),
        (f"{REGISTRY}/deeper", (), "is not a registry of pipelines"),
        (REGISTRY, ("sha256:abc",), "must be of letters"),
    ],
)
def test_addresses_that_cannot_be_one(
    eggcrate: Callable[..., Any], file: Path, to: str, tags: tuple[str, ...], told: str
) -> None:
    """Usage, before anything is asked."""
    flags = [part for tag in tags for part in ("--tag", tag)]
    ran = eggcrate("upload", str(file), "--to", to, *flags)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err


@pytest.mark.parametrize("to", ["gs://artifacts/x.yaml", REGISTRY])
def test_a_dry_run_needs_nobody(eggcrate: Callable[..., Any], file: Path, to: str) -> None:
    """It says what would be written where."""
    ran = eggcrate("upload", str(file), "--to", to, "--dry-run", "--json")
    assert ran.code == 0, ran.err
    assert (ran.document["dry_run"], ran.document["to"]) == (True, to)


def test_what_is_not_a_template(eggcrate: Callable[..., Any], tmp_path: Path) -> None:
    """Images by tag nowhere; volumes in no registry; another file not at all."""
    moving = pipelines.write(tmp_path, pipelines.compiled(image="registry.invalid/eggs:latest"))
    ran = eggcrate("upload", str(moving), "--to", "gs://artifacts/x.yaml")
    assert ran.code == 1
    assert "an image that is not pinned: registry.invalid/eggs:latest" in ran.err
    volumes = pipelines.write(tmp_path, pipelines.compiled(platform=True))
    ran = eggcrate("upload", str(volumes), "--to", REGISTRY)
    assert ran.code == 1
    assert "cannot be sent to a registry of pipelines" in ran.err
    other = tmp_path / "other.yaml"
    other.write_text("a: 1\n")
    ran = eggcrate("upload", str(other), "--to", REGISTRY)
    assert ran.code == 1
    assert "is not a compiled pipeline" in ran.err
