"""One step of a build as a container, as Cloud Build's own worker runs it.

The worker was published once (github.com/GoogleCloudPlatform/cloud-build-local): a privileged
container in the network ``cloudbuild``, with the daemon's socket, the workspace and a home that
all steps share.
"""

from __future__ import annotations

import contextlib
import io
import posixpath
import tarfile
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import Mount
from docker.utils.socket import frames_iter

from eggcrate.cloud.build_file import HOME, SOCKET, WORKSPACE
from eggcrate.cloud.local_registry import THIS_MACHINE
from eggcrate.cloud.outcomes import Status, StepResult
from eggcrate.cloud.workspace import ORIGIN
from eggcrate.runtimes.docker_daemon import connect, daemon_address, sentence
from eggcrate.runtimes.privileges import host_config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import docker

    from eggcrate.cloud.build_file import Step

NETWORK = "cloudbuild"
LABEL = "dev.eggcrate.ci-local"
"""Of everything that a build makes; its value is our process."""
OUTPUTS = "/builder/outputs"
_SCRIPT = "/builder/script"
_SHEBANG = "#!/bin/sh\n"
_OUTPUT_BYTES = 4096
_LOOK = 0.2
_TIMEOUT = 60
_PULL = 1800


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all containers of one build share."""

    name: str
    """Of the build; names of its containers and volumes begin with it."""
    owner: str
    """Our process."""
    gateway: str
    """This machine's address on their network."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of every step, beside its own."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    substitutions: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    """Of this machine's folders, in every step."""

    def volume(self, name: str) -> str:
        """Docker's name of a volume of this build."""
        return f"{self.name}-{name}"


def run_step(
    step: Step, around: Surroundings, tell: Callable[[str], None], cancelled: threading.Event
) -> StepResult:
    """Run a step to its end. Never raises for what the step does.

    Args:
        step: with its substitutions made.
        around: what it shares with others.
        tell: called with each line it writes.
        cancelled: ends it when set.
    """
    started = time.monotonic()

    def ended(status: Status, **told: Any) -> StepResult:
        return StepResult(step=step, status=status, seconds=time.monotonic() - started, **told)

    try:
        with connect(_PULL) as client:
            if problem := pulled(client, step.name, tell):
                return ended(Status.FAILURE, error=problem)
        with connect(_TIMEOUT) as client:
            container = _create(client, step, around)
            try:
                code, in_time = _run(client, container, step, tell, cancelled)
                if cancelled.is_set():
                    return ended(Status.CANCELLED)
                if not in_time:
                    told = f"it took longer than its timeout of {step.timeout:g} s"
                    return ended(Status.TIMEOUT, error=told)
                output = _output(client, container)
                status = Status.SUCCESS if code == 0 else Status.FAILURE
                return ended(status, exit_code=code, output=output)
            finally:
                with contextlib.suppress(NotFound):
                    client.remove_container(container, force=True, v=True)
    except (DockerException, OSError) as error:
        return ended(Status.FAILURE, error=sentence(error))


def pulled(client: docker.APIClient, image: str, tell: Callable[[str], None]) -> str:
    """Have an image in the daemon; why it cannot be had, empty when it is there."""
    try:
        client.inspect_image(image)  # type: ignore[no-untyped-call] # not in the stubs
    except ImageNotFound:
        tell(f"Pulling image: {image}")
        try:
            repository, _, digest = image.partition("@")
            name, _, tag = repository.rpartition(":")
            tagged = bool(name) and "/" not in tag
            wanted = digest or (tag if tagged else "latest")
            client.pull(name if tagged else repository, tag=wanted)
        except (APIError, OSError) as error:
            return f"the image {image} is not here and cannot be pulled: {sentence(error)}"
    return ""


def fill(client: docker.APIClient, around: Surroundings, image: str, volume: str, tar: Any) -> None:
    """Unpack an archive into a volume."""
    at = "/filled"
    mount = Mount(target=at, source=around.volume(volume), type="volume", no_copy=True)
    container = client.create_container(
        image=image,
        entrypoint=["/nothing"],
        labels={LABEL: around.owner},
        host_config=client.create_host_config(mounts=[mount]),
    )["Id"]
    try:
        client.put_archive(container, at, tar)
    finally:
        client.remove_container(container, force=True)


