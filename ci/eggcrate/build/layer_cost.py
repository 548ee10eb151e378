"""What a changed image costs: the layers that are new, where images tell, else new packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.build.recipe import tag_of
from eggcrate.errors import EggcrateError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from eggcrate.packages.difference import Contents
    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.sizes import Size
    from eggcrate.registry import oci

    ImageReader = Callable[[str, str, str], tuple[str, oci.Manifest]]


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """How much of an image must be made and moved anew."""

    new: int
    """Layers, or packages when the image is not built yet."""
    count: int
    """All of them."""
    new_bytes: int | None
    """Compressed; of packages their downloads; ``None`` when it is not known."""
    measured: bool
    """Whether layers were counted: the image is there."""
    size: int | None = None
    """Compressed bytes of the whole image, where it is there."""
    size_before: int | None = None
    """The same of the image before."""


def layers_of(
    read: ImageReader, environment: str, key: str, platform: str
) -> dict[str, int] | None:
    """Digest and bytes of an image's layers; nothing when the image is not there."""
    try:
        _, manifest = read(environment, tag_of(key), platform)
    except EggcrateError:
        return None
    return {layer.digest: layer.size for layer in manifest.layers}


def measured(
    after: Mapping[str, int], before: Mapping[str, int] | None, others: Collection[str]
) -> LayerCost:
    """From the layers of images that are there.

    Args:
        after: of the image as it is now.
        before: of the image before, where that is there.
        others: digests that other images have.
    """
    new = {digest for digest in after if digest not in (before or {}) and digest not in others}
    return LayerCost(
        new=len(new),
        count=len(after),
        new_bytes=sum(after[digest] for digest in new),
        measured=True,
        size=sum(after.values()),
        size_before=sum(before.values()) if before else None,
    )


def expected(
    after: Contents, known: Iterable[Distribution], sizes: Mapping[Distribution, Size | None]
) -> LayerCost:
    """From locks, for an image that is not built yet: files that nothing else holds are new.

    Args:
        after: what it will hold.
        known: files of what it was, and of all other environments.
        sizes: of the files in ``after``.
    """
    held = {file.sha256 for file in known}
    new = [file for file in after.files.values() if file.sha256 not in held]
    told = [size.download for file in new if (size := sizes.get(file))]
    return LayerCost(
        new=len(new),
        count=len(after.files),
        new_bytes=sum(told) if len(told) == len(new) else None,
        measured=False,
    )
