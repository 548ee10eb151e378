"""Reading from Debian mirrors: patient with them, and never trusting what they send."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import httpx2

from eggcrate.errors import EggcrateError, IntegrityError, PackageIndexError
from eggcrate.files import exclusive, sha256_file
from eggcrate.packages.resumed import fetch_rest
from eggcrate.retries import TRANSIENT, Retries, TransientError, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_T = TypeVar("_T")
RETRIES = Retries(attempts=5)
_CHUNK = 1 << 16
_GONE = frozenset({403, 404, 410})
_TIMEOUT = httpx2.Timeout(60, connect=15)


class GoneError(PackageIndexError):
    """No mirror has the file."""


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
    def attempt() -> str:
        return fetch_rest(
            partial,
            sha256,
            ask=lambda headers: http.stream("GET", url, headers=headers),
            check=_check,
            size=size,
        )

    # What an earlier run left may be anything: then the file is fetched once more as a whole.
    for _ in range(2 if partial.exists() else 1):
        if _patiently(attempt, url) == sha256:
            return
        partial.unlink()
    raise IntegrityError(
        f"{url} is not the file that the signed index names",
        why=f"its SHA-256 is not {sha256}",
        hint="the mirror may be in the middle of an update: try again, or use another mirror",
    )


def _check(response: httpx2.Response) -> None:
    status = response.status_code
    if status in TRANSIENT:
        pause = retry_after(response.headers.get("Retry-After", ""))
        raise TransientError(f"HTTP status {status}", retry_after=pause)
    if status in _GONE:
        raise GoneError(f"{response.request.url} is not there", why=f"HTTP status {status}")
    if not response.is_success:
        raise PackageIndexError(
            f"{response.request.url} cannot be read", why=f"HTTP status {status}"
        )


def _patiently(attempt: Callable[[], _T], url: str) -> _T:
    """Try several times, waiting longer each time, or as long as the mirror asks."""
    failures = 0
    while True:
        pause = None
        try:
            return attempt()
        except TransientError as error:
            problem, pause = error.reason, error.retry_after
        except httpx2.RequestError as error:
            problem = str(error) or type(error).__name__
        except httpx2.InvalidURL as error:
            raise PackageIndexError(f"{url} is not an address", why=str(error)) from error
        failures += 1
        if failures >= RETRIES.attempts:
            raise PackageIndexError(
                f"{url} could not be read in {failures} tries",
                why=problem,
                hint="check the network, the proxy and the certificates (SSL_CERT_FILE), and try "
                "again",
            )
        RETRIES.sleep(RETRIES.delay(failures - 1, pause))
