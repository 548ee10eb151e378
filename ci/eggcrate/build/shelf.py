"""What published images hold: layers and the units in them, read from manifests' annotations.

A machine with an empty disk learns from it which wheels exist as layers already: those it
neither downloads nor pushes. What is asked for that stands in a layer with others is had by
downloading that layer, which is small.
"""

from __future__ import annotations

from eggcrate.parsing import json_of
import contextlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.build import image, units
from eggcrate.build.bytecode import bytecode_key
from eggcrate.build.split import split_layer
from eggcrate.build.units import UnitRecord
from eggcrate.build.values import Layer, Unit, UnitKind
from eggcrate.errors import IntegrityError, RegistryUnreachableError, StoreError
from eggcrate.registry import oci
from eggcrate.registry.push import Holders

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from eggcrate.registry.remote import Remote

_KEY = re.compile(r"[0-9a-f]{64}")
"""It becomes a file name."""


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Layers that need not be made; an empty one for builds without a registry."""

    remote: Remote | None = None
    layers: dict[tuple[str, ...], Layer] = field(default_factory=dict)
    """By the keys of the units in them."""
    homes: dict[str, Layer] = field(default_factory=dict)
    """For a unit's key the smallest layer that holds it."""
    holders: Holders = field(default_factory=Holders)
    """The images known to have a blob."""
    images: Sequence[frozenset[str]] = ()
    """The keys of all units of each image."""

    def record(self, key: str) -> UnitRecord | None:
        """A unit that an image holds, without its list of files."""
        home = self.homes.get(key)
        if home is None:
            return None
        return UnitRecord(unit=next(one for one in home.units if one.key == key), files=None)

    def layer(self, group: Sequence[Unit]) -> Layer | None:
        """The layer of exactly these units."""
        return self.layers.get(tuple(unit.key for unit in group))

    def has_no_bytecode(self, unit: Unit, *, version: str, folder: str) -> bool:
        """Whether nothing in a unit compiles: an image that is compiled for this Python says so.

        Args:
            unit: with sources, perhaps.
            version: exact version of CPython.
            folder: as for :func:`eggcrate.build.bytecode.bytecode_key`.
        """
        mine = bytecode_key(unit.key, version=version, folder=folder)
        return any(
            mine not in keys
            and any(bytecode_key(key, version=version, folder=folder) in keys for key in keys)
            for keys in self.images
            if unit.key in keys
        )

    def fetch(self, wanted: Iterable[Unit], cache: Path) -> None:
        """Bring the layers of these units into the cache, and every unit in them.

        Raises:
            IntegrityError: a layer cannot be had, or does not hold what its annotations say. It
                is forgotten: another try makes its units anew.
        """
        homes = {self.homes[unit.key].digest: self.homes[unit.key] for unit in wanted}
        if homes and self.remote:
            self.remote.each(lambda layer: self.fetch_layer(layer, cache), homes.values())
        for layer in homes.values():
            try:
                split_layer(layer, cache=cache)
            except IntegrityError:
                self._forget(layer)
                raise

    def fetch_layer(self, layer: Layer, cache: Path) -> None:
        """Bring a layer's blob into the cache.

        Raises:
            IntegrityError: as for :meth:`fetch`.
        """
        if self.remote is None or units.has_blob(cache, layer):
            return
        name = self.holders.of(layer.digest)[0]
        blob = oci.Descriptor(media_type=layer.media_type, digest=layer.digest, size=layer.size)
        try:
            self.remote.fetch_blob(name, blob, cache)
        except (IntegrityError, StoreError) as error:
            self._forget(layer)
            raise IntegrityError(
                f"layer {layer.digest} of {self.remote.image(name)} cannot be had", why=str(error)
            ) from error

    def _forget(self, layer: Layer) -> None:
        self.layers.pop(tuple(unit.key for unit in layer.units), None)
        self.holders.forget(layer.digest)
        for unit in layer.units:
            self.homes.pop(unit.key, None)


def read_shelf(remote: Remote, images: Sequence[tuple[str, str]]) -> Shelf:
    """What these published images (environment and tag) hold.

    It saves work and no more: what cannot be read is passed over.
    """
    layers: dict[tuple[str, ...], Layer] = {}
    homes: dict[str, Layer] = {}
    holders = Holders()
    contents: list[frozenset[str]] = []

    def read(named: tuple[str, str]) -> tuple[str, tuple[oci.Descriptor, ...]]:
        try:
            content, _ = remote.get_manifest(*named)
            parsed = oci.parse(content, f"{named[0]}:{named[1]}")
        except RegistryUnreachableError:
            raise
        except (IntegrityError, StoreError):
            return named[0], ()
        return named[0], () if isinstance(parsed, oci.Index) else parsed.layers

    with contextlib.suppress(RegistryUnreachableError):  # publishing will tell
        for name, described in remote.each(read, images):
            keys: set[str] = set()
            whole = True
            for descriptor in described:
                holders.add(descriptor.digest, name)
                layer = read_layer(descriptor)
                if layer is None:
                    whole = whole and image.UNITS not in descriptor.annotations
                    continue
                layers.setdefault(tuple(unit.key for unit in layer.units), layer)
                for unit in layer.units:
                    keys.add(unit.key)
                    if unit.key not in homes or layer.size < homes[unit.key].size:
                        homes[unit.key] = layer
            if whole:  # else a unit may be in it that cannot be read
                contents.append(frozenset(keys))
    return Shelf(remote=remote, layers=layers, homes=homes, holders=holders, images=tuple(contents))


def read_layer(descriptor: oci.Descriptor) -> Layer | None:
    """What a layer's annotations say of it; ``None`` when Eggcrate did not make it."""
    try:
        diff_id = oci.check_digest(descriptor.annotations[image.DIFF_ID])
        told = json_of(descriptor.annotations[image.UNITS])
        alone = len(told) == 1
        held = tuple(
            Unit(
                kind=UnitKind(one["kind"]),
                name=str(one["name"]),
                version=str(one["version"]),
                source=str(one["source"]),
                key=str(one["key"]),
                digest=descriptor.digest if alone else oci.check_digest(one["digest"]),
                size=int(one["size"]),
                diff_id=diff_id if alone else "",
                tar_size=0,
                files=int(one["files"]),
                claims=tuple(str(claim) for claim in one.get("claims", ())),
            )
            for one in told
        )
    except (KeyError, TypeError, ValueError, AttributeError, StoreError, IntegrityError):
        return None
    sound = held and all(_KEY.fullmatch(unit.key) for unit in held)
    if not sound or oci.oci_media_type(descriptor.media_type) != oci.LAYER_GZIP:
        return None
    return Layer(digest=descriptor.digest, size=descriptor.size, diff_id=diff_id, units=held)
