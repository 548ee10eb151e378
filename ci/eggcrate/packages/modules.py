"""Which modules a locked file gives an environment, without running or installing anything.

A wheel's are in the directory of its zip: read from the user's cache when the wheel is there,
else from the last kilobytes of the file on the index. Remembered by the wheel's hash in
``modules/<2>/<sha256>.json``.
"""

from __future__ import annotations

import contextlib
import io
import re
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from eggcrate.errors import ConfigError, EggcrateError, PackageIndexError
from eggcrate.files import atomic_write, sealed, unsealed
from eggcrate.packages.distribution import Distribution, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from unearth.link import Link

    from eggcrate.packages.indexes import Indexes
    from eggcrate.packages.pip_config import PipConfig

MODULES_VERSION = 1
"""Raised whenever the same wheel would be said to give other modules."""
_JOBS = 8
_TAIL = 1 << 16
_PARTIAL_CONTENT = 206
_LONGEST_DIRECTORY = 64 << 20
_DATA = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")
_MODULE = re.compile(r"(?P<name>[^./]+)(?:\.py|\.pyc|(?:\.[^./]+)?\.so)")


def provided_modules(
    distributions: Iterable[Distribution],
    *,
    cache: Path,
    config: Callable[[], PipConfig] | None = None,
) -> dict[Distribution, frozenset[str] | None]:
    """The modules that each file gives, as far as they are known or can be learned.

    Args:
        distributions: of one or more environments.
        cache: the user's.
        config: gives pip's configuration when an index must be asked; without it none is.

    Returns:
        For each the names as :func:`modules_in` gives them; ``None`` for one that is neither
        remembered nor in the cache, when no index can be asked or none can be reached.
    """
    wanted = sorted(set(distributions))
    found = {item: _known(item, cache) for item in wanted}
    unknown = [item for item in wanted if found[item] is None]
    if unknown and config is not None:
        with contextlib.suppress(ConfigError):  # without pip no index is known
            for item, modules in _ask(unknown, cache, config()).items():
                found[item] = modules
                _remember(item, modules, cache)
    return found


def modules_in(names: Iterable[str]) -> frozenset[str]:
    """The shortest dotted names that say what a wheel's files give.

    ``numpy`` stands for all that is in it; of a namespace package, which other wheels add to,
    the packages inside are named: ``google.cloud.storage``. Stubs are no modules.

    Args:
        names: of the members of its zip.
    """
    paths = []
    for name in names:
        path = _DATA.sub("", name, count=1) if _DATA.match(name) else name
        *folders, file = path.split("/")
        match = _MODULE.fullmatch(file)
        if match and all(part.isidentifier() for part in (*folders, match["name"])):
            paths.append((tuple(folders), match["name"]))
    regular = {folders for folders, name in paths if folders and name == "__init__"}
    return frozenset(".".join(_shortest((*folders, name), regular)) for folders, name in paths)


def _shortest(parts: tuple[str, ...], regular: set[tuple[str, ...]]) -> tuple[str, ...]:
    return next((parts[:n] for n in range(1, len(parts)) if parts[:n] in regular), parts)


def _known(distribution: Distribution, cache: Path) -> frozenset[str] | None:
    """What is remembered, or can be read from the cache."""
    if not distribution.sha256.isalnum():  # no hash: told in full by what fetches it
        return None
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        document = unsealed(_record(distribution, cache).read_bytes())
        if document["version"] == MODULES_VERSION:
            return frozenset(document["modules"])
    from eggcrate.packages.cache import cached_path  # noqa: PLC0415 - slow, and rarely needed

    try:
        path = cached_path(distribution, cache=cache)
    except PackageIndexError:  # no file name
        return None
    if not path.is_file():
        return None
    modules = _read(distribution, path)
    _remember(distribution, modules, cache)
    return modules


def _remember(distribution: Distribution, modules: frozenset[str] | None, cache: Path) -> None:
    if modules is None or not distribution.sha256.isalnum():
        return
    document = {"version": MODULES_VERSION, "modules": sorted(modules)}
    with contextlib.suppress(OSError):  # a cache that cannot be written is a slow one
        atomic_write(_record(distribution, cache), sealed(document), flush=False)


def _record(distribution: Distribution, cache: Path) -> Path:
    return cache / "modules" / distribution.sha256[:2] / f"{distribution.sha256}.json"


def _read(distribution: Distribution, path: Path) -> frozenset[str] | None:
    """From a whole file; nothing for one that cannot be read, which building it will tell."""
    try:
        if distribution.kind is Kind.SDIST:
            return _in_sdist(distribution, path)
        with zipfile.ZipFile(path) as archive:
            return modules_in(archive.namelist())
    except (
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
        zipfile.BadZipFile,
        tarfile.TarError,
    ):
        return None


