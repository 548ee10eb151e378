"""Environments on new bases: built from the package layers there are, proven, then kept."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from eggcrate.build.engine import build_all, stored
from eggcrate.build.plan import STABLE
from eggcrate.build.shelf import read_layer, read_shelf
from eggcrate.build.values import UnitKind
from eggcrate.matrix.cells import Outcome
from eggcrate.matrix.session import Selection, decide
from eggcrate.packages.target import Platform
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.engine import BuildResult
    from eggcrate.build.published import PublishResult
    from eggcrate.build.workshop import Workshop
    from eggcrate.matrix.cells import CellResult
    from eggcrate.matrix.refresh import Rebased, Refresh
    from eggcrate.matrix.session import Matrix, Session
    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.pip_config import PipConfig
    from eggcrate.registry.oci import Descriptor
    from eggcrate.registry.remote import Remote


class State(enum.Enum):
    """What became of a refresh."""

    UP_TO_DATE = "up-to-date"
    """Nothing moved."""
    TO_REFRESH = "refresh"
    """Something moved, and would be taken."""
    REFRESHED = "refreshed"
    REFUSED = "refused"
    """Something cannot stand on the new bases: the locks are as they were."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """The image of an environment on its new base."""

    built: BuildResult
    kept: int = 0
    """Layers that its old image, or another published one, has too."""
    fresh: Mapping[str, int] = field(default_factory=dict)
    """Digest and bytes of each of the others."""
    remade: tuple[str, ...] = ()
    """Packages whose layers are new ones; none unless Python itself moved."""

    @property
    def layers(self) -> int:
        """All of them."""
        return self.built.layers

    @property
    def new_bytes(self) -> int:
        """Of layers that nobody had."""
        return sum(self.fresh.values())


@dataclass(frozen=True, kw_only=True)
class Rebase:
    """What became of a refresh, all told."""

    refresh: Refresh
    state: State
    images: tuple[Image, ...] = ()
    session: Session | None = None
    """The matrix on the new bases; nothing when no cell was to be proven."""
    unproven: tuple[str, ...] = ()
    """Environments that no component runs in."""
    fetched: tuple[str, ...] = ()
    """Packages that had to be downloaded: their layers were nowhere."""
    published: tuple[PublishResult, ...] = ()
    seconds: float = 0.0

    @property
    def failing(self) -> tuple[CellResult, ...]:
        """The cells that speak against it."""
        results = self.session.results if self.session else ()
        return tuple(one for one in results if not one.outcome.good)

    @property
    def new_bytes(self) -> int:
        """Of all new layers, each counted once however many images share it."""
        return sum({name: size for one in self.images for name, size in one.fresh.items()}.values())

    @property
    def proven(self) -> int:
        """How many cells speak for it, those remembered included."""
        results = self.session.results if self.session else ()
        told = (Outcome.PASSED, Outcome.FLAKY, Outcome.REUSED)
        return sum(one.outcome in told for one in results)


def rebase(
    refresh: Refresh,
    shop: Workshop,
    prove: Callable[[Matrix], Session],
    *,
    remote: Remote | None,
    push: bool,
    cache: Path,
    pip: Callable[[], PipConfig],
) -> Rebase:
    """Build every environment on its new base, and prove it; the tree is not touched.

    Args:
        refresh: what moved.
        shop: for building; its shelf is filled from the registry.
        prove: carries a matrix out.
        remote: the registry, whose images have the package layers already.
        push: whether images of other platforms are wanted too.
        cache: the user's.
        pip: gives pip's configuration.
    """
    start = time.monotonic()
    if refresh.broken:
        return Rebase(refresh=refresh, state=State.REFUSED)
    if remote:
        before = [(one.name, one.before.recipe.tag) for one in refresh.rebased if one.before]
        stable = [(name, STABLE) for name in dict.fromkeys(one.name for one in refresh.rebased)]
        shop.shelf = read_shelf(remote, [*before, *stable])
    here = Platform.of_this_machine()
    mine = [one for one in refresh.rebased if one.resolved.recipe.target.platform == here]
    others = [one for one in refresh.rebased if one not in mine] if push else []
    known = {id(one): _layers(one, shop) for one in (*mine, *others)}
    fetched: list[str] = []
    shop.fetch = _counted(shop.fetch, fetched)
    images: list[Image] = []
    for wanted, place in ((mine, shop), (others, replace(shop, complete=False))):
        built = {
            (result.environment, result.platform): result
            for result in build_all([one.resolved for one in wanted], {}, place)
        }
        for one in wanted:
            result = built[one.name, str(one.resolved.recipe.target.platform)]
            images.append(_image(one, result, known[id(one)], shop))
    done = Rebase(
        refresh=refresh,
        state=State.REFUSED,
        images=tuple(images),
        fetched=tuple(sorted(set(fetched))),
        seconds=time.monotonic() - start,
    )
    if not all(one.built.good for one in images):
        return done
    names = tuple(dict.fromkeys(one.name for one in mine))
    if not names:  # nobody stands on what moved; no name would mean every name
        return replace(done, state=State.REFRESHED)
    matrix = decide(refresh.monorepo, Selection(environments=names), cache=cache, pip=pip)
    session = prove(matrix) if matrix.cells or matrix.errors else None
    with_cells = {cell.environment for cell in matrix.cells}
    good = session is None or session.good
    return replace(
        done,
        state=State.REFRESHED if good else State.REFUSED,
        session=session,
        unproven=tuple(name for name in names if name not in with_cells),
        seconds=time.monotonic() - start,
    )


def _counted(
    fetch: Callable[[Sequence[Distribution]], Mapping[Distribution, Path]], told: list[str]
) -> Callable[[Sequence[Distribution]], Mapping[Distribution, Path]]:
    def fetching(wanted: Sequence[Distribution]) -> Mapping[Distribution, Path]:
        told.extend(str(item) for item in wanted)
        return fetch(wanted)

    return fetching


def _layers(one: Rebased, shop: Workshop) -> frozenset[str]:
    """The layers of the old image, where it is in the store."""
    digest = stored(one.before.recipe, shop) if one.before else None
    return frozenset(layer.digest for layer in _manifest(digest, shop)) if digest else frozenset()


def _manifest(digest: str, shop: Workshop) -> tuple[Descriptor, ...]:
    manifest = oci.parse(shop.store.read_blob(digest))
    return () if isinstance(manifest, oci.Index) else manifest.layers


def _image(one: Rebased, built: BuildResult, before: frozenset[str], shop: Workshop) -> Image:
    if not built.good:
        return Image(built=built)
    bases = {link.base.name for link in one.resolved.base.chain}
    layers = _manifest(built.digest, shop)
    fresh = [
        layer
        for layer in layers
        if layer.digest not in before and layer.digest not in shop.shelf.holders
    ]
    remade = {
        unit.name
        for layer in fresh
        if (read := read_layer(layer))
        for unit in read.units
        if unit.kind is not UnitKind.SYSTEM and unit.name not in bases
    }
    return Image(
        built=built,
        kept=len(layers) - len(fresh),
        fresh={layer.digest: layer.size for layer in fresh},
        remade=tuple(sorted(remade)),
    )
