"""Registration: versions that count up, the same model never twice, and a card people can read."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import pytest
from kfp.dsl import Artifact, Model

from components.register_model.component import Registered, register_model
from components.shared.errors import ComponentError, ModelError

EXAMPLE = Path(__file__).parent.parent / "examples" / "local" / "model.zip"
BUCKET = "gs://ml-models/runs/7/model"


def _has_vertex() -> bool:
    try:
        return util.find_spec("google.cloud.aiplatform_v1") is not None
    except ModuleNotFoundError:  # others bring packages named google, too
        return False


has_vertex = pytest.mark.skipif(
    not _has_vertex(), reason="this environment has no google-cloud-aiplatform"
)


def model_of(folder: Path, content: str = "a model") -> Model:
    path = folder / "model"
    with zipfile.ZipFile(EXAMPLE) as source, zipfile.ZipFile(path, "w") as target:
        for name, data in (("signature.json", source.read("signature.json")), ("model", content)):
            target.writestr(zipfile.ZipInfo(name), data)  # without the time of day
    return Model(uri=str(path))


def register(folder: Path, content: str = "a model", **given: object) -> Registered:
    return register_model(
        model_of(folder, content), Artifact(uri=str(folder / "entry")), **({"name": "iris"} | given)
    )


def test_versions_count_up(tmp_path: Path) -> None:
    """Each is whole: the model's very bytes, its entry, its card; the same model has one."""
    registry = str(tmp_path / "registry")
    first = register(tmp_path, "one", registry=registry, aliases=["champion"])
    content = (tmp_path / "model").read_bytes()
    second = register(tmp_path, "two", registry=registry)
    again = register(tmp_path, "one", registry=registry)
    assert first == again == (f"{registry}/iris/1", "1")
    assert second == (f"{registry}/iris/2", "2")
    home = tmp_path / "registry" / "iris"
    assert (home / "1" / "model").read_bytes() == content
    assert json.loads((home / "aliases.json").read_text()) == {"champion": "1"}
    register(tmp_path, "two", registry=registry, aliases=["champion"])
    assert json.loads((home / "aliases.json").read_text()) == {"champion": "2"}
    assert sorted(path.name for path in home.iterdir()) == ["1", "2", "aliases.json"]


def test_the_card_tells_what_the_model_is(tmp_path: Path) -> None:
    told = register(tmp_path, metrics={"accuracy": 0.95}, description="Tells flowers apart")
    card = (tmp_path / "entry" / "MODEL_CARD.md").read_text()
    for line in (
        f"# iris, version {told.version}",
        "Tells flowers apart",
        "| xgboost | 2.1.4 |",
        "| accuracy | 0.95 |",
        "| colour | one of 2 texts |",
    ):
        assert f"{line}\n" in card
    entry = json.loads((tmp_path / "entry" / "version.json").read_text())
    assert (entry["version"], entry["metrics"]) == (told.version, {"accuracy": 0.95})
    assert entry["signature"]["classes"] == ["setosa", "virginica"]


def test_without_a_registry_the_content_names_the_version(tmp_path: Path) -> None:
    first, second = register(tmp_path, "one"), register(tmp_path, "two")
    assert first.version != second.version
    assert register(tmp_path, "one") == first


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"backend": "mlflow"}, "no backend 'mlflow'; use one of: local, vertex"),
        ({"name": "Iris 1"}, "'Iris 1' is no model's name"),
        ({"aliases": ["1"]}, "'1' is no alias"),
        (
            {"metrics": {"accuracy": 0.5}, "at_least": {"accuracy": 0.9}},
            "not registered: its accuracy is 0.5, below 0.9",
        ),
        ({"metrics": {"r2": 0.5}, "at_least": {"accuracy": 0.9}}, "lack accuracy.* got: r2"),
        ({"metrics": {"r2": float("nan")}, "at_least": {"r2": 0.9}}, "its r2 is nan"),
        ({"registry": "/proc/nowhere"}, "registry /proc/nowhere cannot be used"),
        ({"backend": "vertex"}, "Vertex AI needs project and location"),
        ({"backend": "vertex", "project": "p", "location": "l"}, "this one is at /"),
    ],
)
def test_what_cannot_be_registered_is_refused(tmp_path: Path, given: dict, says: str) -> None:
    with pytest.raises((ComponentError, ModelError), match=says):
        register(tmp_path, **given)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x,y\n")
    entry = Artifact(uri=str(tmp_path / "entry"))
    for name, says in (("data", "data cannot be read"), ("none", "none: there is no such file")):
        with pytest.raises(ModelError, match=says):
            register_model(Model(uri=str(tmp_path / name)), entry, "iris")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@has_vertex
class TestVertex:
    """In Vertex AI's Model Registry, by the official client and over REST."""

    @pytest.fixture
    def vertex(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[object]:
        from components.deploy_model.tests.fake_vertex import vertex_server  # noqa: PLC0415

        with vertex_server() as served:
            monkeypatch.setenv("VERTEX_AI_ENDPOINT", served.url)
            yield served

    def register(self, folder: Path, content: str = "a model", **given: object) -> Registered:
        model = model_of(folder, content)
        path = Path(model.path)
        model.uri = BUCKET  # which a backend mounts: KFP gives its path below /gcs
        model.__class__ = type("Mounted", (Model,), {"path": property(lambda _: str(path))})
        settings = {
            "backend": "vertex",
            "project": "ml-production",
            "location": "europe-west4",
            "serving_image": "registry.example.org/serve@sha256:1",
        }
        entry = Artifact(uri=str(folder / "entry"))
        return register_model(model, entry, "iris", **(settings | given))

    def test_a_model_becomes_a_version(self, vertex: object, tmp_path: Path) -> None:
        told = self.register(tmp_path, metrics={"accuracy": 0.95}, aliases=["champion"])
        [[version]] = vertex.models.values()
        assert told == (version["name"], "1")
        assert version["artifactUri"] == "gs://ml-models/runs/7"
        assert version["versionAliases"] == ["champion"]
        assert version["containerSpec"]["env"] == [{"name": "MODEL_FILE", "value": "model"}]
        assert version["versionDescription"] == "accuracy 0.95"
        entry = json.loads((tmp_path / "entry" / "version.json").read_text())
        assert entry["resource"] == told.resource

    def test_the_same_model_has_one_version(self, vertex: object, tmp_path: Path) -> None:
        """A retry finds it, and moves the alias; another model is another version."""
        first = self.register(tmp_path, "one")
        second = self.register(tmp_path, "two", aliases=["champion"])
        assert self.register(tmp_path, "one", aliases=["champion"]) == first
        assert (first.version, second.version) == ("1", "2")
        [versions] = vertex.models.values()
        assert versions[0]["versionAliases"] == ["champion"]

    def test_what_vertex_refuses_is_told(self, vertex: object, tmp_path: Path) -> None:
        vertex.failures["upload"] = (403, "Permission 'aiplatform.models.upload' denied")
        with pytest.raises(ComponentError, match=r"forbids the model iris: .*models\.upload"):
            self.register(tmp_path)
        with pytest.raises(ComponentError, match="needs serving_image"):
            self.register(tmp_path, serving_image="")
        assert not (tmp_path / "entry").exists()


def test_a_copy_of_the_registry_is_a_registry(tmp_path: Path) -> None:
    """Nothing in it names the place where it was made, but the entry's own address."""
    register(tmp_path, "one", registry=str(tmp_path / "a"))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert register(tmp_path, "one", registry=str(tmp_path / "b")).version == "1"
