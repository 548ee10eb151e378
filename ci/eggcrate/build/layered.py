"""The layered builder: one resolved environment into an image in the store.

No daemon, no root, nothing is run but the base's own Python to compile bytecode. An environment
with a ``Dockerfile`` is built by :mod:`eggcrate.build.dockerfile` instead.
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from eggcrate.build import image
from eggcrate.build.bases import build_base, interpreter, own_system
from eggcrate.build.bytecode import bytecode_key, bytecode_unit
from eggcrate.build.claims import contested
from eggcrate.build.dockerfile import built_with_docker
from eggcrate.build.grouping import group
from eggcrate.build.overlaps import overlap_unit, overlaps
from eggcrate.build.recipe import PREFIX, Recipe
from eggcrate.build.sdists import built_wheels
from eggcrate.build.venv import venv_unit
from eggcrate.build.wheel_layout import Scheme
from eggcrate.build.wheel_unit import wheel_sources, wheel_units
from eggcrate.errors import IntegrityError
from eggcrate.packages.cache import cached_path
from eggcrate.packages.distribution import Distribution, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.resolve import Resolved
    from eggcrate.build.units import UnitRecord
    from eggcrate.build.values import Layer
    from eggcrate.build.workshop import Workshop
    from eggcrate.registry import oci


def reference(recipe: Recipe) -> str:
    """The image's immutable name in the store."""
    return f"{recipe.environment}.{recipe.tag}"


def scheme_of(recipe: Recipe) -> Scheme:
    """Where the recipe's packages are installed."""
    return Scheme(prefix=PREFIX.lstrip("/"), minor=recipe.target.minor)


def build_patiently(resolved: Resolved, workshop: Workshop) -> tuple[str, Recipe]:
    """:func:`build_image`; what was damaged is discarded when it is told, and made again.

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
        # The daemon is given the base's layers: they must be all here.
        built = built_with_docker(resolved, replace(workshop, complete=True))
        digest = _assemble(built.recipe, built.layers, built.config, workshop)
        return digest, built.recipe
    base = build_base(resolved.base, workshop)
    recipe = replace(recipe, base_key=base.key)
    files = _files(resolved, workshop)
    own = [_venv(recipe, workshop), *files]
    winners = _winners(own, recipe, workshop)
    last = [overlap_unit(winners, cache=workshop.cache)] if winners else []
    bytecode = _bytecode([*files, *last], resolved, workshop) if recipe.compile else []
    topmost = [item for item in bytecode if last and item.unit.source == last[0].unit.source]
    if system := own_system(resolved, workshop):
        own.append(system[0])
        recipe = replace(recipe, system_key=system[1])
    shared = [record.unit for record in (*own, *bytecode) if record not in topmost]
    groups = [*group(shared), *((record.unit,) for record in (*last, *topmost))]
    layers = [*base.layers, *(workshop.layer_of(one) for one in groups)]
    configuration = image.config(recipe, layers, base.env)
    return _assemble(recipe, layers, configuration, workshop), recipe


def _files(resolved: Resolved, workshop: Workshop) -> list[UnitRecord]:
    recipe = resolved.recipe
    wheels = [item for item in recipe.distributions if item.kind is Kind.WHEEL]
    sdists = [item for item in recipe.distributions if item.kind is Kind.SDIST]
    whole = replace(workshop, complete=True)  # to be run, a builder's image must be all here
    made = built_wheels(
        sdists, resolved, workshop, lambda builder: build_patiently(builder, whole)[0]
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
        known=workshop.known,
        jobs=workshop.workers,
    )
    return list(records.values())


def _winners(
    own: Sequence[UnitRecord], recipe: Recipe, workshop: Workshop
) -> dict[str, UnitRecord]:
    """What wheels disagree about; only those that may disagree have to be looked into."""
    torn = contested({record.unit.key: record.unit.claims for record in own})
    here = workshop.at_hand(record for record in own if record.unit.key in torn)
    return overlaps(list(here.values()), recipe.allow_overlap)


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
        record.unit.key: workshop.known(
            bytecode_key(record.unit.key, version=version, folder=folder)
        )
        for record in records
    }
    missing = [
        record
        for record in records
        if found[record.unit.key] is None
        and not workshop.shelf.has_no_bytecode(record.unit, version=version, folder=folder)
    ]
    if missing:
        missing = list(workshop.at_hand(missing).values())
        workshop.progress.status(
            f"{resolved.environment.name}: compiling {len(missing)} packages for Python {version}"
        )
        python = interpreter(resolved.base, workshop)
        missing.sort(key=lambda record: record.unit.tar_size, reverse=True)
        with ThreadPoolExecutor(workshop.workers) as pool:
            made = pool.map(
                lambda record: bytecode_unit(
                    record.unit,
                    python,
                    folder=folder,
                    cache=workshop.cache,
                    sources=_sources_of(record, resolved.recipe, workshop),
                ),
                missing,
            )
            found.update(zip((record.unit.key for record in missing), made, strict=True))
    return [record for record in found.values() if record is not None and record.unit.files]


def _sources_of(
    record: UnitRecord, recipe: Recipe, workshop: Workshop
) -> Callable[[], list[tuple[str, bytes]]] | None:
    """Reads the modules of a unit from its wheel, where that is in the cache."""
    for item in recipe.distributions:
        if item.sha256 == record.unit.source and item.kind is Kind.WHEEL:
            path = cached_path(item, cache=workshop.cache)
            if path.is_file():
                return functools.partial(wheel_sources, item, path, scheme=scheme_of(recipe))
    return None


def _assemble(
    recipe: Recipe, layers: Sequence[Layer], config: oci.Config, workshop: Workshop
) -> str:
    """Blobs first, the manifest last: a name never stands for something incomplete."""
    missing = [layer for layer in layers if not workshop.keep(layer)]
    configuration = config.encode()
    workshop.store.add_blob(configuration)
    manifest = image.manifest(recipe, layers, configuration).encode()
    if missing:  # and not needed here, see Workshop.complete
        return workshop.store.add_blob(manifest)
    described = workshop.store.put_manifest(
        reference(recipe), manifest, platform=str(recipe.target.platform)
    )
    return described.digest
