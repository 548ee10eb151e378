"""The layered builder: resolved environments into images in the store.

No daemon, no root, nothing is run but the base's own Python to compile bytecode. An environment
with a ``Dockerfile`` is built by :mod:`eggcrate.build.dockerfile` instead.
"""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.build import image, units
from eggcrate.build.bases import build_base, interpreter, own_system
from eggcrate.build.bytecode import bytecode_unit, cached_bytecode_unit
from eggcrate.build.dockerfile import built_with_docker
from eggcrate.build.grouping import group
from eggcrate.build.overlaps import overlap_unit, overlaps
from eggcrate.build.recipe import PREFIX, Recipe
from eggcrate.build.sdists import built_wheels
from eggcrate.build.values import Verdict
from eggcrate.build.venv import venv_unit
from eggcrate.build.wheel_layout import Scheme
from eggcrate.build.wheel_unit import cached_wheel_unit, wheel_units
from eggcrate.errors import (
    EggcrateError,
    IntegrityError,
    LockError,
    StoreError,
    UnsupportedPackageError,
)
from eggcrate.files import disk_error
from eggcrate.packages.distribution import Distribution, Kind
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set
    from pathlib import Path

    from eggcrate.build.resolve import Resolved
    from eggcrate.build.units import UnitRecord
    from eggcrate.build.values import Layer
    from eggcrate.build.workshop import Workshop


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """What became of an environment on a platform."""

    environment: str
    platform: str
    verdict: Verdict
    base: str = ""
    key: str = ""
    digest: str = ""
    """Of the manifest."""
    size: int = 0
    """Bytes of all layers, compressed."""
    layers: int = 0
    layers_reused: int = 0
    """Layers that the store held before."""
    new_bytes: int = 0
    seconds: float = 0.0
    error: EggcrateError | None = None

    @property
    def good(self) -> bool:
        """Whether its image is there, or would be."""
        return self.error is None


def build_all(
    resolved: Sequence[Resolved],
    failed: Mapping[str, EggcrateError],
    workshop: Workshop,
    *,
    dry_run: bool = False,
) -> list[BuildResult]:
    """Build what the store does not hold; one failure never stops the others.

    Args:
        resolved: what to build.
        failed: environments that could not be resolved, to be told beside the rest.
        workshop: what building needs.
        dry_run: only tell what would be built.
    """
    results = [
        BuildResult(environment=name, platform="", verdict=Verdict.BLOCKED, error=error)
        for name, error in failed.items()
    ]
    with contextlib.nullcontext() if dry_run else workshop.store.in_use():
        if not dry_run:
            _prefetch(
                [item for item in resolved if stored(item.recipe, workshop) is None], workshop
            )
        results += [_build_one(item, workshop, dry_run=dry_run) for item in resolved]
        if not dry_run:
            _name_platforms(results, workshop)
    return sorted(results, key=lambda result: (result.environment, result.platform))


def _prefetch(missing: Sequence[Resolved], workshop: Workshop) -> None:
    """Download for all environments at once; what fails is told by the one that needs it."""
    wanted = {
        item
        for resolved in missing
        for item in resolved.recipe.distributions
        if item.kind is Kind.WHEEL
        and cached_wheel_unit(item, scheme=scheme_of(resolved.recipe), cache=workshop.cache) is None
    }
    if wanted:
        try:
            workshop.fetch(sorted(wanted))
        except EggcrateError:
            workshop.progress.status("some packages could not be fetched")


