"""Two clones on two machines: what they build, describe and compile is the same to the byte."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from eggcrate.registry.referrers import read_artifact, referrers
from eggcrate.registry.remote import Remote
from eggcrate.runtimes.docker_daemon import connect
from support.ci_builder import make_builder, package_settings
from support.repository import take_debs
from support.small_checkout import small_checkout

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [
    pytest.mark.docker,
    pytest.mark.network,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("docker"),
]

_SCRATCH = "/tmp"  # noqa: S108 - the container's own
_BILL, _PROVENANCE = "application/vnd.cyclonedx+json", "application/vnd.in-toto+json"
_SET_UP = "import bootstrap; bootstrap.GROUPS = ('main',); raise SystemExit(bootstrap.main())"
"""``make setup`` without what tests alone need."""
_STEPS = f"""
set -e
mkdir -p "$HOME" /tmp/made "$(dirname "$CLONE")"
git clone --quiet /given/clone.bundle "$CLONE"
cd "$CLONE"
git remote set-url origin https://forge.example/us/repository.git
mkdir -p "$EGGCRATE_CACHE"
cp -r /given/debs "$EGGCRATE_CACHE/debs"
PYTHONPATH=scripts python3 -c {shlex.quote(_SET_UP)}
eggcrate() {{ .venv/bin/eggcrate "$@"; }}
eggcrate build --all --push --attest --json > /tmp/built.json
for name in one two; do eggcrate sbom $name --output /tmp/made/$name.cdx.json; done
eggcrate package --output /tmp/made
eggcrate compile --local
cp -r build/pipelines /tmp/made/
mkdir /tmp/made/store
cp -r .eggcrate/store/{{blobs,index.json,oci-layout}} /tmp/made/store
python3 -V > /tmp/version
id -u >> /tmp/version
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where a clone is."""

    name: str
    python: str
    user: str
    umask: str
    clone: str
    cpus: Mapping[str, str]
    variables: Mapping[str, str]


_ONE = Machine(
    name="one",
    python="3.11",
    user="0:0",
    umask="022",
    clone="/clone",
    cpus={"cpuset-cpus": "0"},
    variables={"HOME": "/root", "TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"},
)
_OTHER = Machine(
    name="other",
    python="3.13",
    user="4711:100",
    umask="077",
    clone=f"{_SCRATCH}/some body/deeper ünd/the clone",
    cpus={"cpus": "1.5"},
    variables={
        "HOME": f"{_SCRATCH}/some body",
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "tr_TR.UTF-8",
        "PYTHONHASHSEED": "4242",
        "EGGCRATE_JOBS": "5",
        "SOURCE_DATE_EPOCH": "1",
    },
)


def test_two_clones_on_two_machines_make_the_same_bytes(
    docker_daemon: str, registry_server: str, tmp_path: Path
) -> None:
    """Images, bills of materials, provenance, helper wheel, bundles, compiled pipelines.

    Other Debian, other Python, other user, umask, path, locale, time zone, processors, order of
    sets; each clone sets itself up, and has nothing of the other's but Debian's packages.
    """
    given = tmp_path / "given"
    given.mkdir()
    take_debs(given)
    root = small_checkout(tmp_path / "repository")
    bundle = ["git", "bundle", "create", "--quiet", str(given / "clone.bundle"), "HEAD", "main"]
    subprocess.run(bundle, cwd=root, check=True)
    subprocess.run(["chmod", "-R", "a+rX", given], check=True)
    builders = [make_builder(tmp_path / m.name, m.python) for m in (_ONE, _OTHER)]

    def make(machine: Machine, builder: str) -> tuple[dict[str, str], list[str]]:
        return _made(machine, builder, given, f"{registry_server}/machines/{tmp_path.name}")

    with ThreadPoolExecutor(2) as pool:
        (one, told), (other, also_told) = pool.map(make, (_ONE, _OTHER), builders)
    assert [told[0].split(".")[1], told[1]] == ["11", "0"], told
    assert [also_told[0].split(".")[1], also_told[1]] == ["13", "4711"], also_told
    assert one == other
    assert {name for name in one if not name.startswith("store/blobs/")} == {
        *("one.cdx.json", "two.cdx.json", "pipelines/both.yaml"),
        *("store/index.json", "store/oci-layout"),
        *(f"registry/{name} {kind}" for name in ("one", "two") for kind in (_BILL, _PROVENANCE)),
        *(name for name in one if name.endswith(".whl")),
    }


def _made(
    machine: Machine, builder: str, given: Path, registry: str
) -> tuple[dict[str, str], list[str]]:
    """Hash of everything that a machine made, by name, and what it says of itself."""
    prefix = f"{registry}/{machine.name}".lower()
    variables = {
        "CLONE": machine.clone,
        "EGGCRATE_CACHE": f"{_SCRATCH}/cache",
        "EGGCRATE_REGISTRY": prefix,
        "EGGCRATE_BUILDER": "https://ci.example/build",
        **machine.variables,
    }
    name = f"eggcrate-test-machine-{given.parent.name}-{machine.name}"
    command = [
        *("docker", "run", "--name", name, "--network", "host", "--user", machine.user),
        *(f"--{option}={value}" for option, value in machine.cpus.items()),
        *(f"--env={variable}={value}" for variable, value in variables.items()),
        *(setting.replace("--mount=", "--volume=") for setting in package_settings()),
        *("--volume", f"{given}:/given:ro", builder),
        *("bash", "-c", f"umask {machine.umask}\n{_STEPS}"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        with connect() as client:
            files, told, built = (
                _files(b"".join(client.get_archive(name, f"{_SCRATCH}/{path}")[0]))
                for path in ("made", "version", "built.json")
            )
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
    with Remote(prefix) as remote:
        for one in json.loads(built["built.json"])["environments"]:
            for beside in referrers(remote, one["name"], one["digest"]):
                statement = read_artifact(remote, one["name"], beside, given.parent / machine.name)
                files[f"registry/{one['name']} {beside.type}"] = statement
    hashes = {
        path.removeprefix("made/"): hashlib.sha256(content).hexdigest()
        for path, content in files.items()
    }
    return hashes, told["version"].decode().split("\n")


def _files(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            member.name: tar.extractfile(member).read()  # type: ignore[union-attr] # a file
            for member in tar
            if member.isfile()
        }
