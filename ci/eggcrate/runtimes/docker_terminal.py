"""A container on the terminal that we run on."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from docker.errors import DockerException

from eggcrate.runtimes import inside, terminal

if TYPE_CHECKING:
    import docker

    from eggcrate.runtimes.protocol import Result


def attend(client: docker.APIClient, container: str) -> Result:
    """Start a container that was made with a terminal, and remove it when it has ended."""
    wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
    output = client.attach_socket(container, wanted)

    def resize(columns: int, lines: int) -> None:
        with contextlib.suppress(DockerException, OSError):  # it may have ended
            client.resize(container, height=lines, width=columns)

    try:
        client.start(container)
        with terminal.raw():
            terminal.relay(output.fileno(), resize)
        code = int(client.wait(container)["StatusCode"])
    finally:
        # The connection was taken over from HTTP: nobody else closes it.
        output._response.close()  # noqa: SLF001 - the SDK hangs it there, and offers no other way
        with contextlib.suppress(DockerException, OSError):
            client.remove_container(container, force=True, v=True)
    return inside.exited(code)
