"""Wheels into units: a wheel's files as an installer lays them out, once for every image."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from eggcrate.build import units
from eggcrate.build.claims import claims
from eggcrate.build.gzip_members import read
from eggcrate.build.units import UnitRecord, unit_key
from eggcrate.build.values import UnitKind
from eggcrate.build.wheel_layout import Scheme, place
from eggcrate.packages.entries import Entry
from eggcrate.packages.wheels import open_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.archive import UnitWriter
    from eggcrate.packages.distribution import Distribution


def wheel_unit_key(distribution: Distribution, scheme: Scheme) -> str:
    """The key of a wheel's unit. ``distribution.sha256`` is the wheel's own."""
    return unit_key(UnitKind.FILES, distribution.sha256, scheme.prefix, scheme.minor)


def make_wheel_unit(
    distribution: Distribution, wheel: Path, *, scheme: Scheme, cache: Path
) -> UnitRecord:
    """Make the unit of a wheel.

    Args:
        distribution: what the wheel holds; its ``sha256`` is the wheel's, and verified.
        wheel: where the wheel is.
        scheme: where it is installed.
        cache: the user's cache directory.

    Raises:
        IntegrityError: the wheel is damaged or holds something else.
        UnsupportedPackageError: it cannot be installed.
    """

    def write(writer: UnitWriter) -> None:
        with open_wheel(wheel, name=distribution.name, version=distribution.version) as opened:
            for item in place(opened, scheme):
                if isinstance(item.content, bytes):
                    writer.add(Entry(path=item.path, mode=item.mode, content=item.content))
                else:
                    writer.add_payload(item.path, item.mode, item.content)

    return units.make(
        cache,
        kind=UnitKind.FILES,
        name=distribution.name,
        version=distribution.version,
        source=distribution.sha256,
        key=wheel_unit_key(distribution, scheme),
        write=write,
        claims=lambda files: claims(files, prefix=scheme.prefix, folder=scheme.site_packages),
    )


def wheel_sources(
    distribution: Distribution, wheel: Path, *, scheme: Scheme
) -> list[tuple[str, bytes]]:
    """Path in the image and content of each module of a wheel; nothing else of it is read.

    Raises:
        IntegrityError: the wheel is damaged.
    """
    folder = f"{scheme.site_packages}/"
    with open_wheel(wheel, name=distribution.name, version=distribution.version) as opened:
        return [
            (
                item.path,
                item.content if isinstance(item.content, bytes) else read(item.content),
            )
            for item in place(opened, scheme)
            if item.path.startswith(folder) and item.path.endswith(".py")
        ]


def wheel_units(
    distributions: Iterable[Distribution],
    fetch: Callable[[Sequence[Distribution]], Mapping[Distribution, Path]],
    *,
    scheme: Scheme,
    cache: Path,
    known: Callable[[str], UnitRecord | None] | None = None,
    jobs: int = 0,
) -> dict[Distribution, UnitRecord]:
    """The units of many wheels; those that are not known are made in parallel.

    Args:
        distributions: the wheels.
        fetch: gives the files of those that must be made; not called when there are none.
        scheme: where they are installed.
        cache: the user's cache directory.
        known: finds a unit by its key; by default in the cache. The wheels of those that it
            finds are not needed.
        jobs: how many to make at once; 0 for one a processor.

    Raises:
        EggcrateError: what fetching raises, or the first wheel's that cannot be made.
    """
    wanted = sorted(set(distributions))
    find = known or (lambda key: units.load(cache, key))
    found = {item: find(wheel_unit_key(item, scheme)) for item in wanted}
    missing = [item for item in wanted if found[item] is None]
    if missing:
        paths = fetch(missing)
        # The longest first; hashing, inflating and compressing all release the lock of Python.
        missing.sort(key=lambda item: paths[item].stat().st_size, reverse=True)
        with ThreadPoolExecutor(jobs or os.cpu_count() or 1, thread_name_prefix="unit") as pool:
            made = pool.map(
                lambda item: make_wheel_unit(item, paths[item], scheme=scheme, cache=cache),
                missing,
            )
            found.update(zip(missing, made, strict=True))
    return {item: record for item, record in found.items() if record is not None}
