"""What images are made of, read from their manifests: sizes, packages, shared layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.build.shelf import read_layer
from eggcrate.build.values import UnitKind
from eggcrate.errors import EggcrateError
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from eggcrate.build.values import Unit
    from eggcrate.matrix.session import Session


_UNTOLD = ("layers that tell nothing", "", "other")


@dataclass(frozen=True, kw_only=True)
class LayerContent:
    """A layer and what is in it."""

    digest: str
    size: int
    """Bytes, compressed."""
    units: tuple[Unit, ...]
    """Empty when Eggcrate did not make it."""


@dataclass(frozen=True, kw_only=True)
class ImageContent:
    """An image of a column of the grid."""

    name: str
    """The column's."""
    digest: str
    layers: tuple[LayerContent, ...]

    @property
    def size(self) -> int:
        """Bytes of all layers, compressed."""
        return sum(layer.size for layer in self.layers)


@dataclass(frozen=True, kw_only=True)
class Filling:
    """What one package takes of an image, in compressed bytes."""

    name: str
    version: str
    kind: str
    """``package``, ``base`` (system packages) or ``other`` (layers that tell nothing)."""
    files: int
    bytecode: int

    @property
    def size(self) -> int:
        """Both together."""
        return self.files + self.bytecode


def images_of(session: Session) -> dict[str, str]:
    """The digest of the image of each column that has one."""
    found = {result.cell.environment: result.image for result in session.results if result.image}
    return dict(
        sorted(
            {
                **found,
                **{one.environment: one.digest for one in session.images if one.digest},
            }.items()
        )
    )


def read_images(
    images: Iterable[tuple[str, str]], read_blob: Callable[[str], bytes]
) -> tuple[ImageContent, ...]:
    """What these images (name and manifest digest) hold; those that cannot be read are left out.

    Args:
        images: such as :func:`images_of` gives.
        read_blob: a store's; raises an :class:`EggcrateError` for what it does not hold.
    """
    known: dict[str, LayerContent] = {}
    found = []
    for name, digest in images:
        try:
            manifest = oci.parse(read_blob(digest), name)
        except EggcrateError:
            continue
        if isinstance(manifest, oci.Index):
            continue
        for descriptor in manifest.layers:
            if descriptor.digest not in known:
                layer = read_layer(descriptor)
                known[descriptor.digest] = LayerContent(
                    digest=descriptor.digest,
                    size=descriptor.size,
                    units=layer.units if layer else (),
                )
        layers = tuple(known[descriptor.digest] for descriptor in manifest.layers)
        found.append(ImageContent(name=name, digest=digest, layers=layers))
    return tuple(found)


def fillings(layers: Sequence[LayerContent]) -> tuple[Filling, ...]:
    """What fills layers, the largest first; a package's files and bytecode together."""
    files: dict[tuple[str, str, str], int] = {}
    bytecode: dict[tuple[str, str, str], int] = {}
    units = [unit for layer in layers for unit in layer.units]
    bases = {unit.name for unit in units if unit.kind is UnitKind.SYSTEM}
    for layer in layers:
        if not layer.units:
            files[_UNTOLD] = files.get(_UNTOLD, 0) + layer.size
        for unit in layer.units:
            size = layer.size if len(layer.units) == 1 else unit.size
            into = bytecode if unit.kind is UnitKind.BYTECODE else files
            place = (unit.name, unit.version, "base" if unit.name in bases else "package")
            into[place] = into.get(place, 0) + size
    every = (
        Filling(
            name=name,
            version=version,
            kind=kind,
            files=files.get((name, version, kind), 0),
            bytecode=bytecode.get((name, version, kind), 0),
        )
        for name, version, kind in {**files, **bytecode}
    )
    return tuple(sorted(every, key=lambda one: (-one.size, one.name)))


def stored_bytes(images: Sequence[ImageContent]) -> int:
    """What all of them take where a layer is kept once."""
    return sum({layer.digest: layer.size for image in images for layer in image.layers}.values())
