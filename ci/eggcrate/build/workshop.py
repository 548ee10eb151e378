"""What building needs, shared by everything that is built in one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.build import units
from eggcrate.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.values import Layer
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
    new_bytes: dict[str, int] = field(default_factory=dict)
    """Digest to size of the layers that this run added to the store."""

    def keep(self, layer: Layer) -> None:
        """Put a layer of the cache into the store, its digest checked.

        Raises:
            IntegrityError: the cache's blob is damaged; it has been discarded.
        """
        if self.store.has_blob(layer.digest, layer.size):
            return
        path = units.blob_path(self.cache, layer.digest)
        try:
            self.store.add_blob_file(path, layer.digest, layer.size)
        except (IntegrityError, FileNotFoundError) as error:
            units.discard_layer(self.cache, layer)
            raise IntegrityError(
                f"cached layer {layer.digest} is damaged", why=str(error), hint="it is made again"
            ) from error
        self.new_bytes[layer.digest] = layer.size
