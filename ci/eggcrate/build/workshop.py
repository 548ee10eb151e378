"""What building needs, shared by everything that is built in one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.build import units
from eggcrate.build.shelf import Shelf
from eggcrate.build.units import UnitRecord
from eggcrate.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.bases import BuiltBase
    from eggcrate.build.values import Layer, Unit
    from eggcrate.packages.distribution import Distribution
    from eggcrate.progress import Progress
    from eggcrate.registry.layout import Layout
    from eggcrate.repo.values import Base


@dataclass(kw_only=True)
class Workshop:
    """Where things are kept, fetched from and told to."""

    cache: Path
    """The user's cache."""
    store: Layout
    """The checkout's images."""
    bases: Mapping[str, Base]
    progress: Progress
    workers: int
    """How many things are made at once."""
    fetch: Callable[[Sequence[Distribution]], Mapping[Distribution, Path]]
    """Gives the files of distributions, verified."""
    locked: bool = False
    """Refuse successors of Debian packages that have left the mirror."""
    shelf: Shelf = field(default_factory=Shelf)
    """What is published already."""
    complete: bool = True
    """Whether the store needs every layer; what is only pushed can stay in the registry."""
    built_bases: dict[tuple[str, str, bool], BuiltBase] = field(default_factory=dict)
    """By key, platform and whether all of it is here: those of this run."""
    new_bytes: dict[str, int] = field(default_factory=dict)
    """Digest to size of the layers that this run added to the store."""

    def known(self, key: str) -> UnitRecord | None:
        """A unit that was made before, here or elsewhere; what it is made from is not needed."""
        return self._here(key) or self.shelf.record(key)

    def _here(self, key: str) -> UnitRecord | None:
        return units.load(self.cache, key, published=self.shelf.remote is not None)

    def at_hand(self, records: Iterable[UnitRecord]) -> dict[str, UnitRecord]:
        """The same units by key, their files known and their blobs in the cache.

        Raises:
            RegistryError: a layer that holds one cannot be had.
            IntegrityError: it does not hold what it should.
        """
        units_of = {record.unit.key: record.unit for record in records}
        found = {key: self._here(key) for key in units_of}
        missing = [units_of[key] for key, record in found.items() if record is None]
        self.shelf.fetch(missing, self.cache)
        found.update({unit.key: self._here(unit.key) for unit in missing})
        return {key: record for key, record in found.items() if record is not None}

    def layer_of(self, group: Sequence[Unit]) -> Layer:
        """The layer that holds these units, in this order: in the cache, or published.

        Raises:
            RegistryError: a unit is published only, and cannot be had.
            IntegrityError: the blob of a unit is damaged; it has been discarded.
        """
        if all(unit.diff_id and units.has_blob(self.cache, unit) for unit in group):
            return units.layer_of(group, cache=self.cache)
        if layer := self.shelf.layer(group):
            if self.complete:
                self.shelf.fetch_layer(layer, self.cache)
            return layer
        here = self.at_hand(UnitRecord(unit=unit, files=None) for unit in group)
        return units.layer_of([here[unit.key].unit for unit in group], cache=self.cache)

    def keep(self, layer: Layer) -> bool:
        """Put a layer of the cache into the store, its digest checked.

        Returns:
            Whether the store has it; else it is published and not needed here.

        Raises:
            IntegrityError: the cache's blob is damaged; it has been discarded.
        """
        if self.store.has_blob(layer.digest, layer.size):
            return True
        published = layer.digest in self.shelf.holders
        if published and not self.complete and not units.has_blob(self.cache, layer):
            return False
        path = units.blob_path(self.cache, layer.digest)
        try:
            self.store.add_blob_file(path, layer.digest, layer.size)
        except (IntegrityError, FileNotFoundError) as error:
            units.discard_layer(self.cache, layer)
            raise IntegrityError(
                f"cached layer {layer.digest} is damaged", why=str(error), hint="it is made again"
            ) from error
        self.new_bytes[layer.digest] = layer.size
        return True
