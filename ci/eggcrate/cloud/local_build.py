"""Cloud Build on this machine's Docker: steps in their order, side by side where they may be."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import APIError, DockerException, ImageNotFound

from eggcrate.cloud.build_file import START
from eggcrate.cloud.outcomes import BuildResult, Status, StepResult
from eggcrate.cloud.step_container import LABEL, NETWORK, fill, pulled, run_step
from eggcrate.errors import ConfigError, RuntimeUnavailableError
from eggcrate.runtimes.docker_daemon import available, connect, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import docker

    from eggcrate.cloud.build_file import BuildFile, Step
    from eggcrate.cloud.step_container import Surroundings
    from eggcrate.cloud.workspace import Source

    Tell = Callable[[str], None]

_SHARED = ("workspace", "home", "origin")


@contextlib.contextmanager
def network() -> Iterator[str]:
    """The network that steps are in, for the length of the block: our own address on it.

    Raises:
        RuntimeUnavailableError: no daemon answers.
    """
    if reason := available():
        raise RuntimeUnavailableError(
            "there is no Docker daemon to run the build's steps", why=reason, hint="start Docker"
        )
    with connect() as client:
        _sweep(client)
        found = client.networks(names=[f"^{NETWORK}$"])
        if not found:
            client.create_network(
                NETWORK, driver="bridge", check_duplicate=True, labels={LABEL: str(os.getpid())}
            )
        try:
            settings = client.inspect_network(NETWORK)["IPAM"]["Config"]
            yield str(settings[0]["Gateway"])
        finally:
            if not found:
                with contextlib.suppress(APIError):  # another build is in it by now
                    client.remove_network(NETWORK)


def secrets_of(build: BuildFile, environ: Mapping[str, str]) -> dict[str, str]:
    """The values of all secrets that steps ask for.

    Raises:
        ConfigError: one is not set here.
    """
    names = sorted({name for step in build.steps for name in step.secret_env})
    if missing := [name for name in names if name not in environ]:
        raise ConfigError(
            f"{build.path}: secrets are not set here: {', '.join(missing)}",
            why="secretEnv is taken from the environment; Secret Manager is not asked",
            hint=f"{missing[0]}=… make ci-local",
        )
    return {name: environ[name] for name in names}


def run_build(
    build: BuildFile,
    around: Surroundings,
    source: Source,
    tell: Tell,
    *,
    build_id: str,
) -> BuildResult:
    """Run a build to its end, and leave nothing of it behind.

    Args:
        build: with its substitutions made.
        around: what its steps share.
        source: what is in the workspace.
        tell: called with each line of the log, from any thread.
        build_id: what the build calls itself.

    Raises:
        RuntimeUnavailableError: the daemon cannot be used.
        KeyboardInterrupt: as it came, after everything was ended.
    """
    started = time.monotonic()
    names = [*_SHARED, *{f"volume-{one.name}" for step in build.steps for one in step.volumes}]
    try:
        with connect() as client:
            try:
                for name in names:
                    client.create_volume(around.volume(name), labels={LABEL: around.owner})
                problem = _filled(client, build, around, source, tell)
                results = _run_all(build, around, tell) if not problem else _untouched(build)
                return _judged(
                    client, build, results, problem=problem, build_id=build_id, started=started
                )
            finally:
                for name in names:
                    with contextlib.suppress(APIError):
                        client.remove_volume(around.volume(name), force=True)
    except (DockerException, OSError) as error:
        raise RuntimeUnavailableError(
            f"the Docker daemon cannot be used: {sentence(error)}"
        ) from error


def _filled(
    client: docker.APIClient, build: BuildFile, around: Surroundings, source: Source, tell: Tell
) -> str:
    """Put the source where steps find it; why that cannot be done."""
    first = build.steps[0]
    if problem := pulled(client, first.name, lambda line: tell(f"{first.label}: {line}")):
        return problem
    for volume, archive in (("workspace", source.workspace), ("origin", source.origin)):
        with archive.open("rb") as tar:
            fill(client, around, first.name, volume, tar)
    return ""


def _run_all(build: BuildFile, around: Surroundings, tell: Tell) -> list[StepResult]:
    end = time.monotonic() + build.timeout
    done: dict[int, StepResult] = {}
    running: dict[int, threading.Thread] = {}
    finished: queue.Queue[StepResult | BaseException] = queue.Queue()
    cancelled = threading.Event()

    try:
        while len(done) < len(build.steps):
            for step in build.steps:
                if step.number not in running and _ready(step, build.steps, done):
                    running[step.number] = _begun(step, around, tell, cancelled, finished)
            try:
                result = finished.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                break
            if isinstance(result, BaseException):
                raise result
            done[result.step.number] = result
            if not result.allowed:
                break
    finally:
        cancelled.set()
        for thread in running.values():
            thread.join()
    while not finished.empty():
        late = finished.get()
        if isinstance(late, BaseException):
            raise late
        done[late.step.number] = late
    return [
        done.get(step.number, StepResult(step=step, status=Status.QUEUED)) for step in build.steps
    ]


def _begun(
    step: Step,
    around: Surroundings,
    tell: Tell,
    cancelled: threading.Event,
    finished: queue.Queue[StepResult | BaseException],
) -> threading.Thread:
    """A thread that carries out a step."""

    def work() -> None:
        try:
            tell(f"Starting {step.label}")
            result = run_step(step, around, lambda line: tell(f"{step.label}: {line}"), cancelled)
            tell(f"Finished {step.label}" + (f": {result.error}" if result.error else ""))
            finished.put(result)
        except BaseException as error:  # handed on: who waits would wait for ever
            finished.put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def _ready(step: Step, steps: Sequence[Step], done: Mapping[int, StepResult]) -> bool:
    """Whether all that it waits for is over: without ``waitFor`` every step above."""
    numbers = {other.id: other.number for other in steps if other.id}
    wanted = [numbers[name] for name in step.wait_for if name != START]
    if not step.wait_for:
        wanted = list(range(step.number))
    return all(number in done for number in wanted)


def _untouched(build: BuildFile) -> list[StepResult]:
    return [StepResult(step=step, status=Status.QUEUED) for step in build.steps]


def _judged(
    client: docker.APIClient,
    build: BuildFile,
    results: Sequence[StepResult],
    *,
    problem: str,
    build_id: str,
    started: float,
) -> BuildResult:
    seconds = time.monotonic() - started
    status, error = Status.SUCCESS, problem
    images: tuple[str, ...] = ()
    bad = [one for one in results if not one.allowed and one.status is not Status.QUEUED]
    first = next((one for one in bad if one.status is not Status.CANCELLED), None)
    if problem:
        status = Status.FAILURE
    elif first:
        status = Status.FAILURE
        code = f"exit code {first.exit_code}" if first.exit_code is not None else ""
        error = f"{first.step.label} failed: {first.error or code}"
    elif bad or any(one.status is Status.QUEUED for one in results):
        status, error = Status.TIMEOUT, f"it took longer than its timeout of {build.timeout:g} s"
    else:
        missing = [image for image in build.images if not _has(client, image)]
        images = tuple(image for image in build.images if image not in missing)
        if missing:
            status = Status.FAILURE
            error = f"images that the build lists were not made: {', '.join(missing)}"
    return BuildResult(
        id=build_id,
        status=status,
        steps=tuple(results),
        seconds=seconds,
        error=error,
        images=images,
    )


def _has(client: docker.APIClient, image: str) -> bool:
    try:
        client.inspect_image(image)  # type: ignore[no-untyped-call] # not in the stubs
    except ImageNotFound:
        return False
    return True


def _sweep(client: docker.APIClient) -> None:
    """Remove what builds left that were killed before they could."""
    by_label = {"label": LABEL}
    for found in client.containers(all=True, filters=by_label):
        if _is_gone(found["Labels"]):
            with contextlib.suppress(APIError):
                client.remove_container(found["Id"], force=True, v=True)
    for found in client.volumes(filters=by_label)["Volumes"] or ():
        if _is_gone(found["Labels"]):
            with contextlib.suppress(APIError):
                client.remove_volume(found["Name"], force=True)
    for found in client.networks(filters=by_label):
        if _is_gone(found["Labels"]):
            with contextlib.suppress(APIError):
                client.remove_network(found["Id"])


def _is_gone(labels: Mapping[str, str]) -> bool:
    return not Path("/proc", labels[LABEL]).exists()
