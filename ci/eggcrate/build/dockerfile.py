"""The Docker engine: an environment with a ``Dockerfile``, built by BuildKit.

The same plan, key, tag, annotations and base layers as the layered builder's. What BuildKit
makes is not the same bit for bit each time: a key is built once, and the store or registry
that holds its tag is up to date. The image must hold what the lock says, and is refused else.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from eggcrate.build import image, units
from eggcrate.build.bases import build_base, own_system
from eggcrate.build.context import (
    BASE_ARGUMENT,
    PYTHON_ARGUMENT,
    context_key,
    installer,
    pinned,
    write_context,
)
from eggcrate.build.recipe import PREFIX
from eggcrate.build.resolve import BACKENDS
from eggcrate.build.saved import read_saved
from eggcrate.errors import BuildError
from eggcrate.packages.distribution import Kind
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from eggcrate.build.bases import BuiltBase
    from eggcrate.build.recipe import Recipe
    from eggcrate.build.resolve import Resolved
    from eggcrate.build.saved import SavedImage
    from eggcrate.build.values import Layer
    from eggcrate.build.workshop import Workshop
    from eggcrate.runtimes.buildkit import BuildKit

_PYTHON = f"{PREFIX}/bin/python"
_NAMES = "localhost/eggcrate-base"


@dataclass(frozen=True, kw_only=True)
class DockerBuilt:
    """An image whose layers are in the store."""

    recipe: Recipe
    """As it really was: another when a pinned Debian package had to be succeeded."""
    layers: tuple[Layer, ...]
    config: oci.Config


def built_with_docker(resolved: Resolved, workshop: Workshop) -> DockerBuilt:
    """Build an environment's ``Dockerfile``.

    Raises:
        RuntimeUnavailableError: there is no Docker daemon, or no client that has BuildKit.
        BuildError: the build fails, or the image does not hold what the lock says.
    """
    from eggcrate.runtimes.buildkit import BuildKit  # noqa: PLC0415 - its SDK is slow to import

    docker = BuildKit()
    recipe, environment = resolved.recipe, resolved.environment
    base = build_base(resolved.base, workshop)
    layers = list(base.layers)
    recipe = replace(recipe, base_key=base.key)
    if system := own_system(resolved, workshop):
        layers.append(units.layer_of([system[0].unit], cache=workshop.cache))
        recipe = replace(recipe, system_key=system[1])
    stages = {name: build_base(one, workshop) for name, one in resolved.stages.items()}
    keys = {name: one.key for name, one in stages.items()}
    recipe = replace(recipe, dockerfile_key=context_key(environment, keys, recipe.target))
    platform = str(recipe.target.platform)
    arguments = {
        name: _load(one, one.layers, platform, workshop) for name, one in stages.items()
    } | {
        BASE_ARGUMENT: _load(base, layers, platform, workshop),
        PYTHON_ARGUMENT: recipe.interpreter,
    }
    known = {layer.diff_id: layer for one in (*stages.values(), base) for layer in one.layers}
    known |= {layer.diff_id: layer for layer in layers}
    with _context(resolved, workshop) as scratch:
        workshop.progress.status(f"{environment.name}: docker build")
        built = _build(docker, scratch, arguments, platform, environment.name)
        try:
            docker.save(built, scratch / "saved.tar")
        finally:
            docker.remove(built)
        workshop.progress.status(f"{environment.name}: taking the image from docker")
        wanted = frozenset({_PYTHON.lstrip("/")})
        saved, blobs = read_saved(scratch / "saved.tar", known, scratch, wanted)
        _check(saved, recipe)
        for layer in saved.layers:
            if blob := blobs.get(layer.digest):
                workshop.store.add_blob_file(blob, layer.digest, layer.size)
                workshop.new_bytes[layer.digest] = layer.size
    return DockerBuilt(recipe=recipe, layers=saved.layers, config=_config(recipe, saved))


@contextmanager
def _context(resolved: Resolved, workshop: Workshop) -> Iterator[Path]:
    """A scratch folder with the context in ``context``; in the cache, so that links work."""
    recipe = resolved.recipe
    pip = installer(recipe.target)
    sdists = any(item.kind is Kind.SDIST for item in recipe.distributions)
    helpers = pinned(BACKENDS, recipe.target) if sdists else ()
    files = workshop.fetch([*recipe.distributions, *helpers, *pip])
    folder = workshop.cache / "docker"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="build-") as scratch:
        context = Path(scratch) / "context"
        context.mkdir()
        write_context(
            context,
            resolved.environment,
            {item: files[item] for item in recipe.distributions},
            {item: files[item] for item in helpers},
            files[pip[0]],
        )
        yield Path(scratch)


def _build(
    docker: BuildKit, scratch: Path, arguments: Mapping[str, str], platform: str, name: str
) -> str:
    try:
        return docker.build(scratch / "context", arguments=arguments, platform=platform)
    except BuildError as error:
        raise BuildError(
            f"environments/{name}/Dockerfile could not be built",
            why=error.why,
            hint="the build sees the environment's folder without its project and locks, and "
            "what to install in .eggcrate/ (docs/decisions/0009-dockerfiles.md)",
        ) from error


def _load(base: BuiltBase, layers: Sequence[Layer], platform: str, workshop: Workshop) -> str:
    """Have a base as an image in the daemon and tell its name there."""
    from eggcrate.runtimes import docker  # noqa: PLC0415 - its SDK is slow to import

    for layer in layers:
        workshop.keep(layer)
    configuration = oci.Config(
        platform=platform,
        diff_ids=tuple(layer.diff_id for layer in layers),
        env=image.variables(base.env),
        cmd=(_PYTHON,),
        created=image.CREATED,
    ).encode()
    workshop.store.add_blob(configuration)
    described = tuple(
        oci.Descriptor(media_type=layer.media_type, digest=layer.digest, size=layer.size)
        for layer in layers
    )
    config = oci.describe(configuration, oci.CONFIG)
    manifest = oci.Manifest(config=config, layers=described).encode()
    digest = workshop.store.add_blob(manifest)
    name = f"{_NAMES}:{digest.removeprefix('sha256:')}"
    docker.load(workshop.store, digest, name)
    return name


def _check(saved: SavedImage, recipe: Recipe) -> None:
    """Refuse an image that does not hold what its annotations would say of it."""
    lost = [
        str(item)
        for item in recipe.distributions
        if not any(_same(item.version, one) for one in saved.packages.get(item.name, ()))
    ]
    what = f"the image of environments/{recipe.environment}/Dockerfile"
    if lost:
        raise BuildError(
            f"{what} does not hold what the lock says",
            why=f"not in it: {', '.join(lost)}",
            hint="install .eggcrate/requirements.txt, as environments/_template/"
            "Dockerfile.example does, and copy it into the last stage",
        )
    if not saved.paths:
        raise BuildError(
            f"{what} has no {_PYTHON}",
            why="components are run with the Python of the virtual environment there",
            hint=f"make the environment in {PREFIX}, as "
            "environments/_template/Dockerfile.example does",
        )


def _same(locked: str, found: str) -> bool:
    try:
        return Version(locked) == Version(found.replace("_", "-"))
    except InvalidVersion:
        return locked == found


def _config(recipe: Recipe, saved: SavedImage) -> oci.Config:
    """What docker says of the image, with our labels, and nothing that depends on the day."""
    config = saved.config
    return replace(
        config,
        platform=str(recipe.target.platform),
        diff_ids=tuple(layer.diff_id for layer in saved.layers),
        labels={**config.labels, **image.about(recipe)},
        created=image.CREATED,
        history=saved.history,
    )
