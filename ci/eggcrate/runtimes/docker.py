"""The docker runtime: Docker Engine, or Podman by its socket, through the Docker SDK.

Images go into the daemon straight from the store, without a registry. The daemon must be on
this machine, because host folders are mounted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import LogConfig, Ulimit
from docker.types import Mount as BindMount
from docker.utils.socket import frames_iter

from eggcrate.errors import RuntimeUnavailableError, StoreError
from eggcrate.files import disk_error, exclusive
from eggcrate.registry import oci
from eggcrate.runtimes import inside
from eggcrate.runtimes.docker_archive import archive
from eggcrate.runtimes.docker_daemon import (
    available,
    connect,
    daemon_address,
    goes_away,
    sentence,
)
from eggcrate.runtimes.docker_terminal import attend
from eggcrate.runtimes.protocol import UnpackedImage

if TYPE_CHECKING:
    import docker

    from eggcrate.registry.layout import Layout
    from eggcrate.runtimes.protocol import Command, Result

__all__ = ["Docker", "available", "daemon_address", "load"]
_TIMEOUT = 60
_LOAD_TIMEOUT = 900
_LABEL = "dev.eggcrate.pid"
_REPOSITORY = "localhost/eggcrate"
_SIGNALLED = range(129, 129 + 64)
_STOPPING = (signal.SIGTERM, signal.SIGKILL)
"""What a daemon that is stopped ends its containers with."""
_GONE = "the Docker daemon stopped while it ran"
_CANNOT_EXECUTE = (126, 127)
_INIT_FAILED = "[FATAL tini"


class Docker:
    """Runs programs inside images as containers.

    Args:
        layout: the store.
        cache: the user's cache folder, for locks between processes.

    Raises:
        RuntimeUnavailableError: no daemon answers.
    """

    name = "docker"

    def __init__(self, layout: Layout, cache: Path) -> None:
        if reason := available():
            raise RuntimeUnavailableError(
                "the docker runtime cannot be used", why=reason, hint="use --runtime sandbox"
            )
        self._layout = layout
        self._cache = cache
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._closed = False
        with connect() as client:
            _sweep(client)

    def prepare(self, digest: str) -> UnpackedImage:
        """Load an image into the daemon, where it has not got it already.

        Raises:
            StoreError: the store does not hold it, or the daemon refuses it.
            RuntimeUnavailableError: the daemon has gone.
        """
        _, config = _read(self._layout, digest)
        lock = self._cache / "docker" / f"{digest.removeprefix('sha256:')}.lock"
        try:
            with exclusive(lock), connect(_LOAD_TIMEOUT) as client:
                if not _has(client, _tag(digest), config):
                    _load(client, self._layout, digest, _tag(digest))
        except (DockerException, OSError) as error:
            if isinstance(error, OSError) and disk_error(error):
                raise
            raise RuntimeUnavailableError(
                f"the Docker daemon cannot be used: {available() or sentence(error)}",
                hint="start it again, or use --runtime sandbox",
            ) from error
        name = next(
            (ref for ref, item in self._layout.refs().items() if item.digest == digest), digest
        )
        return UnpackedImage(name=name, digest=digest, platform=config.platform, env=config.env)

    def run(self, image: UnpackedImage, command: Command) -> Result:
        """Run a command inside an image. Never raises for what the program does."""
        command = inside.with_certificates(command)
        if reason := inside.bad_mounts(command):
            return inside.broken(reason)
        inside.open_to_program(command)
        started = time.monotonic()
        try:
            with connect() as client:
                return self._run(client, image, command)
        except (DockerException, OSError) as error:
            why = f"{_GONE}: {gone}" if (gone := available()) else sentence(error)
            return inside.broken(why, seconds=time.monotonic() - started)

    def attend(self, image: UnpackedImage, command: Command) -> Result:
        """Run a command inside an image on this terminal. Never raises for what it does."""
        command = inside.with_certificates(command)
        if reason := inside.bad_mounts(command):
            return inside.broken(reason)
        try:
            with connect() as client:
                return attend(client, _create(client, image, command, attended=True))
        except (DockerException, OSError) as error:
            return inside.broken(sentence(error))

    def close(self) -> None:
        """End everything that runs; what is under way and whatever follows is broken."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        with contextlib.suppress(DockerException, OSError), connect() as client:
            for container in running:
                _kill(client, container)

    def _run(self, client: docker.APIClient, image: UnpackedImage, command: Command) -> Result:
        container = _create(client, image, command)
        with self._lock:
            self._running.add(container)
        tail = inside.Tail()
        output = client.attach_socket(container, {"stdout": 1, "stderr": 1, "stream": 1})
        reader = threading.Thread(target=_collect, args=(output, tail), daemon=True)
        reader.start()
        try:
            if self._closed:
                return inside.broken("it was stopped, because the run was interrupted")
            started = time.monotonic()
            client.start(container)
            in_time = _wait(client, container, command.limits.seconds)
            if not in_time:
                _kill(client, container)
            seconds = time.monotonic() - started
            reader.join(_TIMEOUT)
            state = client.inspect_container(container)["State"]
            return self._judge(state, command, in_time, {"seconds": seconds, "output": tail.text()})
        finally:
            with self._lock:
                self._running.discard(container)
            with contextlib.suppress(NotFound):
                client.remove_container(container, force=True, v=True)
            reader.join(_TIMEOUT)

    def _judge(
        self, state: dict[str, Any], command: Command, in_time: bool, told: dict[str, object]
    ) -> Result:
        code = int(state["ExitCode"])
        if state.get("OOMKilled"):
            return inside.out_of_memory(command, **told)
        if not in_time:
            return inside.timed_out(command, **told)
        if self._closed:
            return inside.broken("it was stopped, because the run was interrupted", **told)
        if code in _CANNOT_EXECUTE and _INIT_FAILED in str(told["output"]):
            last = str(told["output"]).strip().splitlines()[-1]
            return inside.broken(f"docker could not start it: {last}", **told)
        return _ended(code, told)


