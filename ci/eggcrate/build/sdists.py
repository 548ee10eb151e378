"""Packages that are published as sdists only: built into wheels once, in isolation.

The build runs inside an image that Eggcrate itself makes of the environment's base and of
pinned build backends (``backends/poetry.lock``): no network, nothing of the user's machine.
What does not become a pure-Python wheel there is compiled in an image of the base's compilers
(:mod:`eggcrate.build.compilers`), whose every package is locked as well. The wheel is cached by
the sdist's hash and by everything it was built with, so that the same lock gives the same wheel
everywhere, and one that is cached needs no compiler, sandbox or Docker.
"""

from __future__ import annotations

from eggcrate.parsing import json_of
import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.build.bases import for_this_machine
from eggcrate.build.compilers import compiler_base
from eggcrate.build.recipe import canonical
from eggcrate.build.resolve import BACKENDS, SDIST_VERSION, Resolved, resolve
from eggcrate.errors import RuntimeUnavailableError, UnsupportedPackageError
from eggcrate.files import atomic_write, sha256_file
from eggcrate.packages.cache import cached_path
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.target import Platform
from eggcrate.repo.values import Environment
from eggcrate.runtimes import docker, sandbox
from eggcrate.runtimes.protocol import Command, Ending, Limits, Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eggcrate.build.workshop import Workshop
    from eggcrate.runtimes.protocol import Result, Runtime

_LIMITS = Limits(memory=4 << 30, seconds=1800)
_PURE = "-none-any.whl"
_OUT = "/eggcrate/out"
_TAIL = 15
_NOT_AT_HAND = 71
"""What ``build_wheel.py`` ends with when a build backend is missing: no compiler would help."""
_WAYS_OUT = (
    "choose a version that has a wheel, put a wheel of it on an index or in a find-links folder, "
    "or give the environment a Dockerfile"
)