def _create(client: docker.APIClient, step: Step, around: Surroundings) -> str:
    entrypoint = [step.entrypoint] if step.entrypoint else None
    if step.script is not None:
        entrypoint = [_SCRIPT]
    alias = client.create_endpoint_config(aliases=[f"step_{step.number}"])
    host = host_config(
        client,
        mounts=[*_mounts(step, around), *around.mounts],
        network_mode=NETWORK,
        extra_hosts={THIS_MACHINE: around.gateway},
    )
    container = client.create_container(
        image=step.name,
        name=f"{around.name}-step_{step.number}",
        entrypoint=entrypoint,
        command=list(step.args) or None,
        environment=environment(step, around),
        working_dir=posixpath.join(WORKSPACE, step.dir),
        host_config=host,
        networking_config={"EndpointsConfig": {NETWORK: alias}},
        labels={LABEL: around.owner},
    )
    made = str(container["Id"])
    client.put_archive(made, "/", _builder_files(step))
    return made


def environment(step: Step, around: Surroundings) -> list[str]:
    """All that a step sees as variables; what stands in it wins."""
    found: dict[str, str] = {"HOME": HOME, "BUILDER_OUTPUT": OUTPUTS}
    if step.automap:
        found |= around.substitutions
    found |= around.environment
    found |= dict(item.split("=", 1) for item in step.env)
    found |= {name: around.secrets[name] for name in step.secret_env}
    return [f"{name}={value}" for name, value in found.items()]


def _mounts(step: Step, around: Surroundings) -> list[Mount]:
    shared = {WORKSPACE: "workspace", HOME: "home", ORIGIN: "origin"}
    shared |= {volume.path: f"volume-{volume.name}" for volume in step.volumes}
    socket = daemon_address().removeprefix("unix://")
    return [
        Mount(target=SOCKET, source=socket, type="bind"),
        *(
            Mount(target=path, source=around.volume(name), type="volume", no_copy=True)
            for path, name in shared.items()
        ),
    ]


def _builder_files(step: Step) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        folder = tarfile.TarInfo(OUTPUTS.lstrip("/"))
        folder.type, folder.mode = tarfile.DIRTYPE, 0o777
        tar.addfile(folder)
        if step.script is not None:
            text = step.script if step.script.startswith("#!") else _SHEBANG + step.script
            content = text.encode()
            file = tarfile.TarInfo(_SCRIPT.lstrip("/"))
            file.size, file.mode = len(content), 0o755
            tar.addfile(file, io.BytesIO(content))
    return buffer.getvalue()


def _run(
    client: docker.APIClient,
    container: str,
    step: Step,
    tell: Callable[[str], None],
    cancelled: threading.Event,
) -> tuple[int, bool]:
    """Exit code, and whether it ended by itself in time."""
    output = client.attach_socket(container, {"stdout": 1, "stderr": 1, "stream": 1})
    reader = threading.Thread(target=_lines, args=(output, tell), daemon=True)
    reader.start()
    client.start(container)
    end = time.monotonic() + step.timeout if step.timeout else float("inf")
    while not cancelled.is_set() and time.monotonic() < end:
        state = client.inspect_container(container)["State"]
        if state["Status"] in ("exited", "dead"):
            reader.join(_TIMEOUT)
            return int(state["ExitCode"]), True
        cancelled.wait(_LOOK)
    with contextlib.suppress(APIError):
        client.kill(container)
    reader.join(_TIMEOUT)
    return -1, False


def _lines(output: Any, tell: Callable[[str], None]) -> None:
    """Tell each line as it comes; what stands behind the last one too."""
    rest = b""
    try:
        with contextlib.suppress(OSError, DockerException, ValueError):
            for _, data in frames_iter(output, tty=False):  # type: ignore[no-untyped-call] # not in the stubs
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    tell(line.decode("utf-8", "replace").rstrip("\r"))
        if rest:
            tell(rest.decode("utf-8", "replace"))
    finally:
        output._response.close()  # noqa: SLF001 - the SDK hangs it there, and offers no other way


def _output(client: docker.APIClient, container: str) -> str:
    """What a step left for the build's results."""
    try:
        stream, _ = client.get_archive(container, f"{OUTPUTS}/output")
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
            file = tar.extractfile(tar.getmembers()[0])
            return file.read(_OUTPUT_BYTES).decode("utf-8", "replace") if file else ""
    except NotFound:
        return ""
