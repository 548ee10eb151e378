"""Docker with Poetry, Docker with uv, and Eggcrate, each behind the same few steps."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench.docker_base import UV_BUILDER, choose_base
from bench.inputs import BASE, uv_project
from eggcrate.files import remove_tree
from eggcrate.process import run

if TYPE_CHECKING:
    from bench.docker_host import DockerHost
    from bench.inputs import Inputs, Variant

DOCKERFILES = Path(__file__).parent / "dockerfiles"


class Contender(Protocol):
    """One way to make and publish the image of one environment. Only ``publish`` is measured."""

    def forget(self) -> None:
        """Be as on a machine that never built this; the base is as it was at first."""

    def write(self, version: int) -> None:
        """Have the files of a version: 0 as it is, then with one package more each."""

    def patch(self) -> None:
        """Have the patched base."""

    def publish(self, *, new_machine: bool = False) -> None:
        """Build and push, with the commands that a person would type.

        Args:
            new_machine: nothing is here from before, but the registry may hold an image
                that helps.
        """

    def image(self) -> str:
        """The reference of what was published last, for ``docker pull``."""


@dataclass(frozen=True, kw_only=True)
class Docker(Contender):
    """``docker build`` and ``docker push``."""

    tool: str
    """``poetry`` or ``uv``."""
    host: DockerHost
    variant: Variant
    projects: Path
    """A folder for each version, with what the tool needs."""
    index: str
    registry: str

    def forget(self) -> None:
        """Remove the image and the builder's cache."""
        self.host.forget(self.image())
        choose_base(self.host, "first")

    def write(self, version: int) -> None:
        """Put the version's files into the context."""
        remove_tree(self._context)
        shutil.copytree(self.projects / str(version), self._context)

    def patch(self) -> None:
        """Move the tags that the Dockerfiles name."""
        choose_base(self.host, "patched")

    def publish(self, *, new_machine: bool = False) -> None:
        """Build and push."""
        arguments = {"BUILDKIT_INLINE_CACHE": "1"}  # what --cache-from of a new machine needs
        if self.tool == "poetry":
            arguments["POETRY_PYPI_MIRROR_URL"] = self.index
        self.host.build(
            DOCKERFILES / f"{self.tool}.Dockerfile",
            tag=self.image(),
            context=self._context,
            arguments=arguments,
            cache_from=self.image() if new_machine else "",
        )
        self.host.docker("push", "--quiet", self.image())

    def image(self) -> str:
        """By tag."""
        return f"{self.registry}/bench/{self.tool}-{self.variant.name}:latest"

    @property
    def _context(self) -> Path:
        return self.projects / "context"


@dataclass(frozen=True, kw_only=True)
class Eggcrate(Contender):
    """``eggcrate build --changed --push`` in a repository with this one environment."""

    inputs: Inputs
    variant: Variant
    scratch: Path
    server: str
    """URL of the file server."""
    registry: str

    def forget(self) -> None:
        """Have nothing but the repository: no cache, no store."""
        remove_tree(self.scratch)
        shutil.copytree(self.inputs.base, self.scratch / "repo" / "bases" / BASE)
        (self.scratch / "repo" / "pyproject.toml").write_text("")
        self.write(0)

    def write(self, version: int) -> None:
        """Put the version's files into the repository."""
        folder = self.scratch / "repo" / "environments" / self.variant.name
        remove_tree(folder)
        shutil.copytree(self.variant.folders[version], folder)

    def patch(self) -> None:
        """Put the patched base's lock into the repository."""
        folder = self.scratch / "repo" / "bases" / BASE
        remove_tree(folder)
        shutil.copytree(self.inputs.patched, folder)

    def publish(self, *, new_machine: bool = False) -> None:
        """Build and push what the plan says."""
        del new_machine  # it asks the registry first on any machine
        self._eggcrate("build", "--changed", "--push")

    def image(self) -> str:
        """By digest."""
        plan = json.loads(self._eggcrate("plan", "--json"))
        digest = plan["environments"][0]["image"]
        return f"{self.registry}/bench/{self.variant.name}@{digest}"

    def _eggcrate(self, *arguments: str) -> str:
        program = Path(sys.executable).with_name("eggcrate")
        argv = [str(program), "--repo", str(self.scratch / "repo"), *arguments]
        return run(argv, env=self._env()).text

    def _env(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.scratch),
            "EGGCRATE_CACHE": str(self.scratch / "cache"),
            "EGGCRATE_STORE": str(self.scratch / "store"),
            "EGGCRATE_REGISTRY": f"{self.registry}/bench",
            "EGGCRATE_DEBIAN_MIRROR": f"{self.server}/debian",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": f"{self.server}/simple",
        }


def poetry_projects(variant: Variant, folder: Path) -> Path:
    """What the Poetry image is built from, a folder for each version."""
    for version, source in enumerate(variant.folders):
        shutil.copytree(source, folder / str(version))
    return folder


def uv_projects(variant: Variant, folder: Path, host: DockerHost, index: str) -> Path:
    """The same pins locked by uv, a folder for each version."""
    for version in range(len(variant.folders)):
        here = folder / str(version)
        here.mkdir(parents=True)
        (here / "pyproject.toml").write_text(uv_project(variant, version, index))
        argv = ["run", "--rm", "--network", "host", "--volume", f"{here}:/app", "--workdir", "/app"]
        host.docker(*argv, f"{UV_BUILDER}:first", "uv", "lock", "--quiet")
    return folder
