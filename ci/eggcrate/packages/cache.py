"""Distributions on disk: one verified copy of each file, for all checkouts of the user.

``files/<2>/<sha256>/<filename>`` holds whole, verified files; ``partial/<sha256>`` what a
broken download left, to be resumed. Both are only ever trusted after their hash was checked.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import EggcrateError, IntegrityError, PackageIndexError
from eggcrate.files import exclusive, sha256_file
from eggcrate.packages.pip_config import redacted
from eggcrate.packages.resumed import fetch_rest
from eggcrate.packages.web import check_status, retrying, transient_network
from eggcrate.progress import Silent, human_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import httpx2
    from unearth.link import Link

    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.indexes import Indexes
    from eggcrate.progress import Progress

_CHUNK = 1 << 18
_JOBS = 8
_verified: dict[Path, tuple[int, int, int]] = {}


@dataclass(kw_only=True)
class _Tally:
    """What the status line says; counted by all threads."""

    total: int
    progress: Progress
    done: int = 0
    received: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, done: int = 0, received: int = 0) -> None:
        with self.lock:
            self.done += done
            self.received += received
            line = f"packages {self.done}/{self.total}, {human_size(self.received)} downloaded"
            self.progress.status(line)


def fetch(
    distributions: Iterable[Distribution],
    *,
    cache: Path,
    indexes: Indexes,
    progress: Progress | None = None,
    jobs: int = _JOBS,
) -> dict[Distribution, Path]:
    """Have every distribution on disk, its hash verified.

    Args:
        distributions: files that an index, a link or a URL gives (no folders, no git).
        cache: the user's cache directory.
        indexes: where to look.
        progress: where to report to.
        jobs: how many downloads at once.

    Returns:
        The path of each. It belongs to the cache: read it, never write it.

    Raises:
        PackageIndexError: one or more could not be had; all others have been.
        IntegrityError: a source gave other bytes than the lock asks for.
    """
    wanted = sorted(set(distributions))
    tally = _Tally(total=len(wanted), progress=progress or Silent())
    start = time.monotonic()
    paths: dict[Distribution, Path] = {}
    failures: dict[Distribution, EggcrateError] = {}
    with ThreadPoolExecutor(max_workers=max(1, jobs), thread_name_prefix="fetch") as pool:
        pending = {
            pool.submit(_have, one, cache=cache, indexes=indexes, tally=tally): one
            for one in wanted
        }
        try:
            for future in as_completed(pending):
                try:
                    paths[pending[future]] = future.result()
                except EggcrateError as error:
                    failures[pending[future]] = error
        except BaseException:
            tally.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if failures:
        raise _together(failures, total=len(wanted))
    if tally.received:
        seconds = time.monotonic() - start
        size = human_size(tally.received)
        tally.progress.info(f"downloaded {size} for {len(wanted)} packages in {seconds:.1f} s")
    return {one: paths[one] for one in wanted}


def cached_path(distribution: Distribution, *, cache: Path) -> Path:
    """Where the cache keeps a distribution, whether or not it holds it now."""
    sha256, filename = distribution.sha256, distribution.filename
    if Path(filename).name != filename or not sha256.isalnum():
        raise PackageIndexError(
            f"the lock gives {distribution} a file name or hash that cannot be one",
            why=f"{filename!r}, {sha256!r}",
            hint="lock the environment again",
        )
    return cache / "files" / sha256[:2] / sha256 / filename


def _have(distribution: Distribution, *, cache: Path, indexes: Indexes, tally: _Tally) -> Path:
    path = cached_path(distribution, cache=cache)
    try:
        if not _is_good(path, distribution, tally.progress):
            partial = cache / "partial" / distribution.sha256
            with exclusive(partial.with_name(f"{partial.name}.lock")):
                if not _is_good(path, distribution, tally.progress):
                    _download(distribution, partial, indexes=indexes, tally=tally)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    partial.replace(path)
                    _verified[path] = _state(path)
    except OSError as error:
        raise PackageIndexError(
            f"{distribution} could not be put into the cache {cache}",
            why=error.strerror or str(error),
            hint="free some space there, or set EGGCRATE_CACHE to another folder",
        ) from error
    tally.add(done=1)
    return path


def _is_good(path: Path, distribution: Distribution, progress: Progress) -> bool:
    """Whether the file is there with the right bytes; hashed once in a process."""
    try:
        state = _state(path)
    except FileNotFoundError:
        return False
    if _verified.get(path) == state:
        return True
    if sha256_file(path) == distribution.sha256:
        _verified[path] = state
        return True
    progress.warn(f"{path} was damaged; {distribution} is fetched again")
    path.unlink(missing_ok=True)
    return False


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


def _download(
    distribution: Distribution, partial: Path, *, indexes: Indexes, tally: _Tally
) -> None:
    """Leave the right bytes, flushed, in ``partial``."""
    refused: list[tuple[Link, str]] = []
    for link in indexes.candidates(distribution):
        actual = _download_link(link, distribution, partial, indexes=indexes, tally=tally)
        if actual == distribution.sha256:
            return
        refused.append((link, actual))
    link, actual = refused[-1]
    raise IntegrityError(
        f"{distribution.filename} has not the bytes that the lock asks for",
        why=f"{redacted(link.url)} gave sha256 {actual}, the lock says {distribution.sha256}",
        hint="a proxy or mirror may have altered it: try again; "
        "if you trust the new file, lock the environment again",
    )


def _download_link(
    link: Link, distribution: Distribution, partial: Path, *, indexes: Indexes, tally: _Tally
) -> str:
    """Download into ``partial`` and return the hash of what came; a wrong file is removed."""
    if link.is_file:
        actual = _copy(link.file_path, partial)
    else:
        # A partial file may hold anything after a crash: when the end does not match,
        # the file is fetched once more as a whole.
        resumed = partial.exists()
        actual = _attempts(link, distribution, partial, indexes=indexes, tally=tally)
        if actual != distribution.sha256 and resumed:
            partial.unlink()
            actual = _attempts(link, distribution, partial, indexes=indexes, tally=tally)
    if actual != distribution.sha256:
        partial.unlink()
    return actual


def _attempts(
    link: Link, distribution: Distribution, partial: Path, *, indexes: Indexes, tally: _Tally
) -> str:
    url = link.url_without_fragment
    return retrying(
        lambda: _attempt(url, distribution, partial, indexes=indexes, tally=tally),
        what=distribution.filename,
        url=url,
        retries=indexes.retries,
    )


def _attempt(
    url: str, distribution: Distribution, partial: Path, *, indexes: Indexes, tally: _Tally
) -> str:
    """One request for what ``partial`` still lacks; the hash of the whole."""

    @contextlib.contextmanager
    def ask(headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
        with (
            transient_network(url),
            indexes.client.get_stream(url, headers=dict(headers)) as response,
        ):
            yield response

    def received(size: int) -> None:
        if tally.stop.is_set():
            raise PackageIndexError("the download was interrupted")
        tally.add(received=size)

    return fetch_rest(
        partial,
        distribution.sha256,
        ask=ask,
        check=lambda response: check_status(response, url, distribution.filename),
        received=received,
    )


def _copy(source: Path, partial: Path) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as reader, partial.open("wb") as writer:
        while block := reader.read(_CHUNK):
            writer.write(block)
            digest.update(block)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()


def _together(failures: dict[Distribution, EggcrateError], *, total: int) -> EggcrateError:
    ordered = [failures[one] for one in sorted(failures)]
    if len(ordered) == 1:
        return ordered[0]
    lines = [f"{error.what}: {error.why}" if error.why else error.what for error in ordered]
    hints = dict.fromkeys(error.hint for error in ordered if error.hint)
    return PackageIndexError(
        f"{len(ordered)} of {total} packages could not be fetched",
        why="\n        ".join(lines),
        hint="\n        ".join(hints),
    )