@dataclass(frozen=True, kw_only=True)
class _Builder:
    """An image that sdists are built in."""

    resolved: Resolved
    compiles: bool
    """Whether there are compilers in it."""

    @property
    def base(self) -> str:
        return self.resolved.base.name

    def record(self, sdist: Distribution, cache: Path) -> Path:
        """Where it is noted which wheel this image makes of an sdist."""
        identity = canonical([SDIST_VERSION, sdist.sha256, self.resolved.recipe.key])
        return cache / "built" / f"{hashlib.sha256(identity).hexdigest()}.json"


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """What came of building."""

    result: Result
    filename: str
    """Of the wheel; empty when there is none."""
    content: bytes


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
        UnsupportedPackageError: one cannot be built.
        RuntimeUnavailableError: there is no isolation to build in on this machine.
    """
    if not sdists:
        return {}
    builders = _builders(resolved, workshop)
    wheels: dict[Distribution, Path] = {}
    for sdist in sdists:
        known = (_load(one.record(sdist, workshop.cache), sdist, workshop) for one in builders)
        wheel = next(filter(None, known), None) or _build(sdist, builders, workshop, build_image)
        wheels[wheel] = cached_path(wheel, cache=workshop.cache)
    return wheels


def _builders(resolved: Resolved, workshop: Workshop) -> list[_Builder]:
    """Without compilers, of this machine's processor; with them, of the image's, if there are."""
    mine = for_this_machine(resolved.base, workshop)
    found = [_builder(mine.name, mine.target.platform, workshop, compiles=False)]
    chain = [link.base for link in resolved.base.chain]
    if compilers := compiler_base(chain, workshop.bases):
        platform = resolved.base.target.platform
        found.append(_builder(compilers.name, platform, workshop, compiles=True))
    return found


def _builder(base: str, platform: Platform, workshop: Workshop, *, compiles: bool) -> _Builder:
    environment = Environment(
        name="eggcrate-backends",
        path=BACKENDS,
        description="",
        requires_python="",
        dependencies=(),
        base=base,
    )
    return _Builder(resolved=resolve(environment, workshop.bases, platform), compiles=compiles)


def _load(record: Path, sdist: Distribution, workshop: Workshop) -> Distribution | None:
    try:
        document = json_of(record.read_bytes())
        wheel = _wheel(sdist, document["filename"], document["sha256"])
        path = cached_path(wheel, cache=workshop.cache)
        return wheel if sha256_file(path) == wheel.sha256 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _wheel(sdist: Distribution, filename: str, sha256: str) -> Distribution:
    return Distribution(name=sdist.name, version=sdist.version, filename=filename, sha256=sha256)


def _build(
    sdist: Distribution,
    builders: Sequence[_Builder],
    workshop: Workshop,
    build_image: Callable[[Resolved], str],
) -> Distribution:
    """Build an sdist in the first of these images that makes a wheel of it which may be kept."""
    path = workshop.fetch([sdist])[sdist]
    for builder in builders:
        _check_processor(sdist, builder)
        using = f" with the compilers of {builder.base}" if builder.compiles else ""
        workshop.progress.status(f"building {sdist} from its sdist{using}")
        attempt = _attempt(path, build_image(builder.resolved), workshop)
        if attempt.result.exit_code == _NOT_AT_HAND:
            raise _not_at_hand(sdist, attempt.result)
        if not attempt.filename.endswith(".whl" if builder.compiles else _PURE):
            continue
        wheel = _wheel(sdist, attempt.filename, hashlib.sha256(attempt.content).hexdigest())
        atomic_write(cached_path(wheel, cache=workshop.cache), attempt.content)
        document = {"filename": wheel.filename, "sha256": wheel.sha256}
        atomic_write(builder.record(sdist, workshop.cache), json.dumps(document))
        if builder.compiles:
            workshop.progress.info(f"compiled {sdist} with {builder.base}; its wheel is kept")
        return wheel
    raise _refusal(sdist, builders[-1], attempt)


def _attempt(sdist: Path, digest: str, workshop: Workshop) -> _Attempt:
    """Build in an image; a wheel counts when the build says that it went well."""
    runtime = _isolation(workshop)
    with tempfile.TemporaryDirectory(prefix="eggcrate-sdist-") as scratch:
        out = Path(scratch) / "out"
        out.mkdir(mode=0o777)
        out.chmod(0o777)  # the build runs as another user
        result = runtime.run(runtime.prepare(digest), _command(sdist, out))
        made = sorted(out.glob("*.whl"))
        if result.ending is not Ending.EXITED or result.exit_code != 0 or not made:
            return _Attempt(result=result, filename="", content=b"")
        return _Attempt(result=result, filename=made[0].name, content=made[0].read_bytes())


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
        hint="allow user namespaces, start Docker, or " + _WAYS_OUT,
    )


def _check_processor(sdist: Distribution, builder: _Builder) -> None:
    platform, here = builder.resolved.base.target.platform, Platform.of_this_machine()
    if platform != here:
        raise UnsupportedPackageError(
            f"{sdist} must be compiled for {platform}",
            why=f"its sdist gives no pure-Python wheel, and this machine is {here}",
            hint=f"build it on a {platform} machine, or {_WAYS_OUT}",
        )


def _refusal(sdist: Distribution, builder: _Builder, attempt: _Attempt) -> UnsupportedPackageError:
    """The error after the last attempt; without compilers, with how to get them."""
    base = builder.resolved.base.chain[0].base.name
    more = "" if builder.compiles else f", or add compilers: a base {base}-build"
    if attempt.filename:
        return UnsupportedPackageError(
            f"{sdist} is compiled when it is built ({attempt.filename})",
            why=f"base {base} has no compilers of its own, so that no lock names them",
            hint=f"{_WAYS_OUT}{more}",
        )
    tail = "\n".join(attempt.result.output.strip().splitlines()[-_TAIL:])
    tried = f" with the compilers of {builder.base}" if builder.compiles else ""
    return UnsupportedPackageError(
        f"{sdist} has no wheel for this target and could not be built from its sdist{tried}",
        why=f"{attempt.result.reason}\n{tail}".strip(),
        hint=f"{_WAYS_OUT}{more}",
    )


def _not_at_hand(sdist: Distribution, result: Result) -> UnsupportedPackageError:
    missing = result.output.strip().rpartition("\n")[2]
    return UnsupportedPackageError(
        f"{sdist} has no wheel for this target, and its build needs what Eggcrate does not have",
        why=f"not among its build backends: {missing}",
        hint=f"{_WAYS_OUT}, whose first stage may install anything",
    )