def _build_one(resolved: Resolved, workshop: Workshop, *, dry_run: bool) -> BuildResult:
    recipe = resolved.recipe
    start = time.monotonic()
    told = BuildResult(
        environment=recipe.environment,
        platform=str(recipe.target.platform),
        verdict=Verdict.BUILD,
        base=recipe.base,
        key=recipe.key,
    )
    try:
        manifest = stored(recipe, workshop)
        if manifest is None and dry_run:
            return told
        if manifest is not None:
            return _described(told, manifest, Verdict.UP_TO_DATE, workshop)
        before = set(workshop.new_bytes)
        digest, recipe = _with_patience(resolved, workshop)
        fresh = workshop.new_bytes.keys() - before
        result = _described(told, digest, Verdict.BUILT, workshop, fresh=fresh)
        result = replace(result, key=recipe.key, seconds=time.monotonic() - start)
        workshop.progress.info(
            f"built {recipe.environment} ({recipe.target.platform}) in {result.seconds:.1f} s"
        )
    except (EggcrateError, OSError) as raised:
        error = raised if isinstance(raised, EggcrateError) else disk_error(raised)
        if error is None:
            raise
        blocked = isinstance(error, LockError | UnsupportedPackageError)
        verdict = Verdict.BLOCKED if blocked else Verdict.FAILED
        return replace(told, verdict=verdict, error=error, seconds=time.monotonic() - start)
    return result


def stored(recipe: Recipe, workshop: Workshop) -> str | None:
    """The digest of the recipe's image, if the store holds all of it, undamaged where small."""
    found = workshop.store.refs().get(reference(recipe))
    if found is None:
        return None
    try:
        manifest = oci.parse(workshop.store.read_blob(found.digest))
        if isinstance(manifest, oci.Manifest):
            workshop.store.read_blob(manifest.config.digest)
        return None if workshop.store.missing(found.digest) else found.digest
    except (IntegrityError, StoreError):
        return None


def reference(recipe: Recipe) -> str:
    """The image's immutable name in the store."""
    return f"{recipe.environment}.{recipe.tag}"


def scheme_of(recipe: Recipe) -> Scheme:
    """Where the recipe's packages are installed."""
    return Scheme(prefix=PREFIX.lstrip("/"), minor=recipe.target.minor)


def _with_patience(resolved: Resolved, workshop: Workshop) -> tuple[str, Recipe]:
    """Build; what the cache held damaged is discarded when it is told, and made again.

    As often as something else is told: each attempt finds one damaged thing at most.
    """
    told: set[str] = set()
    while True:
        try:
            return build_image(resolved, workshop)
        except IntegrityError as error:
            if error.what in told:
                raise
            told.add(error.what)
            workshop.progress.warn(f"{error.what}; trying again")


def build_image(resolved: Resolved, workshop: Workshop) -> tuple[str, Recipe]:
    """Build one image into the store.

    Returns:
        The manifest's digest, and the recipe as it really was: another than the resolved one
        when a pinned Debian package had to be succeeded.
    """
    recipe, environment = resolved.recipe, resolved.environment
    workshop.progress.status(f"{environment.name}: base {recipe.base}")
    if environment.dockerfile:
        built = built_with_docker(resolved, workshop)
        digest = _assemble(built.recipe, built.layers, built.config, workshop)
        return digest, built.recipe
    base = build_base(resolved.base, workshop)
    recipe = replace(recipe, base_key=base.key)
    files = _files(resolved, workshop)
    own = [_venv(recipe, workshop), *files]
    winners = overlaps(own, recipe.allow_overlap)
    last = [overlap_unit(winners, cache=workshop.cache)] if winners else []
    bytecode = _bytecode([*files, *last], resolved, workshop) if recipe.compile else []
    topmost = [item for item in bytecode if last and item.unit.source == last[0].unit.source]
    if system := own_system(resolved, workshop):
        own.append(system[0])
        recipe = replace(recipe, system_key=system[1])
    shared = [record.unit for record in (*own, *bytecode) if record not in topmost]
    groups = [*group(shared), *((record.unit,) for record in (*last, *topmost))]
    layers = [*base.layers, *(units.layer_of(one, cache=workshop.cache) for one in groups)]
    configuration = image.config(recipe, layers, base.env)
    return _assemble(recipe, layers, configuration, workshop), recipe


