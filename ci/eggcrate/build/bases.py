"""Bases as layers, and their Python as something that can be run here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.build import units
from eggcrate.build.bytecode import bytecode_key, bytecode_unit
from eggcrate.build.interpreter import Interpreter, find_interpreter, host_interpreter
from eggcrate.build.resolve import BaseLink, ResolvedBase, base_key, resolve_base
from eggcrate.build.units import UnitRecord, unit_key
from eggcrate.build.values import Layer, UnitKind
from eggcrate.errors import BuildError
from eggcrate.once import made_once
from eggcrate.packages.debian.contents import CONTENTS_VERSION, base_entries
from eggcrate.packages.debian.fetch import fetch_debs
from eggcrate.packages.debian.values import lock_key
from eggcrate.packages.target import Platform
from eggcrate.registry import oci
from eggcrate.registry.pull import pull
from eggcrate.runtimes.merge import merge
from eggcrate.runtimes.rootfs import root_path, unpack_layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.archive import UnitWriter
    from eggcrate.build.resolve import Resolved
    from eggcrate.build.workshop import Workshop
    from eggcrate.packages.debian.values import BaseLock, LockedDeb
    from eggcrate.registry.pull import PulledImage


@dataclass(frozen=True, kw_only=True)
class BuiltBase:
    """A base whose layers are in the store."""

    key: str
    """Of what is really in it: another than the lock's when a package was succeeded."""
    layers: tuple[Layer, ...]
    env: Mapping[str, str]
    """Environment variables that a registry image brings along."""
    links: tuple[BaseLink, ...] = ()
    """The chain of bases with what was really used of Debian."""


def build_base(base: ResolvedBase, workshop: Workshop) -> BuiltBase:
    """Make the layers of a base; from the cache where it was made before.

    Raises:
        BaseError: a package has left the mirror and may not, or cannot, be succeeded.
        BuildError: the base's Python cannot compile its own library.
    """
    known = (base.key, str(base.target.platform), workshop.complete)
    if known not in workshop.built_bases:
        workshop.built_bases[known] = _build_base(base, workshop)
    return workshop.built_bases[known]


def _build_base(base: ResolvedBase, workshop: Workshop) -> BuiltBase:
    if base.chain[0].base.image:
        return _pulled(base, workshop)
    layers: list[Layer] = []
    links: list[BaseLink] = []
    for link in base.chain:
        record, lock = system_unit(
            link.base.name, link.lock, base.target.platform, workshop, foundation=not links
        )
        links.append(replace(link, lock=lock))
        layers.append(_stored(record, workshop))
        if len(links) == 1:
            layers.append(_stored(_standard_library(record, base, workshop), workshop))
    return BuiltBase(
        key=base_key(links, base.target.platform), layers=tuple(layers), env={}, links=tuple(links)
    )


def system_unit(
    name: str, lock: BaseLock, platform: Platform, workshop: Workshop, *, foundation: bool
) -> tuple[UnitRecord, BaseLock]:
    """The unit of some Debian packages, and the lock with what was really used.

    Args:
        name: of the base or environment they belong to.
        lock: where they are locked.
        platform: which of the lock's platforms.
        workshop: for building.
        foundation: whether they are the lowest of an image, see :func:`base_entries`.
    """
    debs = lock.packages.get(str(platform), ())
    key = _system_key(debs, foundation=foundation)
    if record := workshop.known(key):
        return record, lock
    workshop.progress.status(f"base {name}: fetching {len(debs)} Debian packages")
    fetched = fetch_debs(
        debs, lock=lock, cache=workshop.cache, locked=workshop.locked, progress=workshop.progress
    )
    used = tuple(item.deb for item in fetched.debs)
    lock = replace(lock, packages={**lock.packages, str(platform): used})
    key = _system_key(used, foundation=foundation)

    def write(writer: UnitWriter) -> None:
        for entry in base_entries(fetched.debs, foundation=foundation):
            writer.add(entry)

    record = units.load(workshop.cache, key) or units.make(
        workshop.cache,
        kind=UnitKind.SYSTEM,
        name=name,
        version=lock.python or lock.suite,
        source=fetched.key,
        key=key,
        write=write,
    )
    return record, lock


def own_system(resolved: Resolved, workshop: Workshop) -> tuple[UnitRecord, str] | None:
    """The unit of an environment's own system packages, with the key of what was really used."""
    if not resolved.system:
        return None
    platform = resolved.base.target.platform
    record, lock = system_unit(
        resolved.environment.name, resolved.system, platform, workshop, foundation=False
    )
    return record, lock_key(lock.packages.get(str(platform), ()))


