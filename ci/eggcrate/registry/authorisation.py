"""Answering a registry's challenge: basic log-ins and bearer tokens, kept while they hold.

Specification: https://distribution.github.io/distribution/spec/auth/token/ and
https://distribution.github.io/distribution/spec/auth/oauth/ for identity tokens.
"""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx2

from eggcrate.errors import AccessDeniedError, RegistryError, TlsError
from eggcrate.loopback import is_loopback
from eggcrate.parsing import json_of
from eggcrate.retries import TRANSIENT, TransientError, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from eggcrate.registry.credentials import Credentials

_BEARER = re.compile(r"\bBearer\s+(.*)", re.IGNORECASE | re.DOTALL)
_BASIC = re.compile(r"\bBasic\b", re.IGNORECASE)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_REFUSALS = frozenset({400, 401, 403})
_SHORTEST = 60.0
"""Seconds that the specification lets a token live at least when its life is not told."""
_MARGIN = 0.2
"""The last part of a token's life, in which it is no longer used."""

Scopes = frozenset[str]


class Authorisation:
    """The ``Authorization`` headers for one registry; safe to use from many threads.

    Args:
        host: the registry, for messages.
        client: what token servers are asked with.
        find: looks the credentials up; asked again when those it gave have been refused.
    """

    def __init__(
        self, host: str, client: httpx2.Client, find: Callable[[], Credentials | None]
    ) -> None:
        self._host = host
        self._client = client
        self._find = find
        self._credentials: Credentials | None = None
        self._looked_up = False
        self._basic = ""
        self._realm = ""
        self._service = ""
        self._tokens: dict[Scopes, tuple[str, float]] = {}
        self._locks: dict[Scopes, threading.Lock] = {}
        self._lock = threading.Lock()

    @property
    def user(self) -> str:
        """Whose log-in has been used; empty when nobody's."""
        if not self._credentials:
            return ""
        return self._credentials.user or "the stored identity token"

    def header(self, scopes: Scopes) -> str:
        """What to send, from what the registry is known to ask for; empty when unknown."""
        if not self._realm:
            return self._basic
        with self._lock_of(scopes):
            token, end = self._tokens.get(scopes, ("", 0.0))
            if time.monotonic() < end:
                return token
            return self._renew(scopes, scopes)

    def answer(self, challenge: str, scopes: Scopes, sent: str) -> str:
        """What to send instead of ``sent``, which was met with ``challenge``; empty: nothing.

        Raises:
            AccessDeniedError: the log-in is refused.
            TransientError: the token server is busy.
        """
        bearer = _BEARER.search(challenge)
        if not bearer:
            return self._answer_basic(sent) if _BASIC.search(challenge) else ""
        parameters = dict(_PARAMETER.findall(bearer.group(1)))
        if "realm" not in parameters:
            return ""
        with self._lock_of(scopes):
            self._realm, self._service = parameters["realm"], parameters.get("service", "")
            token, end = self._tokens.get(scopes, ("", 0.0))
            if token != sent and time.monotonic() < end:
                return token
            return self._renew(scopes, scopes | frozenset(parameters.get("scope", "").split()))

    def _answer_basic(self, sent: str) -> str:
        with self._lock:
            if self._basic and self._basic != sent:
                return self._basic
            credentials = self._look_up(again=bool(sent))
            header = credentials.header if credentials else ""
            if sent and header == sent:
                raise self._wrong()
            self._basic = header
            return header

    def _renew(self, scopes: Scopes, wanted: Scopes) -> str:
        with self._lock:
            known = self._looked_up
            credentials = self._look_up()
        value = self._ask(credentials, wanted)
        if value is None and credentials and known:
            # Helpers and Google give log-ins that end; there may be a newer one.
            with self._lock:
                fresh = self._look_up(again=True)
            if fresh and fresh != credentials:
                value = self._ask(fresh, wanted)
        if value is None:
            if credentials:
                raise self._wrong()
            return ""
        token = value.get("token") or value.get("access_token")
        if not isinstance(token, str) or not token:
            raise RegistryError(f"{self._realm} gave no token", why="its answer has none")
        life = value.get("expires_in")
        seconds = float(life) if isinstance(life, int | float) and life > 0 else _SHORTEST
        header = f"Bearer {token}"
        self._tokens[scopes] = (header, time.monotonic() + seconds * (1 - _MARGIN))
        return header

    def _ask(self, credentials: Credentials | None, scopes: Scopes) -> dict[str, Any] | None:
        """The token server's answer; nothing when it refuses the log-in."""
        realm = httpx2.URL(self._realm)
        if realm.scheme != "https" and not is_loopback(realm.host):
            raise TlsError(
                f"registry {self._host} wants its log-in sent in the clear to {self._realm}",
                hint="use a registry with TLS",
            )
        asked = {"service": self._service} if self._service else {}
        try:
            if credentials and credentials.identity_token:
                form = {
                    "grant_type": "refresh_token",
                    "refresh_token": credentials.identity_token,
                    "client_id": "eggcrate",
                    "scope": " ".join(sorted(scopes)),
                    **asked,
                }
                answer = self._client.post(realm, data=form)
            else:
                headers = {"authorization": credentials.header} if credentials else {}
                answer = self._client.get(
                    realm.copy_merge_params({**asked, "scope": sorted(scopes)}),
                    headers=headers,
                    follow_redirects=True,
                )
        except httpx2.TransportError as error:
            raise TransientError(
                f"its token server {realm.host} cannot be reached: {error or type(error).__name__}"
            ) from error
        return self._read(answer)

    def _read(self, answer: httpx2.Response) -> dict[str, Any] | None:
        if answer.status_code in TRANSIENT:
            raise TransientError(
                f"its token server answered {answer.status_code}",
                retry_after=retry_after(answer.headers.get("retry-after", "")),
            )
        if answer.status_code in _REFUSALS:
            return None
        try:
            value = json_of(answer.content)
        except ValueError:
            value = None
        if not answer.is_success or not isinstance(value, dict):
            raise RegistryError(
                f"{self._realm} gave no token", why=f"it answered {answer.status_code}"
            )
        return value

    def _look_up(self, *, again: bool = False) -> Credentials | None:
        if again or not self._looked_up:
            self._credentials = self._find()
            self._looked_up = True
        return self._credentials

    def _wrong(self) -> AccessDeniedError:
        return AccessDeniedError(
            f"registry {self._host} does not accept the log-in of {self.user}",
            why="the password or token is wrong, or has ended",
            hint=f"log in again, for example with `docker login {self._host}`",
        )

    def _lock_of(self, scopes: Scopes) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(scopes, threading.Lock())
