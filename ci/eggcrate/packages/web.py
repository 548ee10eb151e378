"""HTTP as package indexes speak it: pip's certificates and credentials, and retries."""

from __future__ import annotations

import contextlib
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import httpx2
from unearth.auth import MultiDomainBasicAuth
from unearth.fetchers.sync import PyPIClient

from eggcrate.errors import ConfigError, EggcrateError, PackageIndexError
from eggcrate.packages.pip_config import redacted
from eggcrate.retries import TRANSIENT, Retries, TransientError, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eggcrate.packages.pip_config import PipConfig

__all__ = [
    "Retries",
    "TransientError",
    "check_status",
    "denied",
    "open_client",
    "retrying",
    "transient_network",
]

_Result = TypeVar("_Result")


def open_client(config: PipConfig) -> PyPIClient:
    """An HTTP client with pip's certificates, proxy, trusted hosts and credentials."""
    auth = MultiDomainBasicAuth(
        prompting=False, index_urls=[*config.index_urls, *config.find_links]
    )
    return PyPIClient(
        trusted_hosts=config.trusted_hosts,
        verify=_certificates(config),
        timeout=httpx2.Timeout(config.timeout),
        follow_redirects=True,
        proxy=config.proxy or None,
        auth=auth,
        limits=httpx2.Limits(max_connections=64, max_keepalive_connections=32),
    )


def retrying(
    action: Callable[[], _Result], *, what: str, url: str, retries: Retries, hint: str = ""
) -> _Result:
    """Call ``action`` until it raises no :class:`TransientError`.

    Raises:
        PackageIndexError: every attempt failed.
    """
    attempt = 0
    while True:
        try:
            return action()
        except TransientError as error:
            attempt += 1
            if attempt >= retries.attempts:
                tried = f"tried {attempt} times" if attempt > 1 else "tried once"
                raise PackageIndexError(
                    f"{what} could not be fetched from {redacted(url)}",
                    why=f"{error.reason} ({tried})",
                    hint=hint or "check the network and `pip config list`, then run it again",
                ) from error
            retries.sleep(retries.delay(attempt - 1, error.retry_after))


@contextlib.contextmanager
def transient_network(url: str) -> Iterator[None]:
    """Turn what the network does into :class:`TransientError`, what cannot heal into ours."""
    try:
        yield
    except httpx2.ConnectError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise PackageIndexError(
                f"the certificate of {redacted(url)} is not trusted",
                why=str(error),
                hint="`pip config set global.cert FILE` names the certificates to trust",
            ) from error
        raise TransientError(f"no connection: {error}") from error
    except httpx2.TimeoutException as error:
        raise TransientError(f"no answer in time ({type(error).__name__})") from error
    except httpx2.TransportError as error:
        raise TransientError(f"the connection broke: {error}") from error


def check_status(response: httpx2.Response, url: str, what: str) -> None:
    """Raise for every status that is not a success.

    Raises:
        TransientError: for 429, 5xx and the like.
        PackageIndexError: for everything that another attempt would not change.
    """
    status = response.status_code
    if status in TRANSIENT:
        raise TransientError(
            f"it answered {status} {response.reason_phrase}",
            retry_after=retry_after(response.headers.get("Retry-After", "")),
        )
    if status in (401, 403, 407):
        raise denied(what, url, status)
    if status >= 300:  # noqa: PLR2004 - RFC 9110: 2xx are the successes
        raise PackageIndexError(
            f"{what} could not be fetched from {redacted(url)}",
            why=f"it answered {status} {response.reason_phrase}",
            hint="look at the index in a browser, and at `pip config list`",
        )


def denied(what: str, url: str, status: int) -> EggcrateError:
    """The error for credentials that are missing or wrong."""
    return PackageIndexError(
        f"{redacted(url)} does not let us read {what}",
        why=f"it answered {status}: credentials are missing, wrong or not enough",
        hint="put them into pip's index-url, ~/.netrc or the keyring; "
        "`pip download` must be able to read it",
    )


def _certificates(config: PipConfig) -> ssl.SSLContext | bool:
    place = config.cert or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if not place and not config.client_cert:
        return True
    try:
        if not place:
            context = ssl.create_default_context()
        elif Path(place).is_dir():
            context = ssl.create_default_context(capath=place)
        else:
            context = ssl.create_default_context(cafile=place)
        if config.client_cert:
            context.load_cert_chain(config.client_cert)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            "pip's certificates cannot be read",
            why=f"{place or config.client_cert}: {error}",
            hint="look at cert and client-cert in `pip config list`",
        ) from error
    return context
