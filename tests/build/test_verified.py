"""``--verified``, from the command line to the refusal of what is not signed as it should be."""

from __future__ import annotations

import json
import subprocess
import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.registry import cosign
from eggcrate.registry.referrers import Artifact, attach, read_artifact, referrers
from eggcrate.registry.remote import Remote
from support.keys import new_key
from support.planning import commit, git
from support.published import HASTY
from support.repository import Ran, Repository, copy_cache, make_repository, packages
from support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.network

_SETTINGS = 'base = "python-3.11"\ncompile = false'
_COMPONENT = """
    from eggcrate import component


    @component
    def say_{name}() -> str:
        import tiny

        return tiny.__name__
"""
_TEST = """
    from components.say_{name}.component import say_{name}


    def test_it() -> None:
        assert say_{name}() == "tiny"
"""
_PIPELINE = """
    from kfp import dsl

    from components.say_{name}.component import say_{name}


    @dsl.pipeline
    def {name}() -> None:
        say_{name}()
"""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A repository, and a registry with images of its environments."""

    repository: Repository
    prefix: str
    folder: Path

    def run(self, *arguments: str, **variables: str) -> Ran:
        told = {
            "EGGCRATE_REGISTRY": self.prefix,
            "EGGCRATE_TRUST": str(self.folder / "key.pub"),
            "DOCKER_CONFIG": str(self.folder / "no-docker"),
            **variables,
        }
        return self.repository.run(*arguments, extra=told)

    def elsewhere(self, name: str, key: str) -> Shop:
        """The same with a part of the registry of its own, where a key has signed ``good``."""
        other = replace(self, prefix=f"{self.prefix}/{name}")
        ran = other.run(
            *("build", "good", "--push", "--attest"), EGGCRATE_SIGN=str(self.folder / key)
        )
        assert ran.code == 0, ran.err
        return other

    def refused(self, pipeline: str) -> str:
        """What is told of the pipeline that is not compiled; nothing is written for it."""
        path = self.repository.root / "build" / "pipelines" / f"{pipeline}.yaml"
        path.unlink(missing_ok=True)
        ran = self.run("compile", pipeline, "--verified")
        assert (ran.code, ran.calm, path.exists()) == (1, True, False), ran.out + ran.err
        return " ".join(ran.err.split())


@pytest.fixture(scope="module")
def shop(base_cache: Path, tmp_path_factory: pytest.TempPathFactory, registry_server: str) -> Shop:
    """A signed image and one that is not, each with a component and a pipeline."""
    folder = tmp_path_factory.mktemp("verified")
    cache = copy_cache(base_cache, folder / "cache")
    repository = make_repository(folder / "repo", cache, links=folder / "links")
    tiny = packages(make_wheel(folder / "links", "tiny", files={"tiny.py": ""}))
    (repository.root / "components" / "__init__.py").touch()
    for name in ("good", "bare"):
        repository.environment(name, tiny, settings=_SETTINGS)
        component = repository.root / "components" / f"say_{name}"
        (component / "tests").mkdir(parents=True)
        for path, text in {
            component / "__init__.py": "",
            component / "component.py": _COMPONENT,
            component / "tests" / "__init__.py": "",
            component / "tests" / f"test_say_{name}.py": _TEST,
            component / "pyproject.toml": '[project]\nname = "say_{name}"\n'
            'requires-python = ">=3.11"\ndependencies = ["tiny"]\n'
            '[tool.eggcrate]\nenvironment = "{name}"\n',
            repository.root / "pipelines" / name / "pipeline.py": _PIPELINE,
        }.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n").format(name=name))
    (repository.root / ".gitignore").write_text(".eggcrate\nbuild\n")
    git(repository.root, "init", "-q", "-b", "main")
    commit(repository.root, "start")
    new_key(folder)
    new_key(folder, "other")
    prefix = f"{registry_server}/verified/{folder.name}".lower()
    made = Shop(repository=repository, prefix=prefix, folder=folder)
    ran = made.run("build", "--all", "--push")
    assert ran.code == 0, ran.err
    ran = made.run(*("build", "good", "--push", "--attest"), EGGCRATE_SIGN=str(folder / "key.pem"))
    assert ran.code == 0, ran.err
    return made


def _published(shop: Shop, name: str) -> tuple[str, str]:
    """Tag and digest of a published image."""
    with Remote(shop.prefix, retries=HASTY) as remote:
        [tag] = [tag for tag in remote.tags(name) if tag.startswith("key-")]
        found = remote.resolve(name, tag)
    assert found
    return tag, found.digest


def test_a_pipeline_of_verified_images_is_compiled(shop: Shop) -> None:
    """With the digest that is signed, and no other name of it."""
    ran = shop.run("compile", "good", "--verified", "--json")
    assert ran.code == 0, ran.err
    [told] = json.loads(ran.out)["pipelines"]
    _, digest = _published(shop, "good")
    assert [task["image"] for task in told["tasks"]] == [f"{shop.prefix}/good@{digest}"]


def test_an_image_that_nobody_signed_is_refused(shop: Shop) -> None:
    """By the flag, the setting and the variable alike; without them it is used."""
    _, digest = _published(shop, "bare")
    told = shop.refused("bare")
    assert f"bare@{digest} is not verified, and only verified images are to be used" in told
    assert "signature: it is not signed; provenance: none is attached" in told
    assert f"run: eggcrate verify bare@{digest}" in told
    assert shop.run("compile", "bare", EGGCRATE_VERIFIED="true").code == 1
    pyproject = shop.repository.root / "pyproject.toml"
    before = pyproject.read_text()
    pyproject.write_text(f"{before}\n[tool.eggcrate]\nverified = true\n")
    try:
        assert shop.run("compile", "bare").code == 1
        assert shop.run("compile", "good").code == 0
    finally:
        pyproject.write_text(before)
    assert shop.run("compile", "bare").code == 0


def test_an_image_that_another_key_signed_is_refused(shop: Shop) -> None:
    """Signature and provenance are there, both good, and both somebody else's."""
    told = shop.elsewhere("another", "other.pem").refused("good")
    assert "signature: 1 signatures, none of them by" in told
    assert "provenance: " in told


