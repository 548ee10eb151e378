"""The local store as the registry that a plan asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.plan import Published, read_published
from eggcrate.errors import IntegrityError, StoreError
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.registry.layout import Layout

_MARK = ".key-"


class LocalRegistry:
    """What a checkout's store holds; its index is read once.

    Args:
        layout: the store.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._refs = layout.refs()

    def holds(self, images: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Which of these images are there, with all their blobs."""
        found = {}
        for name, tag in images:
            item = self._refs.get(f"{name}.{tag}")
            if item is not None and self._is_whole(item.digest):
                found[name, tag] = item.digest
        return found

    def _is_whole(self, digest: str) -> bool:
        try:
            return not self._layout.missing(digest)
        except (IntegrityError, StoreError):
            return False

    def published(self, environment: str) -> Sequence[Published]:
        """Every image of an environment that says what is in it."""
        images = []
        for ref, item in sorted(self._refs.items()):
            name, mark, _ = ref.rpartition(_MARK)
            if not mark or name != environment:
                continue
            try:
                manifest = oci.parse(self._layout.read_blob(item.digest))
            except (IntegrityError, StoreError):
                continue  # it only explains
            tag = ref.removeprefix(f"{environment}.")
            if one := read_published(tag, item.digest, manifest.annotations):
                images.append(one)
        return images

    def environments(self) -> frozenset[str]:
        """Names that the store has images of."""
        return frozenset(ref.rpartition(_MARK)[0] for ref in self._refs if _MARK in ref)