def _system_key(debs: Sequence[LockedDeb], *, foundation: bool) -> str:
    return unit_key(UnitKind.SYSTEM, lock_key(debs), str(CONTENTS_VERSION), str(foundation))


def _standard_library(record: UnitRecord, base: ResolvedBase, workshop: Workshop) -> UnitRecord:
    folder = f"usr/lib/python{base.target.minor}"
    version = base.target.python
    known = workshop.known(bytecode_key(record.unit.key, version=version, folder=folder))
    if known:
        return known
    workshop.progress.status(f"base {base.name}: compiling Python's own library")
    mine = workshop.at_hand([record])[record.unit.key]
    return bytecode_unit(
        mine.unit, interpreter(base, workshop), folder=folder, cache=workshop.cache
    )


def _stored(record: UnitRecord, workshop: Workshop) -> Layer:
    layer = workshop.layer_of([record.unit])
    workshop.keep(layer)
    return layer


def _pulled(base: ResolvedBase, workshop: Workshop) -> BuiltBase:
    image = _pull(base, workshop)
    layers = tuple(
        Layer(
            digest=layer.digest,
            size=layer.size,
            diff_id=layer.diff_id,
            units=(),
            media_type=layer.media_type,
        )
        for layer in image.layers
    )
    for layer in layers:
        workshop.keep(layer)
    return BuiltBase(key=base.key, layers=layers, env=image.config.env, links=base.chain)


def _pull(base: ResolvedBase, workshop: Workshop) -> PulledImage:
    image = base.chain[0].base.image
    workshop.progress.status(f"base {base.name}: pulling {image}")
    return pull(image, str(base.target.platform), workshop.cache)


def _unpacked_image(base: ResolvedBase, workshop: Workshop) -> Path:
    """The root of a registry image, whose layers are in the store."""
    image = _pull(base, workshop)
    folders = [
        unpack_layer(
            workshop.store,
            oci.Descriptor(media_type=layer.media_type, digest=layer.digest, size=layer.size),
            layer.diff_id,
            workshop.cache,
        )
        for layer in image.layers
    ]
    root = root_path(workshop.cache, image.digest)
    with made_once(root) as scratch:
        if scratch:
            merge(folders, scratch)
    return root


def interpreter(base: ResolvedBase, workshop: Workshop) -> Interpreter:
    """The base's Python, run on this machine, whatever processor the image is for.

    Where the base is not at hand but this machine's own Python is the same CPython to the last
    digit, that one: bytecode depends on nothing else.

    Raises:
        BuildError: the base is not locked for this machine's processor, or in another version.
    """
    if not _at_hand(base, workshop) and (python := host_interpreter(base.target.python)):
        return python
    mine = for_this_machine(base, workshop)
    if mine.chain[0].base.image:
        root = _unpacked_image(mine, workshop)
    else:
        link = mine.chain[0]
        record, _ = system_unit(
            link.base.name, link.lock, mine.target.platform, workshop, foundation=True
        )
        layer = workshop.layer_of([workshop.at_hand([record])[record.unit.key].unit])
        workshop.keep(layer)
        descriptor = oci.Descriptor(media_type=oci.LAYER_GZIP, digest=layer.digest, size=layer.size)
        root = unpack_layer(workshop.store, descriptor, layer.diff_id, workshop.cache) / "tree"
    return find_interpreter(
        root,
        executable=mine.interpreter,
        version=mine.target.python,
        platform=mine.target.platform,
    )


def _at_hand(base: ResolvedBase, workshop: Workshop) -> bool:
    """Whether the base's own Python needs no download."""
    here = Platform.of_this_machine()
    lowest = base.chain[0]
    if lowest.base.image or base.target.platform != here:
        return True
    key = _system_key(lowest.lock.packages.get(str(here), ()), foundation=True)
    return units.load(workshop.cache, key) is not None


def for_this_machine(base: ResolvedBase, workshop: Workshop) -> ResolvedBase:
    """The same base, in the same version of Python, for this machine's processor.

    Raises:
        BuildError: it is not locked for it, or in another version.
    """
    here = Platform.of_this_machine()
    if base.target.platform == here:
        return base
    lowest = base.chain[0].base
    if str(here) in lowest.platforms:
        mine = resolve_base(lowest, workshop.bases, here)
        if mine.target.python == base.target.python:
            return mine
    raise BuildError(
        f"bytecode of Python {base.target.python} cannot be compiled on this machine",
        why=f"base {base.name} is not locked for {here} in that version",
        hint="add the platform to its base.toml and lock it, or set `compile = false`",
    )
