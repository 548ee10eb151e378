"""What is found out before anything is sent, and how runs are configured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eggcrate
from eggcrate.errors import CompileError, ConfigError, SubmitError, UsageError
from eggcrate.pipelines.submit import checks, clients, vertex
from eggcrate.pipelines.submit.bucket import object_address
from eggcrate.pipelines.submit.options import KubeflowOptions, VertexOptions
from eggcrate.repo.document import Table
from support.pipelines import IMAGE, compiled

OPTIONS = VertexOptions(
    project="ml-production", location="europe-west4", pipeline_root="gs://artifacts/runs"
)


def table(tmp_path: Path, text: str) -> Table:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return Table.read(path)


def test_volumes_are_not_for_vertex() -> None:
    """The second document is named by what is in it."""
    with pytest.raises(CompileError, match="cannot be sent to Vertex AI") as caught:
        vertex.decide(compiled(platform=True), {"rows": 3}, OPTIONS)
    assert "pvcMount" in caught.value.why


@pytest.mark.parametrize(
    "image",
    ["python", "eggs:stable", "eggs@sha256:abc", "eggs:stable@sha512:" + "a" * 64, IMAGE[:-1]],
)
def test_images_must_be_pinned(image: str) -> None:
    """A tag, no tag, a digest that is none."""
    with pytest.raises(CompileError, match="not pinned"):
        checks.check_images(compiled(image=image))


def test_a_pinned_image_may_have_a_tag_too() -> None:
    """The digest decides."""
    checks.check_images(compiled(image=IMAGE.replace("@", ":stable@")))


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, "needs a value for rows"),
        ({"rows": 3, "taget": "x"}, "has no parameter 'taget'"),
        ({"rows": "3"}, "must be a whole number, not '3'"),
        ({"rows": True}, "must be a whole number, not True"),
        ({"rows": 3, "target": 5}, "must be a text, not 5"),
        ({"rows": 3, "strict": 1}, "must be true or false, not 1"),
    ],
)
def test_parameters_that_are_wrong(parameters: dict[str, Any], told: str) -> None:
    """Missing, unknown, of another type."""
    with pytest.raises(UsageError, match=told):
        checks.check_parameters(compiled(), parameters)


def test_parameters_of_a_command_line() -> None:
    """A text as it is, all else as JSON."""
    texts = {"rows": "3", "target": "3", "strict": "false"}
    found = checks.parameter_values(compiled(), texts)
    assert found == {"rows": 3, "target": "3", "strict": False}
    with pytest.raises(UsageError, match="must be a whole number, not 'three'"):
        checks.parameter_values(compiled(), {"rows": "three"})


@given(st.booleans())
def test_caching_is_for_tasks_inside_conditions_too(caching: bool) -> None:
    """Kfp's client would change those of the root alone."""
    pipeline = compiled()
    inner = {"dag": {"tasks": {"inner": {"cachingOptions": {"enableCache": not caching}}}}}
    spec = {**pipeline.spec, "components": {**pipeline.spec["components"], "comp-if": inner}}
    changed = checks.with_caching(type(pipeline)(spec=spec), caching)
    expected = {"enableCache": True} if caching else {}
    assert changed.spec["components"]["comp-if"]["dag"]["tasks"]["inner"]["cachingOptions"] == (
        expected
    )
    assert all(
        task["cachingOptions"] == expected for task in changed.spec["root"]["dag"]["tasks"].values()
    )
    assert inner["dag"]["tasks"]["inner"]["cachingOptions"] == {"enableCache": not caching}


def test_identities_are_vertex_ais(tmp_path: Path) -> None:
    """A job's id is a valid one whatever the pipeline is called, and never twice the same."""
    pipeline = compiled()
    spec = {**pipeline.spec, "pipelineInfo": {"name": "Ünser_Training " * 12}}
    ids = {vertex.decide(type(pipeline)(spec=spec), {"rows": 3}, OPTIONS).job_id for _ in range(20)}
    assert len(ids) == 20
    assert all(len(one) <= 128 and one.replace("-", "").isalnum() for one in ids)
    assert all(one.isascii() and one == one.lower() for one in ids)


