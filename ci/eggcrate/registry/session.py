"""The one place that speaks HTTP with registries: log-in, patience, and clear errors.

Specification: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin

import httpx2

from eggcrate.errors import RegistryError, RegistryUnreachableError, TlsError
from eggcrate.loopback import is_loopback
from eggcrate.registry.address import is_this_machine
from eggcrate.registry.answers import read_small
from eggcrate.registry.authorisation import Authorisation
from eggcrate.registry.credentials import find_credentials
from eggcrate.registry.refusals import Wanted, denied, explain, may_heal, not_a_registry
from eggcrate.retries import Retries, TransientError, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Self

    from eggcrate.registry.address import Address

_T = TypeVar("_T")
_UNAUTHORISED = 401
_CHALLENGES = 3
_READS = frozenset({"GET", "HEAD"})
# A registry may check or copy a whole blob before it answers the request that ends an upload.
_TIMEOUT = httpx2.Timeout(120, connect=15, pool=None)
_TIMEOUT_WRITE = httpx2.Timeout(120, connect=15, read=600, pool=None)
_NOT_FOUND = 404
_NOBODY_THERE = 3
"""Attempts to reach a server that has never answered: it is not one that is just restarted."""
_TOLD_EACH = 10.0
"""Seconds between two words of what is waited for."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request."""

    method: str
    path: str
    """From ``/v2/`` on, or the ``Location`` that an upload was given."""
    repository: str = ""
    what: str = ""
    """What it is about, for messages: ``manifest stable``."""
    actions: tuple[str, ...] = ("pull",)
    mount_from: str = ""
    """Another repository that must be readable too."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], Iterable[bytes]] | bytes = b""
    """Asked for again on each attempt when it is a function."""
    length: int = 0
    """Bytes of a body that is a function."""

    @property
    def scopes(self) -> frozenset[str]:
        """What a bearer token must allow."""
        if not self.repository:
            return frozenset()
        wanted = {f"repository:{self.repository}:{','.join(self.actions)}"}
        if self.mount_from:
            wanted.add(f"repository:{self.mount_from}:pull")
        return frozenset(wanted)


class Session:
    """Requests to one registry, from any number of threads.

    Args:
        address: the registry.
        docker_config: Docker's ``config.json``; by default where Docker looks for it.
        retries: how patient to be.
        tell: given a line when it is waited for another attempt.
    """

    def __init__(
        self,
        address: Address,
        *,
        docker_config: Path | None = None,
        retries: Retries | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.address = address
        self.retries = retries or Retries()
        self._tell = tell
        self._told = -_TOLD_EACH
        self._telling = threading.Lock()
        self.date = ""
        """What the server last said the time is (RFC 9110)."""
        self.proven = False
        """Whether the server has answered as a registry does."""
        self._closed = threading.Event()
        self._client = httpx2.Client(
            timeout=_TIMEOUT,
            verify=ssl.create_default_context(),
            # Whatever proxy there is, it cannot reach this machine's own loopback.
            trust_env=not is_loopback(address.host),
            limits=httpx2.Limits(max_connections=64, max_keepalive_connections=32),
            event_hooks={"request": [self._only_tls]},
        )
        self._authorisation = Authorisation(
            address.host, self._client, lambda: find_credentials(address.host, docker_config)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every connection; requests under way in other threads fail."""
        self._closed.set()
        self._client.close()

    def send(self, call: Call, *expected: int, patient: bool = True) -> httpx2.Response:
        """Send a request and read the whole answer.

        Args:
            call: the request.
            expected: the statuses to return; others raise.
            patient: try again what may go better next time; otherwise it raises
                :class:`TransientError`.

        Raises:
            RegistryError: with what the registry's refusal means.
        """

        def attempt() -> httpx2.Response:
            response = self._open(call, expected)
            try:
                with self.network(call):
                    return read_small(response)
            finally:
                response.close()

        return self.patiently(call, attempt) if patient else attempt()

    @contextlib.contextmanager
    def stream(self, call: Call, *expected: int) -> Iterator[httpx2.Response]:
        """Send a request whose answer is read by the caller, in :meth:`network`."""
        response = self._open(call, expected)
        try:
            yield response
        finally:
            response.close()

    def patiently(self, call: Call, action: Callable[[], _T]) -> _T:
        """Repeat ``action`` while it raises :class:`TransientError`, as often as allowed.

        Raises:
            RegistryUnreachableError: it never stopped.
        """
        failures = 0
        while True:
            try:
                return action()
            except TransientError as error:
                failures += 1
                self.pause(call, error, failures)

    def pause(self, call: Call, error: TransientError, failures: int) -> None:
        """Wait after failure number ``failures``, or raise when it was the last one allowed."""
        allowed = self.retries.attempts
        if isinstance(error, _NobodyError) and not self.proven:
            allowed = min(allowed, _NOBODY_THERE)
        if failures >= allowed or self._closed.is_set():
            raise self.given_up(call, error, failures) from error
        delay = self.retries.delay(failures - 1, error.retry_after)
        self._tell_of(error, delay)
        self.retries.sleep(delay)

    def _tell_of(self, error: TransientError, delay: float) -> None:
        """Say why nothing seems to happen: once for all threads, and not each time."""
        with self._telling:
            now = time.monotonic()
            if self._tell and now - self._told >= _TOLD_EACH:
                self._told = now
                host = self.address.host
                self._tell(f"registry {host}: {error.reason}; trying again in {delay:.1f} s")

    def given_up(self, call: Call, error: TransientError, failures: int) -> RegistryError:
        """The error after the last attempt."""
        cause = error.__cause__
        if isinstance(cause, RegistryError):
            cause.why = f"{cause.why} (tried {failures} times)"
            return cause
        tried = f"tried {failures} times" if failures > 1 else "tried once"
        return RegistryUnreachableError(
            f"registry {self.address.host} cannot be reached",
            why=f"{error.reason} ({tried}; wanted: {call.what or call.path})",
            hint="check the address and the network, then run it again",
        )

    def prove(self) -> None:
        """Make sure that the server is a registry, with at most one request in all.

        Raises:
            NotARegistryError: it is something else.
        """
        if not self.proven:
            answer = self.send(Call(method="GET", path="/v2/", what="its interface"), 200, 404)
            if answer.status_code == _NOT_FOUND and not self.proven:
                raise not_a_registry(self.address.host, "it answered 404 to /v2/")
            self.proven = True

    @contextlib.contextmanager
    def network(self, call: Call) -> Iterator[None]:
        """Turn what the network does into :class:`TransientError`, what cannot heal into ours."""
        host = self.address.host
        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise _no_connection(host, error) from error
        except httpx2.TimeoutException as error:
            raise TransientError(f"no answer in time ({type(error).__name__})") from error
        except httpx2.UnsupportedProtocol as error:
            raise not_a_registry(host, f"{call.path}: {error}") from error
        except httpx2.TransportError as error:
            reason = str(error) or type(error).__name__
            raise TransientError(f"the connection broke: {reason}") from error
        except (httpx2.InvalidURL, httpx2.TooManyRedirects, httpx2.DecodingError) as error:
            raise not_a_registry(host, str(error)) from error
        except RuntimeError as error:
            if not self._closed.is_set():
                raise
            raise RegistryError(f"the work with registry {host} was broken off") from error

    def _only_tls(self, request: httpx2.Request) -> None:
        """Called before each request, those that a redirect leads to included."""
        url = request.url
        if url.scheme == "http" and not is_this_machine(url.host):
            raise TlsError(f"registry {self.address.host} sends us to {url}, which has no TLS")

    def _open(self, call: Call, expected: tuple[int, ...]) -> httpx2.Response:
        """The answer with its body unread; a challenge is answered, a refusal raised."""
        url = urljoin(self.address.origin, call.path)
        ours = url.startswith(f"{self.address.origin}/")
        header = self._authorisation.header(call.scopes) if ours else ""
        for _ in range(_CHALLENGES):
            response = self._raw(call, url, header)
            if response.status_code in expected or response.status_code != _UNAUTHORISED:
                break
            challenge = response.headers.get("www-authenticate", "")
            self.proven = self.proven or bool(challenge)
            answer = self._authorisation.answer(challenge, call.scopes, header) if ours else ""
            if not answer or answer == header:
                break
            header = answer
        self.proven = self.proven or "docker-distribution-api-version" in response.headers
        if response.status_code not in expected:
            self._refuse(call, response)
        return response

    def _raw(self, call: Call, url: str, header: str) -> httpx2.Response:
        # Blobs must come as the bytes that their digest names.
        headers = {"accept-encoding": "identity", "user-agent": "eggcrate", **call.headers}
        if header:
            headers["authorization"] = header
        body = call.body
        if callable(body):
            headers["content-length"] = str(call.length)
        reads = call.method in _READS
        with self.network(call):
            request = self._client.build_request(
                call.method,
                url,
                headers=headers,
                content=None if reads else (body() if callable(body) else body),
                timeout=_TIMEOUT if reads else _TIMEOUT_WRITE,
            )
            response = self._client.send(request, stream=True, follow_redirects=reads)
            self.date = response.headers.get("date", self.date)
            if response.is_error:
                try:
                    return read_small(response)
                finally:
                    response.close()
            return response

    def _refuse(self, call: Call, response: httpx2.Response) -> None:
        response.close()
        wanted = Wanted(
            host=self.address.host,
            repository=call.repository,
            what=call.what,
            write=call.actions != ("pull",),
            user=self._authorisation.user,
        )
        status, body = response.status_code, _content(response)
        if status == _UNAUTHORISED and not self.proven:
            raise not_a_registry(self.address.host, "it answered 401 without a challenge")
        error = (
            denied(wanted, f"it answered {status}")
            if status == _UNAUTHORISED
            else explain(wanted, status, body, response.headers)
        )
        if may_heal(status, body):
            pause = retry_after(response.headers.get("retry-after", ""))
            raise TransientError(f"it answered {status}", retry_after=pause) from error
        raise error


class _NobodyError(TransientError):
    """No connection: nobody is there, or not now."""


def _no_connection(host: str, error: httpx2.TransportError) -> TlsError | _NobodyError:
    told = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in told:
        return TlsError(
            f"the certificate of registry {host} is not trusted",
            why=told,
            hint="SSL_CERT_FILE names a file with the certificates to trust",
        )
    if "WRONG_VERSION_NUMBER" in told or "RECORD_LAYER_FAILURE" in told:
        return TlsError(
            f"registry {host} does not speak TLS",
            why="plain HTTP is for this machine alone",
            hint="give the registry a certificate, or check its port",
        )
    return _NobodyError(f"no connection: {told or 'nobody answers'}")


def _content(response: httpx2.Response) -> bytes:
    try:
        return response.content
    except httpx2.ResponseNotRead:
        return b""
