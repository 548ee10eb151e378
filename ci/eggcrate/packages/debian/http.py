"""Reading from Debian mirrors: patient with them, and never trusting what they send."""

from __future__ import annotations

import random
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

import httpx2

from eggcrate.errors import EggcrateError, IntegrityError, PackageIndexError
from eggcrate.files import exclusive, sha256_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_T = TypeVar("_T")
_ATTEMPTS = 5
_PAUSE = 0.5
_CHUNK = 1 << 16
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_GONE = frozenset({403, 404, 410})
_TIMEOUT = httpx2.Timeout(60, connect=15)


class GoneError(PackageIndexError):
    """No mirror has the file."""


class _BusyError(Exception):
    """A mirror that may answer when asked again."""


def client() -> httpx2.Client:
    """A client that follows proxies and certificates of the environment."""
    return httpx2.Client(follow_redirects=True, timeout=_TIMEOUT)


def get_bytes(http: httpx2.Client, url: str, *, limit: int) -> bytes:
    """A small file, at most ``limit`` bytes, that is checked by other means than a hash.

    Raises:
        GoneError: the mirror does not have it.
        PackageIndexError: the mirror does not answer, or with something else.
    """

    def attempt() -> bytes:
        with http.stream("GET", url, headers={"Cache-Control": "no-cache"}) as response:
            _check(response)
            content = b""
            for chunk in response.iter_bytes(_CHUNK):
                content += chunk
                if len(content) > limit:
                    raise PackageIndexError(f"{url} is larger than the {limit} bytes expected")
            return content

    return _patiently(attempt, url)


def fetch_file(
    http: httpx2.Client, urls: Sequence[str], target: Path, *, sha256: str, size: int
) -> None:
    """Make ``target`` hold the file with this hash, from the first address that has it.

    What an earlier try left is continued. A file already there is checked again, and fetched
    anew when it is damaged.

    Raises:
        GoneError: none of the addresses has it.
        PackageIndexError: a mirror does not answer.
        IntegrityError: the bytes sent are others.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if _holds(target, sha256, size):
        return
    partial = target.with_name(f".{target.name}.partial")
    with exclusive(target.with_name(f".{target.name}.lock")):
        if _holds(target, sha256, size):
            return
        problems: list[EggcrateError] = []
        for url in urls:
            try:
                _fetch(http, url, partial, sha256=sha256, size=size)
            except (PackageIndexError, IntegrityError) as error:
                problems.append(error)
                continue
            partial.replace(target)
            return
    grave = (problem for problem in problems if not isinstance(problem, GoneError))
    raise next(grave, problems[-1])


def _holds(path: Path, sha256: str, size: int) -> bool:
    try:
        return path.stat().st_size == size and sha256_file(path) == sha256
    except FileNotFoundError:
        return False


def _fetch(http: httpx2.Client, url: str, partial: Path, *, sha256: str, size: int) -> None:
    for fresh in (False, True):
        if fresh or (partial.exists() and partial.stat().st_size > size):
            partial.unlink(missing_ok=True)
        resumed = partial.exists() and partial.stat().st_size > 0
        _patiently(lambda: _append(http, url, partial, size), url)
        if partial.stat().st_size == size and sha256_file(partial) == sha256:
            return
        if not resumed:
            break
    partial.unlink(missing_ok=True)
    raise IntegrityError(
        f"{url} is not the file that the signed index names",
        why=f"its SHA-256 is not {sha256}",
        hint="the mirror may be in the middle of an update: try again, or use another mirror",
    )


def _append(http: httpx2.Client, url: str, partial: Path, size: int) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    if have == size:
        return
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with http.stream("GET", url, headers=headers) as response:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            partial.unlink(missing_ok=True)
            raise _BusyError(f"{url} cannot be continued")
        _check(response)
        whole = response.status_code != HTTPStatus.PARTIAL_CONTENT
        with partial.open("wb" if whole else "ab") as file:
            for chunk in response.iter_raw(_CHUNK):
                file.write(chunk)
                if file.tell() > size:
                    return
    if partial.stat().st_size < size:
        raise _BusyError("the connection ended early")


def _check(response: httpx2.Response) -> None:
    status = response.status_code
    if status in _RETRIED:
        raise _BusyError(f"HTTP status {status}")
    if status in _GONE:
        raise GoneError(f"{response.request.url} is not there", why=f"HTTP status {status}")
    if not response.is_success:
        raise PackageIndexError(
            f"{response.request.url} cannot be read", why=f"HTTP status {status}"
        )


def _patiently(attempt: Callable[[], _T], url: str) -> _T:
    """Try several times, waiting longer each time."""
    problem = ""
    for count in range(_ATTEMPTS):
        if count:
            time.sleep(_PAUSE * 2 ** (count - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        try:
            return attempt()
        except (_BusyError, httpx2.RequestError) as error:
            problem = str(error) or type(error).__name__
        except httpx2.InvalidURL as error:
            raise PackageIndexError(f"{url} is not an address", why=str(error)) from error
    raise PackageIndexError(
        f"{url} could not be read in {_ATTEMPTS} tries",
        why=problem,
        hint="check the network, the proxy and the certificates (SSL_CERT_FILE), and try again",
    )
