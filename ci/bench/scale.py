"""Many environments: how long a plan takes, and what moves when a base or a wheel is updated.

Plans are made for a thousand environments with the real locks of this repository; builds are of
a hundred environments that share small wheels. Each command is a process of its own, measured
from its start to its end.
"""

from __future__ import annotations

import collections
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bench import generated
from bench.document import BENCHMARKS, ROOT, human_seconds, machine, markdown_table, write_section
from bench.patched_base import two_bases
from bench.servers import Registry, file_server
from eggcrate.build import image
from eggcrate.build.keys import find_keys
from eggcrate.errors import EggcrateError
from eggcrate.packages.debian.mirror import MIRROR_VARIABLE
from eggcrate.progress import human_size
from eggcrate.registry import oci
from eggcrate.registry.layout import Layout
from eggcrate.registry.remote import Remote
from eggcrate.repo.monorepo import read_monorepo
from eggcrate.repo.settings import read_settings
from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eggcrate.progress import Console

NAME = "scale"
PLANNED, BUILT = 1000, 100
RUNS = 5
_BASE = "python-3.11"
_HEADER = ("what", "aim", "measured", "memory")
# From a small process: what a large one starts inherits its peak of memory.
_LAUNCHER = """
import json, resource, subprocess, sys, time
with open(sys.argv[1], "wb") as out, open(sys.argv[2], "wb") as err:
    start = time.perf_counter()
    code = subprocess.call(sys.argv[3:], stdout=out, stderr=err)
    seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([code, seconds, peak * 1024]))
"""
_REQUEST = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/1\.1" 201 ')


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A command that ended well."""

    seconds: float
    memory: int
    """Bytes of its largest process at its peak."""
    document: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the result."""

    what: str
    aim: str
    measured: str
    memory: int = 0


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A generated repository and what its commands run with."""

    root: Path
    cache: Path
    variables: Mapping[str, str]

    def run(self, *arguments: str) -> Ran:
        """Run a command line with ``--json``.

        Raises:
            EggcrateError: it did not end well.
        """
        out, err = self.root.parent / "out.json", self.root.parent / "err.txt"
        argv = [sys.executable, "-m", "eggcrate", "--repo", str(self.root), *arguments, "--json"]
        ours = {"EGGCRATE_CACHE": str(self.cache), "PYTHONPATH": str(ROOT / "ci")}
        kept = {name: text for name, text in os.environ.items() if name[:9] != "EGGCRATE_"}
        told = subprocess.run(
            [sys.executable, "-c", _LAUNCHER, str(out), str(err), *argv],
            env={**kept, **ours, **self.variables},
            stdout=subprocess.PIPE,
            check=True,
        )
        code, seconds, memory = json.loads(told.stdout)
        if code:
            raise EggcrateError(f"eggcrate {' '.join(arguments)} failed", why=err.read_text())
        return Ran(seconds=seconds, memory=memory, document=json.loads(out.read_bytes()))


def run(console: Console, scratch: Path, *, write: bool) -> None:
    """Measure and print; with ``write`` put the figures into the documentation."""
    with Registry(scratch / "registry") as registry:
        figures = [
            *_plans(console, scratch / "plans", registry),
            *_builds(console, scratch / "builds", registry, scratch / "registry" / "log"),
        ]
    rows = [
        (one.what, one.aim, one.measured, human_size(one.memory) if one.memory else "-")
        for one in figures
    ]
    print(table(_HEADER, rows))
    if write:
        told = (
            f"On {machine()}, with a CNCF Distribution registry on loopback. Plans are the median "
            f"of {RUNS} runs; memory is that of the largest process."
        )
        write_section(BENCHMARKS, NAME, f"{told}\n\n{markdown_table(_HEADER, rows)}")


def _plans(console: Console, scratch: Path, registry: Registry) -> list[Figure]:
    console.info(f"scale: {PLANNED} environments with the locks of this repository")
    checkout = Checkout(root=scratch / "repository", cache=scratch / "cache", variables={})
    generated.thousand(checkout.root, PLANNED)
    what = f"plan of {PLANNED:,} environments"
    first = _planned(checkout, "build")
    keyed, failed = find_keys(
        monorepo := read_monorepo(checkout.root),
        monorepo.environment_folders,
        cache=checkout.cache,
    )
    if failed:
        raise next(iter(failed.values()))
    images = [item.resolved for item in keyed]
    generated.fill_store(checkout.root / ".eggcrate" / "store", images)
    offline = _median([_planned(checkout, "up-to-date") for _ in range(RUNS)])
    console.info(f"scale: publishing {PLANNED} stand-ins")
    prefix = f"{registry.address}/plans"
    with Remote(prefix) as remote:
        generated.publish_stand_ins(remote, images, scratch)
    online = ("--registry", prefix)
    asked = _median([_planned(checkout, "up-to-date", *online) for _ in range(RUNS)])
    shutil.rmtree(checkout.cache)
    forgotten = _planned(checkout, "up-to-date", *online)
    return [
        _figure(f"{what}, offline, nothing changed", "< 0.5 s, < 300 MB", offline),
        _figure(f"{what}, against a registry", "< 2 s, < 300 MB", asked),
        _figure(f"{what}, against a registry, on an empty disk", "", forgotten),
        _figure(f"{what}, offline, for the first time", "", first),
    ]


def _planned(checkout: Checkout, verdict: str, *arguments: str) -> Ran:
    ran = checkout.run("plan", *arguments)
    told = collections.Counter(item["verdict"] for item in ran.document["environments"])
    if told != {verdict: PLANNED}:
        raise EggcrateError(f"the plan says {dict(told)}, not {PLANNED} {verdict}")
    return ran


def _builds(console: Console, scratch: Path, registry: Registry, log: Path) -> list[Figure]:
    console.info(f"scale: {BUILT} environments that share {generated.SHARED} wheels")
    monorepo = read_monorepo(ROOT)
    users = read_settings(ROOT, os.environ).cache
    (scratch / "base").mkdir(parents=True)
    first, patched, debs = two_bases(
        monorepo.bases[_BASE], scratch / "base", cache=users, progress=console
    )
    root, wheels = scratch / "repository", scratch / "wheels"
    generated.hundred(root, _BASE, first, wheels, BUILT)
    with file_server(debs) as mirror:
        checkout = Checkout(
            root=root,
            cache=scratch / "cache",
            variables={
                MIRROR_VARIABLE: mirror,
                "EGGCRATE_REGISTRY": f"{registry.address}/builds",
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": str(wheels),
            },
        )
        console.info("scale: building and publishing all of them")
        start = _pushed(checkout, log)
        console.info("scale: another base under all of them")
        shutil.copy(patched / "base.lock", root / "bases" / _BASE)
        moved = _pushed(checkout, log)
        console.info("scale: another version of one shared wheel")
        old = generated.make_wheel(wheels, "shared-00", "1.0", generated.LARGE_SIZE)
        new = generated.make_wheel(wheels, "shared-00", "1.1", generated.LARGE_SIZE)
        generated.bump(root, old, new)
        bumped = _pushed(checkout, log)
    uploaded = _uploads_of(new.name, bumped, Layout(root / ".eggcrate" / "store"))
    size = (wheels / new.wheel).stat().st_size
    what = f"{BUILT} published environments"
    return [
        _built(f"{what}: a new base digest, built and pushed", "< 10 s", moved),
        _built(
            f"{what}: one shared wheel ({human_size(size)}) bumped, built and pushed",
            "uploaded once",
            bumped,
            f"its layer uploaded {uploaded} x; in all ",
        ),
        _built(f"{BUILT} environments: first build and push", "", start),
    ]


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """A ``build --changed --push`` of all environments."""

    ran: Ran
    new_bytes: int
    """Bytes of blobs sent to the registry."""
    uploads: collections.Counter[str]
    """How many times the registry took a blob whole, by digest."""
    mounts: int
    manifests: int


def _pushed(checkout: Checkout, log: Path) -> Pushed:
    before = log.stat().st_size
    ran = checkout.run("build", "--changed", "--push")
    pushes = [item["pushed"] for item in ran.document["environments"]]
    if len(pushes) != BUILT or not all(pushes):
        raise EggcrateError(f"only {len(pushes)} of {BUILT} environments were pushed")
    uploads: collections.Counter[str] = collections.Counter()
    mounts = manifests = 0
    with log.open("rb") as file:
        file.seek(before)
        for line in file:
            if not (request := _REQUEST.search(line.decode(errors="replace"))):
                continue
            method, path = request["method"], request["path"]
            if method == "PUT" and "/blobs/uploads/" in path:
                uploads[unquote(path).partition("digest=")[2].partition("&")[0]] += 1
            mounts += method == "POST" and "mount=" in path
            manifests += method == "PUT" and "/manifests/" in path
    return Pushed(
        ran=ran,
        new_bytes=sum(one["new_bytes"] for one in pushes),
        uploads=uploads,
        mounts=mounts,
        manifests=manifests,
    )


def _uploads_of(wheel: str, pushed: Pushed, store: Layout) -> int:
    """How many times the layer that holds a wheel's files, and nothing else, was uploaded."""
    layers = set()
    for item in pushed.ran.document["environments"]:
        manifest = oci.parse(store.read_blob(item["digest"]))
        if not isinstance(manifest, oci.Manifest):
            raise EggcrateError(f"{item['name']} is not one image")
        for layer in manifest.layers:
            units = json.loads(layer.annotations.get(image.UNITS, "[]"))
            if [(unit["kind"], unit["name"]) for unit in units] == [("files", wheel)]:
                layers.add(layer.digest)
    return sum(pushed.uploads[digest] for digest in layers)


def _built(what: str, aim: str, pushed: Pushed, more: str = "") -> Figure:
    measured = (
        f"{human_seconds(pushed.ran.seconds)}; {more}{human_size(pushed.new_bytes)} in "
        f"{pushed.uploads.total()} uploads of {len(pushed.uploads)} blobs, "
        f"{pushed.mounts} mounts, "
        f"{pushed.manifests} manifests"
    )
    return Figure(what=what, aim=aim or "-", measured=measured, memory=pushed.ran.memory)


def _figure(what: str, aim: str, ran: Ran) -> Figure:
    return Figure(what=what, aim=aim or "-", measured=human_seconds(ran.seconds), memory=ran.memory)


def _median(runs: list[Ran]) -> Ran:
    middle = statistics.median(run.seconds for run in runs)
    return next(run for run in runs if run.seconds == middle)
