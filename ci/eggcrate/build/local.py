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
        self._there: dict[tuple[str, int], bool] = {}
        self._images: dict[str, list[str]] = {}
        for ref in sorted(self._refs):
            name, mark, _ = ref.rpartition(_MARK)
            if mark:
                self._images.setdefault(name, []).append(ref)

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
            parsed = oci.parse(self._layout.read_blob(digest))
        except (IntegrityError, StoreError):
            return False
        if isinstance(parsed, oci.Index):
            return not self._layout.missing(digest)
        return all(self._has(item) for item in (parsed.config, *parsed.layers))

    def _has(self, item: oci.Descriptor) -> bool:
        """Whether a blob is there: images share most of theirs, each is looked for once."""
        known = (item.digest, item.size)
        if known not in self._there:
            self._there[known] = self._layout.has_blob(item.digest, item.size)
        return self._there[known]

    def published(self, environment: str) -> Sequence[Published]:
        """Every image of an environment that says what is in it."""
        images = []
        for ref in self._images.get(environment, ()):
            item = self._refs[ref]
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
        return frozenset(self._images)
