"""A registry through its life, with the command line as its user: whatever happens, all is whole.

Each test is one event in the life of two published environments, told by its name. After it
every manifest that the registry has is complete, skopeo copies each tag, and Docker pulls one
and runs the Python in it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from support.registry_proxy import Fault, RegistryProxy, error
from support.repository import (
    Package,
    Ran,
    Repository,
    copy_cache,
    make_repository,
    noise,
    packages,
)
from support.services import RegistryServer
from support.token_server import TokenServer
from support.wheels import make_wheel
from support.whole import Docker, every_manifest_is_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.tools, pytest.mark.docker]

PUSH = ("build", "--changed", "--push", "--json")
BIG = 1_500_000
"""Bytes of a package that gets a layer of its own."""
HTPASSWD = "u:$2b$04$GAAdFkl27Uk/rH58ztqHwOVVvlJ11CdoEQXMKjWurrSs6ZSTVVad.\n"
"""The log-in of user ``u`` with the password ``p:w``."""
IN_THE_MIDDLE = 700_000


@dataclass(frozen=True, kw_only=True)
class Life:
    """A team's repository, and its registry behind a network that can be made bad."""

    repository: Repository
    server: RegistryServer
    proxy: RegistryProxy
    daemon: Docker
    folder: Path

    @property
    def links(self) -> Path:
        """Where the packages come from."""
        return self.folder / "links"

    def big(self, name: str, version: str = "1.0") -> Package:
        """A package with a layer of its own."""
        files = {f"{name}.bin": noise(name + version, BIG), f"{name}.py": ""}
        return packages(make_wheel(self.links, name, version, files=files))[0]

    def small(self, name: str) -> Package:
        """A package of one line."""
        return packages(make_wheel(self.links, name))[0]

    def variables(self, host: str = "") -> dict[str, str]:
        """The registry, and no log-in but those that a test writes."""
        prefix = f"{host or self.proxy.address}/team"
        return {"EGGCRATE_REGISTRY": prefix, "DOCKER_CONFIG": str(self.folder / "docker")}

    def log_in(self, host: str, user: str, password: str) -> None:
        """As ``docker login`` would."""
        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        config = self.folder / "docker" / "config.json"
        config.parent.mkdir(exist_ok=True)
        config.write_text(json.dumps({"auths": {host: {"auth": auth}}}))

    def run(self, *arguments: str, host: str = "") -> Ran:
        """Run the command line; whatever it meets, it never has a defect."""
        ran = self.repository.run(*arguments, extra=self.variables(host))
        assert ran.calm, ran.out + ran.err
        return ran

    def push(self, *, code: int = 0, host: str = "") -> dict[str, dict[str, Any]]:
        """Build and push what the plan says; results by environment."""
        ran = self.run(*PUSH, host=host)
        assert ran.code == code, ran.out + ran.err
        return {item["name"]: item for item in ran.results}

    def reasons(self) -> dict[str, list[str]]:
        """The plan's reasons by environment."""
        document = json.loads(self.run("plan", "--json").out)
        return {item["name"]: item["reasons"] for item in document["environments"]}

    def whole(self, *, runs: str = "") -> set[str]:
        """Every tag there is, after all was found whole."""
        scratch = self.folder / "copied"
        return every_manifest_is_whole(self.server, scratch, daemon=self.daemon, runs=runs)

    def begin(self, *arguments: str, repository: Repository | None = None) -> subprocess.Popen[str]:
        """Start the command line and let it run."""
        one = repository or self.repository
        return subprocess.Popen(
            one.argv(*arguments),
            env=one.variables(self.variables()),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextlib.contextmanager
    def closed(self, auth: str) -> Iterator[str]:
        """The same registry by a door that asks who comes; its host and port."""
        folder = self.folder / "closed"
        folder.mkdir()
        (folder / "data").symlink_to(self.server.folder / "data")
        with RegistryServer(folder, auth) as server:
            yield server.address

    def change(self) -> None:
        """A new version of the large package of ``one``: the next push has something to do."""
        self.repository.environment("one", (self.big("shared"), self.big("own", "2.0")))


@pytest.fixture(scope="module")
def daemon(docker_daemon: str) -> Iterator[Docker]:
    with Docker() as found:
        yield found


@pytest.fixture(scope="module")
def start(base_cache: Path, tmp_path_factory: pytest.TempPathFactory, daemon: Docker) -> Path:
    """Two environments that share a large package, built: to be copied, never used."""
    folder = tmp_path_factory.mktemp("start")
    cache = copy_cache(base_cache, folder / "cache")
    repository = make_repository(folder / "repo", cache, links=folder / "links")
    shutil.rmtree(repository.root / "bases/python-3.11-debug")
    with RegistryServer(folder / "registry") as server, RegistryProxy(server.address) as proxy:
        life = Life(repository=repository, server=server, proxy=proxy, daemon=daemon, folder=folder)
        repository.environment("one", (life.big("shared"), life.big("own"), life.small("tiny")))
        repository.environment("two", (life.big("shared"),))
        life.push()
    return folder


@pytest.fixture
def life(start: Path, tmp_path: Path, daemon: Docker) -> Iterator[Life]:
    """Both environments are published; a copy, to do with as one likes."""
    folder = tmp_path
    shutil.copytree(start, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("cache"))
    links = folder / "links"
    repository = Repository(
        root=folder / "repo",
        cache=copy_cache(start / "cache", folder / "cache"),
        pip={"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links)},
    )
    with RegistryServer(folder / "registry") as server, RegistryProxy(server.address) as proxy:
        yield Life(repository=repository, server=server, proxy=proxy, daemon=daemon, folder=folder)


def tag(result: dict[str, Any]) -> str:
    """What an environment was published as."""
    return f"team/{result['name']}:key-{result['key'][:32]}"


def test_the_first_push(life: Life) -> None:
    """Into a registry that holds nothing; what both images hold goes up once."""
    life.server.stop()
    shutil.rmtree(life.server.folder / "data")
    life.server.start()
    assert life.reasons() == {"one": ["new"], "two": ["new"]}
    reports = [result["pushed"] for result in life.push().values()]
    assert sum(report["mounted"] for report in reports) > 1  # the base, and what both share
    assert sum(report["new_bytes"] for report in reports) == life.proxy.up["upload"]
    assert len(life.whole()) == 2


def test_nothing_to_do(life: Life) -> None:
    """Nothing is built and nothing written."""
    assert life.push() == {}
    assert not life.proxy.up
    assert {method for method, _, _ in life.proxy.requests} <= {"GET", "HEAD"}
    assert len(life.whole()) == 2


def test_one_package_is_added(life: Life) -> None:
    """It is all that goes up, with a configuration and a manifest."""
    locked = (life.big("shared"), life.big("own"), life.small("tiny"), life.small("added"))
    life.repository.environment("one", locked)
    assert life.reasons() == {"one": ["lock-changed"], "two": []}
    pushed = life.push()
    assert pushed.keys() == {"one"}
    assert sum(life.proxy.up.values()) < 50_000
    assert len(life.whole(runs=tag(pushed["one"]))) == 3


def test_the_base_moves(life: Life) -> None:
    """Every environment on it is published anew, and no package goes up again."""
    for name in ("base.toml", "base.lock"):
        path = life.repository.root / "bases/python-3.11" / name
        kept = [line for line in path.read_text().splitlines() if '"netbase"' not in line]
        path.write_text("\n".join(kept) + "\n")
    assert life.reasons() == {"one": ["base-moved"], "two": ["base-moved"]}
    pushed = life.push()
    assert pushed.keys() == {"one", "two"}
    reports = [result["pushed"] for result in pushed.values()]
    # Two configurations, and once the base; the other image takes that from the first.
    assert sum(report["uploaded"] for report in reports) == 3
    assert sum(report["mounted"] for report in reports) == 1
    assert len(life.whole(runs=tag(pushed["two"]))) == 4


def test_an_environment_is_deleted(life: Life) -> None:
    """It is told as retired, and what was published of it stays whole."""
    shutil.rmtree(life.repository.root / "environments/two")
    told = json.loads(life.run("plan", "--json").out)
    assert told["retired"] == ["two"]
    assert life.push() == {}
    assert not life.proxy.up
    (retired,) = (image for image in life.whole() if image.startswith("team/two:"))
    assert len(life.whole(runs=retired)) == 2


def test_the_registry_is_restarted_in_the_middle(life: Life) -> None:
    """Killed while it takes a blob and started again: the push ends well."""

    def restart() -> None:
        life.server.stop(kill=True)
        life.server.start()

    life.change()
    life.proxy.faults.append(
        Fault(method="PUT", path="/uploads/", cut_up=IN_THE_MIDDLE, before=restart)
    )
    pushed = life.push()
    assert not any(fault.times for fault in life.proxy.faults)
    assert len(life.whole(runs=tag(pushed["one"]))) == 3


def test_a_connection_is_cut_in_the_middle_of_a_blob(life: Life) -> None:
    """More than once."""
    life.change()
    life.proxy.faults.append(
        Fault(method="PUT|PATCH", path="/uploads/", cut_up=IN_THE_MIDDLE, times=2)
    )
    pushed = life.push()
    assert not any(fault.times for fault in life.proxy.faults)
    assert len(life.whole(runs=tag(pushed["one"]))) == 3


def test_the_registry_is_overloaded(life: Life) -> None:
    """429s with and without a time to wait, 500s and 503s, at every kind of request."""
    life.change()
    life.proxy.faults += [
        Fault(method="HEAD", path="/manifests/", answer=error(429, "TOOMANYREQUESTS")),
        Fault(method="GET", path="/tags/", answer=error(500, "UNKNOWN")),
        Fault(method="HEAD", path="/blobs/", answer=error(503, "UNAVAILABLE", Retry_After="0")),
        Fault(method="POST", answer=error(500, "UNKNOWN")),
        Fault(method="PUT", path="/uploads/", answer=error(500, "UNKNOWN")),
        Fault(method="PUT", path="/manifests/", answer=error(429, "TOO", Retry_After="1")),
    ]
    pushed = life.push()
    assert not any(fault.times for fault in life.proxy.faults)
    assert len(life.whole(runs=tag(pushed["one"]))) == 3


def test_the_log_in_is_wrong(life: Life) -> None:
    """One sentence says so, nothing is written; with the right one the push ends well."""
    htpasswd = life.folder / "htpasswd"
    htpasswd.write_text(HTPASSWD)
    auth = f"auth: {{htpasswd: {{realm: tests, path: {htpasswd}}}}}\n"
    life.change()
    with life.closed(auth) as host:
        life.log_in(host, "u", "geheim")
        ran = life.run(*PUSH, host=host)
        assert (ran.code, ran.out) == (1, "")
        assert f"registry {host} does not accept the log-in of u" in ran.err
        assert "docker login" in ran.err
        assert "geheim" not in ran.err
        assert len(life.whole()) == 2
        life.log_in(host, "u", "p:w")
        pushed = life.push(host=host)
    assert len(life.whole(runs=tag(pushed["one"]))) == 3


def test_a_user_may_only_read(life: Life) -> None:
    """The plan can be read; the push is refused, and says who may not write where."""
    users = {"reader": ("p:w", "pull")}
    life.change()
    with (
        TokenServer(folder=life.folder / "tokens", users=users) as tokens,
        life.closed(tokens.config) as host,
    ):
        life.log_in(host, "reader", "p:w")
        assert life.run("plan", host=host).code == 0
        ran = life.run("build", "--changed", "--push", host=host)
    assert ran.code == 1
    assert f"registry {host} does not let us write team/one" in ran.out
    assert "reader" in ran.out
    assert len(life.whole()) == 2


def test_two_push_at_once(life: Life) -> None:
    """Two machines that share nothing but the registry: both end well, with one image."""
    life.change()
    shutil.copytree(life.repository.root, life.folder / "other")
    cache = copy_cache(life.repository.cache, life.folder / "other-cache")
    other = replace(life.repository, root=life.folder / "other", cache=cache)
    pushes = [life.begin(*PUSH, repository=one) for one in (life.repository, other)]
    told = [push.communicate(timeout=300) for push in pushes]
    assert [push.returncode for push in pushes] == [0, 0], told
    digests = {item["digest"] for out, _ in told for item in json.loads(out)["environments"]}
    assert len(digests) == 1
    assert life.reasons() == {"one": [], "two": []}
    assert len(life.whole()) == 3


def test_a_push_is_killed_in_the_middle(life: Life) -> None:
    """What it left is whole, and the next push goes on from there."""
    life.change()
    life.proxy.faults.append(Fault(method="PUT", path="/uploads/", slow=0.2))
    push = life.begin(*PUSH)
    while not life.proxy.up["upload"] and push.poll() is None:
        time.sleep(0.02)
    push.send_signal(signal.SIGKILL)
    push.communicate()
    assert len(life.whole()) == 2
    pushed = life.push()
    assert len(life.whole(runs=tag(pushed["one"]))) == 3
