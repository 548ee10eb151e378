"""BuildKit through the Docker client, which the Docker SDK for Python does not speak.

Clients up to 20.10 have it built in; later ones need their buildx plugin. The first client on
the path may be one without, so each is asked.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate import process
from eggcrate.errors import BuildError, RuntimeUnavailableError
from eggcrate.runtimes import docker

if TYPE_CHECKING:
    from collections.abc import Mapping

_TAIL = 25
_USUAL = ("/usr/local/bin", "/usr/bin")


class BuildKit:
    """Builds images with the daemon that the docker runtime uses.

    Raises:
        RuntimeUnavailableError: no daemon answers, or no client can drive BuildKit.
    """

    def __init__(self) -> None:
        if reason := docker.available():
            raise RuntimeUnavailableError(
                "an environment with a Dockerfile needs a Docker daemon",
                why=reason,
                hint="start Docker, or remove the Dockerfile to use the layered builder",
            )
        self._env = {
            **os.environ,
            "DOCKER_BUILDKIT": "1",
            "DOCKER_HOST": docker.daemon_address(),
            # A default platform of the shell must not override the environment's.
            "DOCKER_DEFAULT_PLATFORM": "",
        }
        self._program = self._find()

    def build(self, context: Path, *, arguments: Mapping[str, str], platform: str) -> str:
        """Build the ``Dockerfile`` of a context.

        Args:
            context: the folder.
            arguments: of the build (``ARG``).
            platform: such as ``linux/amd64``.

        Returns:
            The image's id in the daemon.

        Raises:
            BuildError: it fails; with the end of what BuildKit told.
        """
        with tempfile.TemporaryDirectory(prefix="eggcrate-build-") as scratch:
            told = Path(scratch) / "id"
            argv = [self._program, "build", "--progress", "plain", "--platform", platform]
            argv += ["--iidfile", str(told), "--file", str(context / "Dockerfile")]
            for name, text in sorted(arguments.items()):
                argv += ["--build-arg", f"{name}={text}"]
            done = process.run([*argv, str(context)], env=self._env, check=False)
            if done.returncode != 0 or not told.is_file():
                text = (done.stderr + done.stdout).decode("utf-8", "replace")
                tail = text.strip().splitlines()[-_TAIL:]
                raise BuildError("docker build failed", why="\n".join(tail))
            return told.read_text(encoding="ascii").strip()

    def save(self, image: str, path: Path) -> None:
        """Write an image as a ``docker save`` archive."""
        process.run([self._program, "save", "--output", str(path), image], env=self._env)

    def remove(self, image: str) -> None:
        """Forget an image; the build cache keeps what a next build can use."""
        process.run([self._program, "rmi", "--force", image], env=self._env, check=False)

    def _find(self) -> str:
        folders = [*os.get_exec_path(), *_USUAL]
        programs = [shutil.which("docker", path=folder) for folder in dict.fromkeys(folders)]
        told = []
        for program in filter(None, programs):
            argv = [program, "build", "--help"]
            done = process.run(argv, env=self._env, check=False)
            if done.returncode == 0 and b"--secret" in done.stdout:
                return program
            lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
            told.append(f"{program}: {lines[0] if lines else 'it has no BuildKit'}")
        raise RuntimeUnavailableError(
            "no Docker client here can build with BuildKit",
            why="\n".join(told) or "there is no docker on the path",
            hint="install Docker's buildx plugin, or the package docker.io",
        )