def _in_sdist(distribution: Distribution, path: Path) -> frozenset[str]:
    """What an sdist may give: more rather than less, since only building it would tell."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as zipped:
            names = zipped.namelist()
    else:
        with tarfile.open(path) as archive:
            names = archive.getnames()
    files = [tuple(name.split("/")[1:]) for name in names]
    packages = {file[:-1] for file in files if file[-1:] == ("__init__.py",)}
    found = {distribution.name.replace("-", "_")}
    for file in files:
        if file[-1:] and file[-1].endswith(".py") and file[:-1] not in packages:
            found.add(file[-1].removesuffix(".py"))
    found |= {
        ".".join(package[start:])
        for package in packages
        if package and package[:-1] not in packages
        for start in range(len(package))
    }
    return frozenset(found)


def _ask(
    distributions: list[Distribution], cache: Path, config: PipConfig
) -> Mapping[Distribution, frozenset[str] | None]:
    """From the index; one that cannot be reached is not asked for the others."""
    from eggcrate.packages.indexes import Indexes  # noqa: PLC0415 - slow, and rarely needed
    from eggcrate.retries import Retries  # noqa: PLC0415 - as above

    unreachable: set[str | None] = set()

    def one(distribution: Distribution) -> frozenset[str] | None:
        if distribution.index in unreachable:
            return None
        try:
            return _from_index(distribution, cache, indexes)
        except EggcrateError as error:
            if _is_about_the_network(error):
                unreachable.add(distribution.index)
            return None

    with (
        Indexes(config, retries=Retries(attempts=2)) as indexes,
        ThreadPoolExecutor(_JOBS, thread_name_prefix="modules") as pool,
    ):
        return dict(zip(distributions, pool.map(one, distributions), strict=True))


def _is_about_the_network(error: EggcrateError) -> bool:
    from eggcrate.retries import TransientError  # noqa: PLC0415 - as above

    return isinstance(error.__cause__, TransientError)


def _from_index(distribution: Distribution, cache: Path, indexes: Indexes) -> frozenset[str] | None:
    if distribution.kind is Kind.WHEEL and not distribution.url:
        for link in indexes.candidates(distribution):
            if distribution.sha256 not in (link.hash_option or {}).get("sha256", ()):
                break  # only its bytes can tell whether it is the file that the lock names
            names = _names_by_range(link, distribution, indexes)
            if names is not None:
                return modules_in(names)
    from eggcrate.packages.cache import fetch  # noqa: PLC0415 - as above

    path = fetch([distribution], cache=cache, indexes=indexes)[distribution]
    return _read(distribution, path)


def _names_by_range(link: Link, distribution: Distribution, indexes: Indexes) -> list[str] | None:
    """Names in a zip on a server; nothing when that does not give parts of files."""
    if link.is_file:
        return None
    url = link.url_without_fragment
    tail = _part(url, f"bytes=-{_TAIL}", distribution, indexes)
    while tail is not None:
        start, content = tail
        try:
            with zipfile.ZipFile(_Tail(start, content)) as archive:
                return archive.namelist()
        except _TooShortError as error:
            if start - error.offset > _LONGEST_DIRECTORY:
                return None
            more = _part(url, f"bytes={error.offset}-{start - 1}", distribution, indexes)
            if more is None or more[0] != error.offset or len(more[1]) != start - error.offset:
                return None
            tail = (more[0], more[1] + content)
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            return None
    return None


def _part(
    url: str, wanted: str, distribution: Distribution, indexes: Indexes
) -> tuple[int, bytes] | None:
    """A part of a file, and where it begins; nothing unless the server gives just that."""
    from eggcrate.packages.web import (  # noqa: PLC0415 - slow, and rarely needed
        check_status,
        retrying,
        transient_network,
    )

    def attempt() -> tuple[int, bytes] | None:
        headers = {"Accept-Encoding": "identity", "Range": wanted}
        with transient_network(url), indexes.client.get_stream(url, headers=headers) as response:
            if response.status_code == _PARTIAL_CONTENT:
                begin = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
                return (int(begin[1]), response.read()) if begin else None
            with contextlib.suppress(PackageIndexError):
                check_status(response, url, distribution.filename)
            return None

    return retrying(attempt, what=distribution.filename, url=url, retries=indexes.retries)


class _TooShortError(Exception):
    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class _Tail(io.RawIOBase):
    """The end of a file, as if it were the whole; asking for more says from where."""

    def __init__(self, start: int, content: bytes) -> None:
        super().__init__()
        self._start = start
        self._content = content
        self._position = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        size = self._start + len(self._content)
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: size}[whence]
        if base + offset < 0:
            raise ValueError("before the file begins")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:  # the stdlib's own Buffer is newer than Python 3.11
        if self._position < self._start and len(buffer):
            raise _TooShortError(self._position)
        begin = self._position - self._start
        part = self._content[begin : begin + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)
