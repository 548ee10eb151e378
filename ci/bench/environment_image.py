"""One environment's image, measured: built cold and warm, pulled, and imported from once."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from eggcrate.build.bases import build_base
from eggcrate.build.layered import build_image
from eggcrate.build.resolve import resolve
from eggcrate.errors import EggcrateError
from eggcrate.files import remove_tree
from eggcrate.packages.target import Platform
from eggcrate.registry import oci
from eggcrate.registry.layout import Layout
from eggcrate.registry.remote import Remote
from eggcrate.repo.environments import requirement
from eggcrate.runtimes.protocol import Command, Limits
from eggcrate.runtimes.rootfs import root_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from bench.docker_host import DockerHost
    from bench.servers import Registry
    from eggcrate.build.workshop import Workshop
    from eggcrate.repo.values import Environment
    from eggcrate.runtimes.protocol import Runtime

LIMITS = Limits(memory=4 << 30, seconds=300)
_MODULES = {
    "lightgbm": "lightgbm",
    "py3langid": "py3langid",
    "scikit-learn": "sklearn",
    "tensorflow-cpu": "tensorflow",
    "vadersentiment": "vaderSentiment.vaderSentiment",
    "xgboost-cpu": "xgboost",
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One image; times are seconds."""

    name: str
    layers: Mapping[str, int]
    """Digest to compressed size."""
    unpacked: int
    packages: int
    cold: float
    warm: float
    pulled: float
    """From a registry on loopback into a Docker daemon that has nothing."""
    imported: float
    """The first import of its main packages, in a fresh sandbox."""

    @property
    def size(self) -> int:
        """Compressed bytes."""
        return sum(self.layers.values())


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What an image is measured with."""

    shop: Workshop
    runtime: Runtime
    registry: Registry
    puller: DockerHost
    """A daemon that has nothing before and after."""
    scratch: Path

    def measure(self, one: Environment) -> Measured:
        """Measure the image of an environment, which is built for it.

        Raises:
            EggcrateError: it cannot be built, pulled or imported from.
        """
        digest, packages = _built(one, self.shop)
        manifest = oci.parse(self.shop.store.read_blob(digest))
        if not isinstance(manifest, oci.Manifest):
            raise EggcrateError(f"{digest} is not an image")
        return Measured(
            name=one.name,
            layers={layer.digest: layer.size for layer in manifest.layers},
            packages=packages,
            cold=self._cold(one),
            warm=self._warm(one),
            pulled=self._pulled(one, digest),
            imported=self._imported(one, digest),
            unpacked=_bytes_below(root_path(self.shop.cache, digest)),
        )

    def _cold(self, one: Environment) -> float:
        folder = self.scratch / f"cold-{one.name}"
        cache = folder / "cache"
        cache.mkdir(parents=True)
        for name in ("files", "debs"):
            (cache / name).symlink_to(self.shop.cache / name, target_is_directory=True)
        fresh = self._fresh(folder / "store", cache)
        resolved = resolve(one, fresh.bases, Platform.of_this_machine())
        build_base(resolved.base, fresh)
        fresh.fetch(resolved.recipe.distributions)
        start = time.monotonic()
        build_image(resolved, fresh)
        taken = time.monotonic() - start
        remove_tree(folder)
        return taken

    def _warm(self, one: Environment) -> float:
        folder = self.scratch / f"warm-{one.name}"
        fresh = self._fresh(folder, self.shop.cache)
        start = time.monotonic()
        _built(one, fresh)
        taken = time.monotonic() - start
        remove_tree(folder)
        return taken

    def _fresh(self, store: Path, cache: Path) -> Workshop:
        return replace(self.shop, cache=cache, store=Layout(store), new_bytes={}, built_bases={})

    def _pulled(self, one: Environment, digest: str) -> float:
        with Remote(f"{self.registry.address}/bench") as remote:
            remote.push_image(self.shop.store, digest, one.name, tags=["latest"])
        start = time.monotonic()
        self.puller.docker("pull", "--quiet", f"{self.registry.address}/bench/{one.name}@{digest}")
        taken = time.monotonic() - start
        self.puller.forget_all()
        return taken

    def _imported(self, one: Environment, digest: str) -> float:
        image = self.runtime.prepare(digest)
        program = "; ".join(f"import {name}" for name in modules(one.dependencies))
        command = Command(argv=("/opt/env/bin/python", "-c", program), limits=LIMITS)
        result = self.runtime.run(image, command)
        if result.exit_code != 0:
            why = result.output or result.reason
            raise EggcrateError(f"`{program}` failed in {one.name}", why=why)
        return result.seconds


def modules(dependencies: Iterable[str]) -> list[str]:
    """What the main packages of an environment are imported as."""
    names = [canonicalize_name(requirement(text).name) for text in dependencies]
    return [
        _MODULES.get(name) or name.replace("google-cloud-", "google.cloud.").replace("-", "_")
        for name in names
    ]


def _built(one: Environment, shop: Workshop) -> tuple[str, int]:
    resolved = resolve(one, shop.bases, Platform.of_this_machine())
    digest, recipe = build_image(resolved, shop)
    return digest, len(recipe.distributions)


def _bytes_below(folder: Path) -> int:
    found = (os.path.join(path, name) for path, _, names in os.walk(folder) for name in names)  # noqa: PTH118 - a hundred thousand of them
    return sum(os.lstat(path).st_size for path in found)
