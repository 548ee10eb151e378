"""What can be learned of a locked file without installing it, remembered by the file's hash.

A wheel is read in the user's cache when it is there, else a few kilobytes of it are asked of
the index. ``<subject>/<2>/<sha256>.json`` in the cache says what was learned.
"""

from __future__ import annotations

import contextlib
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from eggcrate.errors import ConfigError, EggcrateError, PackageIndexError
from eggcrate.files import atomic_write, sealed, unsealed
from eggcrate.packages.distribution import Distribution, Kind
from eggcrate.packages.remote_zip import read_remotely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from eggcrate.packages.indexes import Indexes
    from eggcrate.packages.pip_config import PipConfig

T = TypeVar("T")
_JOBS = 8


@dataclass(frozen=True, kw_only=True)
class Subject(Generic[T]):
    """Something to learn about files."""

    name: str
    """Of its folder in the cache."""
    version: int
    """Raised whenever the same file would be told otherwise."""
    of_wheel: Callable[[zipfile.ZipFile], T]
    """Reads it from a wheel."""
    of_sdist: Callable[[Distribution, Path], T]
    """Reads it from an sdist on disk."""
    encode: Callable[[T], Any]
    """Makes JSON of it."""
    decode: Callable[[Any], T]
    """Makes it of JSON."""


def learn(
    subject: Subject[T],
    distributions: Iterable[Distribution],
    *,
    cache: Path,
    config: Callable[[], PipConfig] | None = None,
) -> dict[Distribution, T | None]:
    """What each file says about a subject, as far as it is known or can be learned.

    Args:
        subject: what is wanted.
        distributions: of one or more environments. One without a file name is known by its hash
            only: no index is asked for it.
        cache: the user's.
        config: gives pip's configuration when an index must be asked; without it none is.

    Returns:
        ``None`` for a file that is neither remembered nor in the cache, when no index can be
        asked or none can be reached.
    """
    wanted = sorted(set(distributions), key=_order)
    found = {item: _known(subject, item, cache) for item in wanted}
    unknown = [item for item in wanted if found[item] is None and item.filename]
    if unknown and config is not None:
        with contextlib.suppress(ConfigError):  # without pip no index is known
            for item, told in _ask(subject, unknown, cache, config()).items():
                found[item] = told
                _remember(subject, item, told, cache)
    return found


def _order(item: Distribution) -> tuple[str, ...]:
    return item.name, item.version, item.filename, item.sha256, item.url or "", item.index or ""


def _known(subject: Subject[T], distribution: Distribution, cache: Path) -> T | None:
    """What is remembered, or can be read from the cache."""
    if not distribution.sha256.isalnum():  # no hash: told in full by what fetches it
        return None
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        document = unsealed(_record(subject, distribution, cache).read_bytes())
        if document["version"] == subject.version:
            return subject.decode(document[subject.name])
    from eggcrate.packages.cache import cached_path  # noqa: PLC0415 - slow, and rarely needed

    try:
        path = cached_path(distribution, cache=cache)
    except PackageIndexError:  # no file name
        return None
    if not path.is_file():
        return None
    told = _read(subject, distribution, path)
    _remember(subject, distribution, told, cache)
    return told


def _remember(subject: Subject[T], distribution: Distribution, told: T | None, cache: Path) -> None:
    if told is None or not distribution.sha256.isalnum():
        return
    document = {"version": subject.version, subject.name: subject.encode(told)}
    with contextlib.suppress(OSError):  # a cache that cannot be written is a slow one
        atomic_write(_record(subject, distribution, cache), sealed(document), flush=False)


def _record(subject: Subject[T], distribution: Distribution, cache: Path) -> Path:
    sha256 = distribution.sha256
    return cache / subject.name / sha256[:2] / f"{sha256}.json"


def _read(subject: Subject[T], distribution: Distribution, path: Path) -> T | None:
    """From a whole file; nothing for one that cannot be read, which building it will tell."""
    try:
        if distribution.kind is Kind.SDIST:
            return subject.of_sdist(distribution, path)
        with zipfile.ZipFile(path) as archive:
            return subject.of_wheel(archive)
    except (
        OSError,
        EOFError,
        KeyError,
        ValueError,
        NotImplementedError,
        zipfile.BadZipFile,
        tarfile.TarError,
    ):
        return None


def _ask(
    subject: Subject[T], distributions: list[Distribution], cache: Path, config: PipConfig
) -> Mapping[Distribution, T | None]:
    """From the index; one that cannot be reached is not asked for the others."""
    from eggcrate.packages.indexes import Indexes  # noqa: PLC0415 - slow, and rarely needed
    from eggcrate.retries import Retries  # noqa: PLC0415 - as above

    unreachable: set[str | None] = set()

    def one(distribution: Distribution) -> T | None:
        if distribution.index in unreachable:
            return None
        try:
            return _from_index(subject, distribution, cache, indexes)
        except EggcrateError as error:
            if _is_about_the_network(error):
                unreachable.add(distribution.index)
            return None

    with (
        Indexes(config, retries=Retries(attempts=2)) as indexes,
        ThreadPoolExecutor(_JOBS, thread_name_prefix=subject.name) as pool,
    ):
        return dict(zip(distributions, pool.map(one, distributions), strict=True))


def _is_about_the_network(error: EggcrateError) -> bool:
    from eggcrate.retries import TransientError  # noqa: PLC0415 - as above

    return isinstance(error.__cause__, TransientError)


def _from_index(
    subject: Subject[T], distribution: Distribution, cache: Path, indexes: Indexes
) -> T | None:
    if distribution.kind is Kind.WHEEL and not distribution.url:
        for link in indexes.candidates(distribution):
            if distribution.sha256 not in (link.hash_option or {}).get("sha256", ()):
                break  # only its bytes can tell whether it is the file that the lock names
            told = read_remotely(link, distribution, indexes, subject.of_wheel)
            if told is not None:
                return told
    from eggcrate.packages.cache import fetch  # noqa: PLC0415 - as above

    path = fetch([distribution], cache=cache, indexes=indexes)[distribution]
    return _read(subject, distribution, path)
