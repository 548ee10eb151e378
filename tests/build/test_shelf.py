"""Layers from the registry: an empty disk downloads and pushes what is new, and no more."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.build.interpreter import host_interpreter
from eggcrate.build.shelf import read_shelf
from eggcrate.registry.remote import Remote
from support.published import check_whole
from support.registry_proxy import Answer, Fault, RegistryProxy
from support.repository import (
    HERE,
    Package,
    Repository,
    copy_cache,
    make_repository,
    noise,
    packages,
    real_packages,
    take_debs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Wheel = Callable[..., Path]

pytestmark = [pytest.mark.network, pytest.mark.tools]

PYTHON = "3.11.2"
"""Of the base."""
BASE = 20 << 20
"""Bytes that the base's system layer has at most: what its Python costs a machine without one."""
LIMIT = 2_000_000


@dataclass
class Fleet:
    """A repository, and machines that share nothing but a registry."""

    repository: Repository
    proxy: RegistryProxy
    prefix: str
    machines: int = 0

    def push(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Push what changed; the result of each environment."""
        ran = self.repository.run(
            "build", "--changed", "--push", "--json", *arguments,
            extra={"EGGCRATE_REGISTRY": f"{self.proxy.address}/{self.prefix}"},
        )  # fmt: skip
        assert (ran.code, ran.calm) == (code, True), ran.out + ran.err
        return {item["name"]: {**item, "err": ran.err} for item in ran.results}

    def empty_disk(self) -> None:
        """Go on at a machine that has a checkout and nothing else."""
        self.machines += 1
        shutil.rmtree(self.repository.root / ".eggcrate", ignore_errors=True)
        self.repository.cache = self.repository.root.parent / f"machine-{self.machines}"
        self.proxy.forget()

    def wheels(self) -> set[str]:
        """Names of the files that this machine has downloaded from an index."""
        return {path.name for path in self.repository.cache.glob("files/*/*/*")}

    def traffic(self) -> int:
        """Bytes that went up and down since the machine was new."""
        return sum(self.proxy.up.values()) + sum(self.proxy.down.values())


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The log-ins of whoever runs the tests are not used."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-docker"))


@pytest.fixture(name="proxy")
def _proxy(registry_server: str) -> Iterator[RegistryProxy]:
    with RegistryProxy(registry_server) as found:
        yield found


@pytest.fixture(name="fleet")
def _fleet(small: Repository, wheel: Wheel, proxy: RegistryProxy, tmp_path: Path) -> Fleet:
    """An environment of one large and some small packages, published; then an empty disk."""
    name = "".join(letter for letter in tmp_path.name.lower() if letter.isalnum())
    found = Fleet(repository=small, proxy=proxy, prefix=f"shelf/{name}")
    small.environment("one", locked(wheel))
    found.push()
    small.cache = tmp_path / "kept"
    found.empty_disk()
    return found


def locked(wheel: Wheel, *, without: str = "") -> list[Package]:
    """A large package, and small ones of which some have no module and some share a folder."""
    files: dict[str, dict[str, bytes | str]] = {
        "large": {"large.bin": noise("large", 3 << 20), "large.py": "L = 1"},
        "data": {"data/table.csv": "1,2\n"},
        **{f"small-{n}": {f"space/m{n}.py": f"N = {n}\n"} for n in range(6)},
    }
    made = [wheel(name, files=content) for name, content in files.items() if name != without]
    return list(packages(*made))


def elsewhere(fleet: Fleet, base_cache: Path, tmp_path: Path) -> str:
    """The digest that a machine which makes everything from wheels comes to."""
    cache = copy_cache(base_cache, tmp_path / f"from-wheels-{fleet.machines}")
    other = Repository(root=fleet.repository.root, cache=cache, pip=fleet.repository.pip)
    (digest,) = other.build("one").values()
    return digest


def test_an_empty_disk_takes_all_but_the_new_package_from_the_registry(
    fleet: Fleet, wheel: Wheel, base_cache: Path, tmp_path: Path
) -> None:
    """One wheel is downloaded; the image is the very same as one made from all wheels."""
    fleet.repository.environment("one", [*locked(wheel), *packages(wheel("added"))])
    result = fleet.push()["one"]
    assert fleet.wheels() == {"added-1.0-py3-none-any.whl"}
    assert result["pushed"]["uploaded"] == 2  # one group of small packages, the configuration
    allowed = LIMIT if host_interpreter(PYTHON) else LIMIT + BASE
    assert fleet.traffic() < allowed
    assert fleet.repository.store.refs() == {}  # nothing half there has a name
    assert check_whole(f"{fleet.proxy.address}/{fleet.prefix}", tmp_path)
    assert elsewhere(fleet, base_cache, tmp_path) == result["digest"]
    take_debs(fleet.repository.cache)
    shutil.rmtree(fleet.repository.root / ".eggcrate")
    assert fleet.repository.build("one") == {"one linux/amd64": result["digest"]}
    assert len(fleet.wheels()) > len(locked(wheel))  # a build by itself takes no registry's word


def test_a_package_that_another_environment_has_is_not_downloaded(
    fleet: Fleet, wheel: Wheel, tmp_path: Path
) -> None:
    """A new environment of known packages costs no wheel, no compiler and no layer upload."""
    fleet.repository.environment("two", locked(wheel))
    result = fleet.push()["two"]
    assert fleet.wheels() == set()
    assert result["pushed"]["uploaded"] == 1  # the configuration: it names the environment
    assert result["pushed"]["mounted"] == result["layers"]
    assert fleet.traffic() < LIMIT
    assert len(check_whole(f"{fleet.proxy.address}/{fleet.prefix}", tmp_path)) == 2


def test_a_package_less(fleet: Fleet, wheel: Wheel, base_cache: Path, tmp_path: Path) -> None:
    """The group that it stood in is made from the published one."""
    fleet.repository.environment("one", locked(wheel, without="small-3"))
    result = fleet.push()["one"]
    assert fleet.wheels() == set()
    assert fleet.traffic() < LIMIT
    assert elsewhere(fleet, base_cache, tmp_path) == result["digest"]


def test_a_moved_base_pushes_no_layer_of_a_package(
    fleet: Fleet, wheel: Wheel, tmp_path: Path
) -> None:
    """On a base with a shell: what is uploaded is in the base; all packages are there already."""
    before = {layer for layer in published_layers(fleet) if layer}
    fleet.repository.environment("one", locked(wheel), settings='base = "python-3.11-debug"')
    take_debs(fleet.repository.cache)
    result = fleet.push()["one"]
    after = published_layers(fleet)
    assert {layer for layer in after - before if not layer.startswith("system")} == set()
    assert fleet.wheels() == set()
    assert result["pushed"]["uploaded"] < result["layers"] - 3
    assert len(check_whole(f"{fleet.proxy.address}/{fleet.prefix}", tmp_path)) == 2


def published_layers(fleet: Fleet) -> set[str]:
    """Kind and digest of every layer of every published image."""
    with Remote(f"{fleet.proxy.address}/{fleet.prefix}") as remote:
        shelf = read_shelf(remote, [("one", tag) for tag in remote.tags("one")])
    return {f"{layer.units[0].kind.value} {layer.digest}" for layer in shelf.layers.values()}


def test_a_registry_that_mounts_nothing(fleet: Fleet, wheel: Wheel, tmp_path: Path) -> None:
    """What only another image's repository has is fetched from there, and uploaded."""
    refused = Answer(status=405, body=b"{}")
    fleet.proxy.faults.append(Fault(method="POST", path="mount=", times=999, answer=refused))
    fleet.repository.environment("two", locked(wheel))
    result = fleet.push()["two"]
    assert result["pushed"]["mounted"] == 0
    assert fleet.wheels() == set()
    assert len(check_whole(f"{fleet.proxy.address}/{fleet.prefix}", tmp_path)) == 2


def test_a_registry_that_lost_a_layer(
    fleet: Fleet, wheel: Wheel, base_cache: Path, tmp_path: Path
) -> None:
    """Of a layer that cannot be had the wheels are taken, to the same image."""
    gone = Answer(status=404, body=b'{"errors":[{"code":"BLOB_UNKNOWN"}]}')
    fleet.proxy.faults.append(Fault(method="GET", path="/blobs/sha256", times=1, answer=gone))
    fleet.repository.environment("one", [*locked(wheel), *packages(wheel("added"))])
    take_debs(fleet.repository.cache)
    result = fleet.push()["one"]
    assert "added-1.0-py3-none-any.whl" in fleet.wheels()
    assert "large-1.0-py3-none-any.whl" not in fleet.wheels()
    assert elsewhere(fleet, base_cache, tmp_path) == result["digest"]


def test_rivals_are_found_though_one_is_only_published(fleet: Fleet, wheel: Wheel) -> None:
    """A new wheel that writes another file to a published one's path is refused by name."""
    rival = wheel("rival", files={"space/m2.py": "N = 'other'\n"})
    fleet.repository.environment("one", [*locked(wheel), *packages(rival)])
    result = fleet.push(code=1)["one"]
    assert "packages write different files to the same path" in result["error"]
    assert "rival and small-2" in result["error"]


def test_an_image_that_is_loaded_is_whole(fleet: Fleet, wheel: Wheel, tmp_path: Path) -> None:
    """With ``--output`` beside ``--push`` the store gets every layer, from the registry."""
    fleet.repository.environment("one", [*locked(wheel), *packages(wheel("added"))])
    take_debs(fleet.repository.cache)
    result = fleet.push("--output", str(tmp_path / "out"))["one"]
    assert fleet.wheels() == {"added-1.0-py3-none-any.whl"}
    assert fleet.repository.store.resolve("one").digest == result["digest"]
    assert fleet.repository.store.missing(result["digest"]) == ()
    assert fleet.repository.python(result["digest"], "import added, large; print(large.L)") == "1"


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
def test_docker_gets_a_base_that_is_only_published(
    fleet: Fleet, docker_daemon: str, tmp_path: Path
) -> None:
    """A ``Dockerfile`` on a base whose layers are in the registry: they are fetched for it."""
    fleet.repository.pip = {}  # Docker builds with pip, from where this machine has it
    dock = fleet.repository.environment("dock", ())
    (dock / "Dockerfile").write_text(
        "ARG EGGCRATE_BASE\nFROM ${EGGCRATE_BASE}\n"
        'RUN ["/usr/bin/python3.11", "-m", "venv", "--without-pip", "/opt/env"]\n'
    )
    result = fleet.push()["dock"]
    assert fleet.proxy.down["blob"] > BASE // 2
    assert result["pushed"]["mounted"] >= 2
    assert len(check_whole(f"{fleet.proxy.address}/{fleet.prefix}", tmp_path)) == 2


def test_over_a_gigabyte_a_small_package_costs_less_than_two_megabytes(
    proxy: RegistryProxy, base_cache: Path, tmp_path: Path
) -> None:
    """Real wheels, caches wiped: one pure-Python package added to an environment of 1.4 GB."""
    repository = make_repository(tmp_path / "repo", copy_cache(base_cache, tmp_path / "cache"))
    shutil.copytree(HERE / "tests/data/large", repository.root / "environments/one")
    fleet = Fleet(repository=repository, proxy=proxy, prefix="shelf/large")
    first = fleet.push()["one"]
    assert first["size"] > 1_000_000_000
    shutil.rmtree(repository.cache)
    fleet.empty_disk()
    (new,) = real_packages("catboost-1-2", "graphviz")
    add_package(repository.root / "environments/one", new)
    second = fleet.push()["one"]
    assert second["size"] > first["size"]
    (downloaded,) = repository.cache.glob("files/*/*/*")
    assert downloaded.name.startswith("graphviz-")
    allowed = LIMIT if host_interpreter(PYTHON) else LIMIT + BASE
    assert fleet.traffic() < allowed + 2 * downloaded.stat().st_size  # its files, its bytecode
    shutil.rmtree(repository.root / ".eggcrate")


def add_package(folder: Path, package: Package) -> None:
    """Add a package to an environment's files as a person and Poetry would."""
    project, lock = folder / "pyproject.toml", folder / "poetry.lock"
    asked = f'dependencies = [\n    "{package.name}=={package.version}",'
    project.write_text(project.read_text().replace("dependencies = [", asked, 1))
    before, mark, after = lock.read_text().partition("\n[metadata]")
    lock.write_text(f"{before}\n{package.toml()}{mark}{after}")