def test_another_image_under_the_tag_is_refused(shop: Shop, tmp_path: Path) -> None:
    """Also with the signature and the signed provenance of the image that stood there before."""
    mine = shop.elsewhere("moved", "key.pem")
    tag, digest = _published(mine, "good")
    assert mine.run("compile", "good", "--verified").code == 0
    store = mine.repository.store
    manifest = json.loads(store.read_blob(digest))
    config: dict[str, Any] = json.loads(store.read_blob(manifest["config"]["digest"]))
    config["config"]["Env"].append("INJECTED=1")
    content = json.dumps(config).encode()
    manifest["config"].update(digest=store.add_blob(content), size=len(content))
    evil = store.add_blob(json.dumps(manifest).encode())
    with Remote(mine.prefix, retries=HASTY) as remote:
        remote.push_image(store, evil, "good", [tag])
        moved = remote.resolve("good", tag)
        assert moved
        assert moved.digest == evil
    assert "signature: it is not signed; provenance: none" in mine.refused("good")
    with Remote(mine.prefix, retries=HASTY) as remote:
        [signed] = cosign.read_signatures(remote, "good", digest, tmp_path)
        cosign.put_signature(remote, "good", signed, evil)
        taken = [
            Artifact(type=one.type, content=read_artifact(remote, "good", one, tmp_path))
            for one in referrers(remote, "good", digest)
        ]
        attach(remote, "good", moved, taken)
    told = mine.refused("good")
    assert "signature: 1 signatures, none of them by" in told
    assert f"provenance: it is about good@{digest}" in told


@pytest.mark.sandbox
def test_cells_run_in_verified_images_only(shop: Shop) -> None:
    """One passes, the other is broken and says why; nothing of it is remembered."""
    indexed = replace(shop, repository=replace(shop.repository, pip={}))  # for the harness
    ran = indexed.run("matrix", "--verified", "--runtime", "sandbox", "--json")
    cells = {
        (cell["component"], cell["environment"]): (cell["outcome"], cell["reason"])
        for cell in json.loads(ran.out)["cells"]
    }
    assert ran.code == 1, ran.err
    assert cells["say_good", "good"][0] == "passed", cells
    outcome, reason = cells["say_bare", "bare"]
    assert outcome == "broken"
    assert reason.startswith("its image is not used: bare@sha256:"), reason
    assert "only verified images are to be used (signature: it is not signed" in reason


@pytest.mark.tools
def test_skopeo_takes_what_is_signed_and_nothing_else(shop: Shop, tmp_path: Path) -> None:
    """Another implementation of cosign's signatures, given the public key alone, agrees."""
    other = shop.elsewhere("judged", "other.pem")
    for name, where, code in (
        ("good", shop, 0),
        ("bare", shop, 1),
        ("good", other, 1),
    ):
        tag, digest = _published(where, name)
        done = _skopeo(where, name, tag, tmp_path)
        if "sigstore disabled" in done.stderr:
            pytest.skip("Debian's skopeo is built without signatures of cosign's: nothing to ask")
        assert done.returncode == code, done.stderr
        if code:
            assert "Source image rejected" in done.stderr
        else:
            index = json.loads((tmp_path / f"{name}-{tag}" / "index.json").read_bytes())
            assert [one["digest"] for one in index["manifests"]] == [digest]


def _skopeo(shop: Shop, name: str, tag: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Copy an image as a machine would whose policy wants our signature."""
    rule = {
        "type": "sigstoreSigned",
        "keyPath": str(shop.folder / "key.pub"),
        "signedIdentity": {"type": "matchRepository"},
    }
    policy, settings = folder / "policy.json", folder / "registries.d"
    policy.write_text(
        json.dumps({"default": [{"type": "reject"}], "transports": {"docker": {"": [rule]}}})
    )
    settings.mkdir(exist_ok=True)
    (settings / "ours.yaml").write_text("default-docker:\n  use-sigstore-attachments: true\n")
    command = ["skopeo", "--policy", str(policy), "--registries.d", str(settings), "copy", "-q"]
    source = f"docker://{shop.prefix}/{name}:{tag}"
    return subprocess.run(
        [*command, "--src-tls-verify=false", source, f"oci:{folder}/{name}-{tag}:x"],
        capture_output=True,
        text=True,
        check=False,
    )
