"""One Docker daemon, driven through its client as a person or a CI job would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.servers import docker_client, docker_env
from eggcrate.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class DockerHost:
    """A daemon, and the client that drives it."""

    address: str
    client: str

    @classmethod
    def at(cls, address: str) -> DockerHost:
        """The daemon at an address such as ``unix:///…``."""
        return cls(address=address, client=docker_client())

    def docker(self, *arguments: str) -> str:
        """Run one Docker command; its output.

        Raises:
            ProcessError: it fails.
        """
        argv = [self.client, "--host", self.address, *arguments]
        return run(argv, env=docker_env()).text.strip()

    def build(
        self,
        dockerfile: Path,
        *,
        tag: str,
        context: Path | None = None,
        arguments: Mapping[str, str] | None = None,
        cache_from: str = "",
    ) -> None:
        """Build an image with BuildKit, on the machine's network: the index is on loopback."""
        argv = ["build", "--network", "host", "--tag", tag, "--file", str(dockerfile)]
        for name, value in (arguments or {}).items():
            argv += ["--build-arg", f"{name}={value}"]
        if cache_from:
            argv += ["--cache-from", cache_from]
        self.docker(*argv, str(context or dockerfile.parent))

    def forget(self, *images: str) -> None:
        """Remove images, where they exist, and all of the builder's cache."""
        for image in images:
            if self.docker("images", "--quiet", image):
                self.docker("image", "rm", "--force", image)
        self.docker("image", "prune", "--force")
        self.docker("builder", "prune", "--all", "--force")

    def forget_all(self) -> None:
        """Remove everything that is not running."""
        self.docker("system", "prune", "--all", "--force")

    def version(self) -> str:
        """Of the daemon."""
        return self.docker("version", "--format", "{{.Server.Version}}")
