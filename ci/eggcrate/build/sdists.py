"""Packages that are published as sdists only: built into wheels once, in isolation.

The build runs inside an image that Eggcrate itself makes of the environment's base and of
pinned build backends (``backends/poetry.lock``): no network, nothing of the user's machine.
The wheel is cached by the sdist's hash and by everything it was built with, so that the same
lock gives the same wheel everywhere. Only pure-Python wheels are taken: what is compiled
would depend on a compiler that no lock names.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.build.bases import for_this_machine
from eggcrate.build.recipe import canonical
from eggcrate.build.resolve import BACKENDS, SDIST_VERSION, resolve
from eggcrate.errors import RuntimeUnavailableError, UnsupportedPackageError
from eggcrate.files import atomic_write, sha256_file
from eggcrate.packages.cache import cached_path
from eggcrate.packages.distribution import Distribution
from eggcrate.repo.values import Environment
from eggcrate.runtimes import docker, sandbox
from eggcrate.runtimes.protocol import Command, Ending, Limits, Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eggcrate.build.resolve import Resolved
    from eggcrate.build.workshop import Workshop
    from eggcrate.runtimes.protocol import Result, Runtime

_LIMITS = Limits(memory=4 << 30, seconds=900)
_PURE = "-none-any.whl"
_OUT = "/eggcrate/out"
_TAIL = 15
_WAY_OUT = (
    "choose a version that has a wheel, put a wheel of it on an index or in a find-links folder, "
    "or give the environment a Dockerfile"
)


def built_wheels(
    sdists: Sequence[Distribution],
    resolved: Resolved,
    workshop: Workshop,
    build_image: Callable[[Resolved], str],
) -> dict[Distribution, Path]:
    """Wheels of sdists, from the cache or built now.

    Args:
        sdists: the locked sdists.
        resolved: the environment they are needed in.
        workshop: for building.
        build_image: makes an image and tells its manifest digest.

    Returns:
        A distribution for each wheel, whose ``sha256`` is the wheel's, with its path.

    Raises:
        UnsupportedPackageError: one cannot be built, or is not pure Python.
        RuntimeUnavailableError: there is no isolation to build in on this machine.
    """
    if not sdists:
        return {}
    builder = _builder(resolved, workshop)
    wheels: dict[Distribution, Path] = {}
    for sdist in sdists:
        identity = canonical([SDIST_VERSION, sdist.sha256, builder.recipe.key])
        record = workshop.cache / "built" / f"{hashlib.sha256(identity).hexdigest()}.json"
        wheel = _load(record, sdist, workshop)
        if wheel is None:
            workshop.progress.status(f"building {sdist} from its sdist")
            wheel = _build(sdist, record, build_image(builder), workshop)
        wheels[wheel] = cached_path(wheel, cache=workshop.cache)
    return wheels


def _builder(resolved: Resolved, workshop: Workshop) -> Resolved:
    base = for_this_machine(resolved.base, workshop)
    environment = Environment(
        name="eggcrate-backends",
        path=BACKENDS,
        description="",
        requires_python="",
        dependencies=(),
        base=base.name,
    )
    return resolve(environment, workshop.bases, base.target.platform)


def _load(record: Path, sdist: Distribution, workshop: Workshop) -> Distribution | None:
    try:
        document = json.loads(record.read_bytes())
        wheel = _wheel(sdist, document["filename"], document["sha256"])
        path = cached_path(wheel, cache=workshop.cache)
        return wheel if sha256_file(path) == wheel.sha256 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _wheel(sdist: Distribution, filename: str, sha256: str) -> Distribution:
    return Distribution(name=sdist.name, version=sdist.version, filename=filename, sha256=sha256)


def _build(sdist: Distribution, record: Path, digest: str, workshop: Workshop) -> Distribution:
    path = workshop.fetch([sdist])[sdist]
    runtime = _isolation(workshop)
    with tempfile.TemporaryDirectory(prefix="eggcrate-sdist-") as scratch:
        out = Path(scratch) / "out"
        out.mkdir(mode=0o777)
        out.chmod(0o777)  # the build runs as another user
        result = runtime.run(runtime.prepare(digest), _command(path, out))
        made = sorted(out.glob("*.whl"))
        if result.ending is not Ending.EXITED or result.exit_code != 0 or not made:
            raise _failed(sdist, result)
        if not made[0].name.endswith(_PURE):
            raise UnsupportedPackageError(
                f"{sdist} is compiled when it is built ({made[0].name})",
                why="the result would depend on a compiler that no lock names",
                hint=_WAY_OUT,
            )
        content = made[0].read_bytes()
        wheel = _wheel(sdist, made[0].name, hashlib.sha256(content).hexdigest())
    atomic_write(cached_path(wheel, cache=workshop.cache), content)
    document = {"filename": wheel.filename, "sha256": wheel.sha256}
    atomic_write(record, json.dumps(document))
    return wheel


def _command(sdist: Path, out: Path) -> Command:
    inside = f"/eggcrate/sdist/{sdist.name}"
    return Command(
        argv=("/opt/env/bin/python", "/eggcrate/build_wheel.py", inside, _OUT),
        limits=_LIMITS,
        env={"SOURCE_DATE_EPOCH": "315532800", "PYTHONHASHSEED": "0"},
        mounts=(
            Mount(source=BACKENDS / "build_wheel.py", target="/eggcrate/build_wheel.py"),
            Mount(source=sdist, target=inside),
            Mount(source=out, target=_OUT, writable=True),
        ),
    )


def _isolation(workshop: Workshop) -> Runtime:
    without_sandbox = sandbox.available()
    if without_sandbox is None:
        return sandbox.Sandbox(workshop.store, workshop.cache)
    without_docker = docker.available()
    if without_docker is None:
        return docker.Docker(workshop.store, workshop.cache)
    raise RuntimeUnavailableError(
        "an sdist must be built, and this machine has no isolation to build it in",
        why=f"sandbox: {without_sandbox}\ndocker: {without_docker}",
        hint="allow user namespaces, start Docker, or " + _WAY_OUT,
    )


def _failed(sdist: Distribution, result: Result) -> UnsupportedPackageError:
    tail = "\n".join(result.output.strip().splitlines()[-_TAIL:])
    return UnsupportedPackageError(
        f"{sdist} has no wheel for this target and could not be built from its sdist",
        why=f"{result.reason}\n{tail}".strip(),
        hint=_WAY_OUT,
    )
