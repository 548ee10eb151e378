"""Builds of many environments: what the store does not hold is made, one failure stops no other."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.build.bases import build_base
from eggcrate.build.layered import build_patiently, reference, scheme_of
from eggcrate.build.values import Verdict
from eggcrate.build.wheel_unit import wheel_unit_key
from eggcrate.errors import (
    EggcrateError,
    IntegrityError,
    LockError,
    StoreError,
    UnsupportedPackageError,
)
from eggcrate.files import disk_error
from eggcrate.packages.distribution import Kind
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from eggcrate.build.recipe import Recipe
    from eggcrate.build.resolve import Resolved
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
            _prepare([item for item in resolved if stored(item.recipe, workshop) is None], workshop)
        results += [_build_one(item, workshop, dry_run=dry_run) for item in resolved]
        if not dry_run:
            _name_platforms(results, workshop)
    return sorted(results, key=lambda result: (result.environment, result.platform))


def _prepare(missing: Sequence[Resolved], workshop: Workshop) -> None:
    """Download for all environments while their bases are made."""
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as pool:
        downloads = pool.submit(_prefetch, missing, workshop)
        for item in missing:
            if not item.environment.dockerfile:
                with contextlib.suppress(EggcrateError, OSError):  # who needs it will tell
                    build_base(item.base, workshop)
        downloads.result()


def _prefetch(missing: Sequence[Resolved], workshop: Workshop) -> None:
    """Download for all environments at once; what fails is told by the one that needs it."""
    wanted = {
        item
        for resolved in missing
        for item in resolved.recipe.distributions
        if item.kind is Kind.WHEEL
        and workshop.known(wheel_unit_key(item, scheme_of(resolved.recipe))) is None
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
        digest, recipe = build_patiently(resolved, workshop)
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


def _described(
    told: BuildResult,
    digest: str,
    verdict: Verdict,
    workshop: Workshop,
    *,
    fresh: AbstractSet[str] = frozenset(),
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
    named: dict[str, oci.Descriptor] = {}
    for name, mine in by_environment.items():
        if any(not result.digest or workshop.store.missing(result.digest) for result in mine):
            continue
        described = tuple(
            oci.describe(
                workshop.store.read_blob(result.digest), oci.MANIFEST, platform=result.platform
            )
            for result in mine
        )
        if len(mine) == 1:
            named[name] = described[0]
        else:
            workshop.store.put_index(name, described, {})
    if named:
        workshop.store.name(named)
