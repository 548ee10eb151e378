"""Images elsewhere: a folder, an archive, a Docker daemon; always whole, always the same."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

import docker as sdk
import pytest

from eggcrate import cli
from eggcrate.build.engine import BuildResult
from eggcrate.build.export import send
from eggcrate.build.values import Verdict
from eggcrate.files import sha256_file
from eggcrate.registry import oci
from eggcrate.registry.layout import Layout
from eggcrate.runtimes import docker
from support.published import fill_store, pull
from support.repository import Package, Repository, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Build = Callable[..., tuple[int, dict[str, Any], str]]


BOTH = 'base = "python-3.11"\nplatforms = ["linux/amd64", "linux/arm64"]'
SIX = Package(name="six", version="1.0", files=(("six-1.0-py3-none-any.whl", "0" * 64),))


def populate(root: Path, cache: Path) -> Repository:
    """Two environments, one of them for two platforms, with images in the store."""
    made = make_repository(root, cache)
    made.environment("both", (SIX,), settings=BOTH)
    made.environment("one", (SIX,))
    fill_store(made)
    return made


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("EGGCRATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EGGCRATE_REGISTRY", raising=False)
    return populate(tmp_path / "repo", tmp_path / "cache")


@pytest.fixture
def build(repository: Repository, capsys: pytest.CaptureFixture) -> Build:
    """``build --json``: exit code, document and errors."""

    def call(*arguments: str, root: Path = repository.root) -> tuple[int, dict[str, Any], str]:
        code = cli.main(["--repo", str(root), "build", "--json", *arguments])
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return code, json.loads(told.out or "{}"), told.err

    return call


def content_of(folder: Path) -> dict[str, str]:
    """Every path below a folder, with its hash when it is a file."""
    return {
        path.relative_to(folder).as_posix(): sha256_file(path) if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.tools
def test_a_folder_is_an_image_layout(build: Build, tmp_path: Path) -> None:
    """Skopeo copies each image out of it by its environment's name; nothing else is in it."""
    out = tmp_path / "deep" / "out"
    code, document, _ = build("--all", "--output", str(out))
    assert (code, document["written"]) == (0, [f"oci:{out}:both", f"oci:{out}:one"])
    for number, name in enumerate(document["written"]):
        pull(name, tmp_path / f"copy-{number}")
    layout = Layout(out)
    assert not any(layout.verify(name) for name in layout.refs())
    digests = {item["digest"] for item in document["environments"]}
    assert digests < {f"sha256:{path.name}" for path in (out / "blobs/sha256").iterdir()}
    assert sorted(path.name for path in out.iterdir()) == ["blobs", "index.json", "oci-layout"]


@pytest.mark.tools
def test_an_archive_is_the_same_layout(build: Build, tmp_path: Path) -> None:
    """File for file what the folder holds; skopeo reads it; an older archive is replaced."""
    folder, archive = tmp_path / "out", tmp_path / "out.tar"
    archive.write_bytes(b"an older one")
    build("--all", "--output", str(folder))
    code, document, _ = build("--all", "--output", str(archive))
    assert (code, document["written"]) == (
        0,
        [f"oci-archive:{archive}:both", f"oci-archive:{archive}:one"],
    )
    with tarfile.open(archive) as file:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not in 3.11.2
        file.extractall(tmp_path / "unpacked", **safely)
    assert content_of(tmp_path / "unpacked") == content_of(folder)
    for number, name in enumerate(document["written"]):
        pull(name, tmp_path / f"copy-{number}")


@pytest.mark.tools
def test_a_single_image_needs_no_name(build: Build, tmp_path: Path) -> None:
    """``skopeo copy oci-archive:one.tar`` as people type it."""
    archive = tmp_path / "one.tar"
    assert build("one", "--output", str(archive))[0] == 0
    pull(f"oci-archive:{archive}", tmp_path / "copy")


def test_the_same_images_give_the_same_bytes(
    build: Build, tmp_path: Path, repository: Repository
) -> None:
    """From another checkout, in another order of building, beside other images."""
    other = populate(tmp_path / "elsewhere", tmp_path / "cache")
    other.environment("more", ())
    fill_store(other)
    for name in ("a.tar", "a"):
        build("one", "both", "--output", str(tmp_path / name))
        again = tmp_path / f"again-{name}"
        build("both", "one", "--output", str(again), root=other.root)
        if again.is_file():
            assert again.read_bytes() == (tmp_path / name).read_bytes()
        else:
            assert content_of(again) == content_of(tmp_path / name)