def _ended(code: int, told: dict[str, object]) -> Result:
    if code - 128 in _STOPPING and (gone := goes_away()):
        return inside.broken(f"{_GONE}: {gone}", **told)
    if code in _SIGNALLED:
        return inside.signalled(code - 128, **told)
    return inside.exited(code, **told)


def load(layout: Layout, digest: str, name: str) -> None:
    """Put an image of the store into the daemon under a name, unless it is there.

    Args:
        layout: the store.
        digest: the image's manifest.
        name: what ``docker run`` will know it by, such as ``localhost/eggcrate/mine:key-0a``.

    Raises:
        RuntimeUnavailableError: no daemon answers.
        StoreError: the store does not hold it, or the daemon refuses it.
    """
    if reason := available():
        raise RuntimeUnavailableError(
            "there is no Docker daemon to load images into",
            why=reason,
            hint="start Docker, or write the image to a folder or archive with --output",
        )
    _, config = _read(layout, digest)
    with connect(_LOAD_TIMEOUT) as client:
        if not _has(client, name, config):
            _load(client, layout, digest, name)


def _read(layout: Layout, digest: str) -> tuple[oci.Manifest, oci.Config]:
    manifest = oci.parse(layout.read_blob(digest), f"manifest {digest}")
    if isinstance(manifest, oci.Index):
        raise StoreError(f"{digest} is an index of several images", hint="choose a platform")
    return manifest, oci.parse_config(layout.read_blob(manifest.config.digest))


def _load(client: docker.APIClient, layout: Layout, digest: str, name: str) -> None:
    manifest, config = _read(layout, digest)
    try:
        stream = archive(layout, manifest, name)
        for event in client.load_image(stream):  # type: ignore[no-untyped-call] # not in the stubs
            if "error" in event:
                raise StoreError(f"docker refuses image {digest}", why=str(event["error"]))
    except (APIError, OSError) as error:
        raise StoreError(f"docker refuses image {digest}", why=sentence(error)) from error
    if not _has(client, name, config):
        raise StoreError(
            f"docker did not load image {digest} as it is in the store",
            hint="run `eggcrate build` again, or use --runtime sandbox",
        )


def _create(
    client: docker.APIClient, image: UnpackedImage, command: Command, *, attended: bool = False
) -> str:
    limits = command.limits
    scratch = f"rw,exec,nosuid,nodev,mode=1777,size={limits.scratch}"
    mounts = [
        BindMount(
            target=item.target,
            source=str(item.source.resolve()),
            type="bind",
            read_only=not item.writable,
        )
        for item in command.mounts
    ]
    host = client.create_host_config(
        mem_limit=limits.memory,
        memswap_limit=limits.memory,
        pids_limit=limits.processes,
        shm_size=limits.scratch,
        tmpfs={"/tmp": scratch},  # noqa: S108 - inside the container
        read_only=True,
        network_mode="bridge" if command.network else "none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        mounts=mounts,
        init=True,
        ulimits=[Ulimit(name="core", soft=0, hard=0)],
        # Output is taken as it comes; a flood of it must not fill the daemon's disk.
        log_config=LogConfig(type="none"),
    )
    root = os.geteuid() == 0
    created = client.create_container(
        image=_tag(image.digest),
        entrypoint=[command.argv[0]],
        command=list(command.argv[1:]),
        environment=inside.environment(image, command),
        working_dir=command.workdir,
        # As an ordinary user's own, so that what it writes into a mount is that user's.
        user=f"{inside.UID}:{inside.UID}" if root else f"{os.getuid()}:{os.getgid()}",
        hostname="eggcrate",
        host_config=host,
        labels={_LABEL: str(os.getpid())},
        tty=attended,
        stdin_open=attended,
    )
    return str(created["Id"])


def _collect(output: Any, tail: inside.Tail) -> None:
    """Read what a container writes until it ends, and close the connection for it."""
    try:
        with contextlib.suppress(OSError, DockerException):
            for _, data in frames_iter(output, tty=False):  # type: ignore[no-untyped-call] # ditto
                tail.add(data)
    finally:
        # The connection was taken over from HTTP: nobody else closes it.
        output._response.close()  # noqa: SLF001 - the SDK hangs it there, and offers no other way


def _wait(client: docker.APIClient, container: str, seconds: float) -> bool:
    try:
        client.wait(container, timeout=seconds)  # type: ignore[arg-type] # seconds may be a fraction
    except APIError:
        raise
    except OSError:  # requests' timeouts are OSErrors
        return False
    return True


def _kill(client: docker.APIClient, container: str) -> None:
    with contextlib.suppress(APIError, OSError):
        client.kill(container)
        client.wait(container, timeout=_TIMEOUT)


def _tag(digest: str) -> str:
    return f"{_REPOSITORY}:{digest.removeprefix('sha256:')}"


def _has(client: docker.APIClient, name: str, config: oci.Config) -> bool:
    """Whether the daemon holds this very image: a tag alone could have been moved."""
    try:
        found = client.inspect_image(name)  # type: ignore[no-untyped-call] # not in the stubs
    except ImageNotFound:
        return False
    return tuple(found.get("RootFS", {}).get("Layers") or ()) == config.diff_ids


def _sweep(client: docker.APIClient) -> None:
    """Remove containers of processes that were killed before they could."""
    for found in client.containers(all=True, filters={"label": _LABEL}):
        if not Path("/proc", found["Labels"][_LABEL]).exists():
            with contextlib.suppress(APIError):
                client.remove_container(found["Id"], force=True, v=True)