@pytest.mark.parametrize(
    ("to", "address"),
    [
        ("gs://bucket", "gs://bucket/p.yaml"),
        ("gs://bucket/", "gs://bucket/p.yaml"),
        ("gs://bucket/a/b/", "gs://bucket/a/b/p.yaml"),
        ("gs://bucket/a/b.yaml", "gs://bucket/a/b.yaml"),
    ],
)
def test_where_a_file_goes(to: str, address: str) -> None:
    """Into a folder under the pipeline's name, or to the very name."""
    assert object_address(to, "p") == address


def test_tables_are_read(tmp_path: Path) -> None:
    """Every key of both tables."""
    found = table(
        tmp_path,
        """
[vertex]
project = "ml-production"
location = "europe-west4"
pipeline-root = "gs://artifacts/runs"
service-account = "runner@ml-production.iam.gserviceaccount.com"
network = "projects/123/global/networks/ml"
encryption-key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
experiment = "nightly"
failure-policy = "fast"
endpoint = "aiplatform.internal:443"
labels = { team = "ml" }
caching = false
[kubeflow]
host = "https://kubeflow.example.org/pipeline"
namespace = "team-ml"
experiment = "nightly"
pipeline-root = "s3://artifacts"
service-account = "runner"
ca-certificate = "/etc/ssl/ours.pem"
caching = true
""",
    )
    on_vertex = VertexOptions.from_table(found.table("vertex"))
    assert (on_vertex.pipeline_root, on_vertex.caching) == ("gs://artifacts/runs", False)
    assert all(vars(on_vertex).values()) is False  # caching alone is false
    assert sum(1 for value in vars(on_vertex).values() if value) == 10
    on_kubeflow = KubeflowOptions.from_table(found.table("kubeflow"))
    assert all(vars(on_kubeflow).values())
    assert VertexOptions.from_table(found.table("nothing")) == VertexOptions()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[vertex]\n\nlocaton = "x"', r"config.toml:3: vertex.locaton is not a setting"),
        ("[vertex]\nproject = 3", r"config.toml:2: vertex.project must be a string"),
        ('[vertex]\nlocation = "Belgium"', r"config.toml:2: vertex.location must be a region"),
        ('[vertex]\npipeline-root = "artifacts"', r"config.toml:2: .* must be gs://BUCKET/PATH"),
        ('[vertex]\nnetwork = "ml"', r"config.toml:2: .* must be projects/NUMBER"),
        ('[vertex]\nlabels = { Team = "ml" }', r"config.toml:.* must be a label"),
        ('[vertex]\ncaching = "no"', r"config.toml:2: vertex.caching must be true or false"),
        ('[kubeflow]\nhost = "kubeflow"', r"config.toml:2: kubeflow.host must be an address"),
        ('[kubeflow]\nhost = "https://u:p@k.invalid"', r"kubeflow.host must be an address"),
    ],
)
def test_tables_that_are_wrong(tmp_path: Path, text: str, told: str) -> None:
    """File, line and key are named."""
    found = table(tmp_path, text)
    read = VertexOptions.from_table if "vertex" in found else KubeflowOptions.from_table
    with pytest.raises(ConfigError, match=told):
        read(found.table("vertex" if "vertex" in found else "kubeflow"))


def test_flags_override(tmp_path: Path) -> None:
    """What is given; labels are added to; what is not given stays."""
    options = VertexOptions(project="one", location="europe-west4", labels={"a": "1", "b": "2"})
    changed = options.overridden(
        {"project": "two-three", "location": None, "labels": {"b": "3"}, "caching": None, "x": 1}
    )
    assert (changed.project, changed.location, changed.caching) == (
        "two-three",
        "europe-west4",
        None,
    )
    assert changed.labels == {"a": "1", "b": "3"}


def test_no_client_is_imported_before_it_is_needed() -> None:
    """They take seconds; the command line's help does not."""
    program = """
import sys
import eggcrate.cli.follow, eggcrate.cli.run_remote, eggcrate.cli.schedule, eggcrate.cli.upload
heavy = {"kfp", "google.auth", "google.cloud.storage", "grpc", "requests", "urllib3", "httpx2"}
print(sorted(heavy & set(sys.modules)))
"""
    path = str(Path(eggcrate.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_an_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to install it are told."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SubmitError, match=r"needs google\.cloud\.aiplatform") as caught:
        clients.require("google.cloud.aiplatform", "Vertex AI")
    assert "make setup-all" in caught.value.hint
    assert "pip install 'eggcrate[vertex]'" in caught.value.hint