def _files(resolved: Resolved, workshop: Workshop) -> list[UnitRecord]:
    recipe = resolved.recipe
    wheels = [item for item in recipe.distributions if item.kind is Kind.WHEEL]
    sdists = [item for item in recipe.distributions if item.kind is Kind.SDIST]
    made = built_wheels(
        sdists, resolved, workshop, lambda builder: _with_patience(builder, workshop)[0]
    )

    def fetch(missing: Sequence[Distribution]) -> Mapping[Distribution, Path]:
        told = [item for item in missing if item not in made]
        return {**made, **(workshop.fetch(told) if told else {})}

    workshop.progress.status(f"{recipe.environment}: {len(recipe.distributions)} packages")
    records = wheel_units(
        [*wheels, *made],
        fetch,
        scheme=scheme_of(recipe),
        cache=workshop.cache,
        jobs=workshop.workers,
    )
    return list(records.values())


def _venv(recipe: Recipe, workshop: Workshop) -> UnitRecord:
    return venv_unit(
        scheme=scheme_of(recipe),
        interpreter=recipe.interpreter,
        version=recipe.target.python,
        cache=workshop.cache,
    )


def _bytecode(
    records: Sequence[UnitRecord], resolved: Resolved, workshop: Workshop
) -> list[UnitRecord]:
    """The bytecode of units that have any; what is missing is compiled in parallel."""
    version = resolved.recipe.target.python
    folder = scheme_of(resolved.recipe).site_packages
    found = {
        record.unit.key: cached_bytecode_unit(
            record.unit, version=version, folder=folder, cache=workshop.cache
        )
        for record in records
    }
    missing = [record for record in records if found[record.unit.key] is None]
    if missing:
        workshop.progress.status(
            f"{resolved.environment.name}: compiling {len(missing)} packages for Python {version}"
        )
        python = interpreter(resolved.base, workshop)
        missing.sort(key=lambda record: record.unit.tar_size, reverse=True)
        with ThreadPoolExecutor(workshop.workers) as pool:
            made = pool.map(
                lambda record: bytecode_unit(
                    record.unit, python, folder=folder, cache=workshop.cache
                ),
                missing,
            )
            found.update(zip((record.unit.key for record in missing), made, strict=True))
    return [record for record in found.values() if record is not None and record.files]


def _assemble(
    recipe: Recipe, layers: Sequence[Layer], config: oci.Config, workshop: Workshop
) -> str:
    """Blobs first, the manifest last: a name never stands for something incomplete."""
    for layer in layers:
        workshop.keep(layer)
    configuration = config.encode()
    workshop.store.add_blob(configuration)
    manifest = image.manifest(recipe, layers, configuration).encode()
    described = workshop.store.put_manifest(
        reference(recipe), manifest, platform=str(recipe.target.platform)
    )
    return described.digest


def _described(
    told: BuildResult,
    digest: str,
    verdict: Verdict,
    workshop: Workshop,
    *,
    fresh: Set[str] = frozenset(),
) -> BuildResult:
    manifest = oci.parse(workshop.store.read_blob(digest))
    assert isinstance(manifest, oci.Manifest)  # noqa: S101 - it was put there as one
    layers = {layer.digest: layer.size for layer in manifest.layers}
    new = [size for name, size in layers.items() if name in fresh]
    return replace(
        told,
        verdict=verdict,
        digest=digest,
        size=sum(layers.values()),
        layers=len(layers),
        layers_reused=len(layers) - len(new),
        new_bytes=sum(new),
    )


def _name_platforms(results: Sequence[BuildResult], workshop: Workshop) -> None:
    """Give each environment its plain name in the store: one image, or an index of several.

    When a platform failed, the name stays with what was built whole before.
    """
    by_environment: dict[str, list[BuildResult]] = {}
    for result in results:
        by_environment.setdefault(result.environment, []).append(result)
    for name, mine in by_environment.items():
        if not all(result.digest for result in mine):
            continue
        contents = [workshop.store.read_blob(result.digest) for result in mine]
        if len(mine) == 1:
            workshop.store.put_manifest(name, contents[0], platform=mine[0].platform)
            continue
        described = tuple(
            oci.describe(content, oci.MANIFEST, platform=result.platform)
            for result, content in zip(mine, contents, strict=True)
        )
        workshop.store.put_index(name, described, {})