@pytest.mark.parametrize("name", ["out", "out.tar"])
@pytest.mark.parametrize("damage", ["gone", "other bytes", "shorter"])
def test_a_damaged_blob_never_leaves(
    build: Build, repository: Repository, tmp_path: Path, name: str, damage: str
) -> None:
    """It is told, and nothing appears where the output was to be."""
    digest = repository.store.resolve("one." + _tag(repository)).digest
    layer = repository.store.blob_path(repository.manifest(digest).layers[-1].digest)
    content = layer.read_bytes()
    changed = {"gone": b"", "other bytes": bytes(len(content)), "shorter": content[:-1]}[damage]
    # Damaged after the build looked at it, so that the sending itself must notice.
    layer.write_bytes(changed)
    result = BuildResult(
        environment="one", platform="linux/amd64", verdict=Verdict.BUILT, digest=digest, key="0"
    )
    out = tmp_path / "below" / name
    sent = send(repository.store, [result], output=out, load=False, remote=None)
    assert "is damaged" in str(sent.error)
    assert sent.written == ()
    assert list(out.parent.iterdir()) == []
    assert not layer.exists()  # so that the next build makes it again


def _tag(repository: Repository) -> str:
    return next(ref for ref in repository.store.refs() if ref.startswith("one.")).partition(".")[2]


def test_what_is_there_is_not_overwritten(build: Build, tmp_path: Path) -> None:
    """A folder with something in it, a file that is no archive, a folder named like one.

    Nor is a folder made where an archive of another kind seems to be wanted.
    """
    full, file, named = tmp_path / "full", tmp_path / "file", tmp_path / "folder.tar"
    for folder in (full, named):
        folder.mkdir()
        (folder / "precious").touch()
    file.write_text("precious")
    other = tmp_path / "x.tar.gz"
    for path, sentence in (
        (full, "is not empty"),
        (file, "is a file"),
        (named, "is a folder"),
        (other, "would be a folder"),
    ):
        code, document, err = build("--all", "--output", str(path))
        assert (code, document) == (2, {})
        assert f"{path} {sentence}" in err
    assert file.read_text() == "precious"
    (tmp_path / "empty").mkdir()
    assert build("one", "--output", str(tmp_path / "empty"))[0] == 0


def test_a_dry_run_sends_nothing(build: Build, tmp_path: Path) -> None:
    """Neither a folder nor anything in a daemon."""
    code, document, _ = build("--all", "--dry-run", "--load", "--output", str(tmp_path / "out"))
    assert (code, document["written"], document["loaded"]) == (0, [], [])
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_built_is_left_out(
    build: Build, repository: Repository, tmp_path: Path
) -> None:
    """The others are written; exit code 1."""
    repository.environment("broken", (SIX,), wanted=["missing"])
    code, document, _ = build("one", "broken", "--output", str(tmp_path / "out"))
    assert (code, document["written"]) == (1, [f"oci:{tmp_path / 'out'}:one"])


@pytest.mark.docker
def test_images_are_loaded_into_docker(
    docker_daemon: str, build: Build, repository: Repository
) -> None:
    """Under the name that is printed, with all layers; with a registry, under its own name."""
    code, document, err = build("--all", "--load")
    assert (code, document["error"]) == (0, ""), err
    assert len(document["loaded"]) == 3
    assert all(name.startswith("localhost/eggcrate/") for name in document["loaded"])
    code, named, _ = build("one", "--load", "--registry", "127.0.0.1:9/team")
    assert code == 0  # the registry is not asked, only its name is used
    tag = document["loaded"][-1].rpartition(":")[2]
    assert named["loaded"] == [f"127.0.0.1:9/team/one:{tag}"]
    assert build("--all", "--load")[1]["loaded"] == document["loaded"]
    client = sdk.APIClient(base_url=docker_daemon, version="auto")
    try:
        digests = [item["digest"] for item in document["environments"]]
        for name, digest in zip(document["loaded"], digests, strict=True):
            layers = client.inspect_image(name)["RootFS"]["Layers"]
            config = repository.store.read_blob(repository.manifest(digest).config.digest)
            assert tuple(layers) == oci.parse_config(config).diff_ids
        for name in (*document["loaded"], *named["loaded"]):
            client.remove_image(name, force=True)
    finally:
        client.close()


def test_without_a_daemon_it_is_told(
    build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After the table, with another way out; the images are in the store all the same."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    code, document, _ = build("one", "--load")
    assert (code, document["loaded"]) == (1, [])
    assert "there is no Docker daemon" in document["error"]
    assert "--output" in document["error"]
    assert docker.available()
