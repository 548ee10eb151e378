"""Being let in by a registry: nobody, basic and bearer, with Docker's own stored log-ins.

Specification: https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from eggcrate.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_UNAUTHORISED = 401


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A user and a password, or what stands for one."""

    user: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of a basic ``Authorization`` header."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"


@dataclass(kw_only=True)
class Session:
    """Requests to one registry; whatever it asks for to be let in is answered once."""

    client: httpx2.Client
    credentials: Credentials | None = None
    _authorisation: str = field(default="", repr=False)

    @contextlib.contextmanager
    def stream(self, url: str, accept: str) -> Iterator[httpx2.Response]:
        """A GET whose body is not yet read; a challenge is answered and the GET repeated.

        Raises:
            httpx2.HTTPError: the registry cannot be reached.
        """
        with self.client.stream("GET", url, headers=self._headers(accept)) as response:
            if response.status_code != _UNAUTHORISED:
                yield response
                return
            challenge = response.headers.get("www-authenticate", "")
        self._authorisation = self._answer(challenge)
        with self.client.stream("GET", url, headers=self._headers(accept)) as response:
            yield response

    def _headers(self, accept: str) -> dict[str, str]:
        # Blobs must come as the bytes that their digest names.
        headers = {"accept": accept, "accept-encoding": "identity"}
        if self._authorisation:
            headers["authorization"] = self._authorisation
        return headers

    def _answer(self, challenge: str) -> str:
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return self.credentials.header if self.credentials else ""
        parameters = dict(_PARAMETER.findall(rest))
        realm = parameters.pop("realm", "")
        if scheme.lower() != "bearer" or not realm:
            return ""
        if not realm.startswith("https:") and self.credentials and not _on_loopback(realm):
            raise StoreError(
                f"the registry wants the password sent in the clear to {realm}",
                hint="use a registry with TLS",
            )
        asked = {name: parameters[name] for name in ("service", "scope") if name in parameters}
        headers = {"authorization": self.credentials.header} if self.credentials else {}
        response = self.client.get(realm, params=asked, headers=headers)
        if response.status_code != httpx2.codes.OK:
            return ""
        try:
            value = response.json()
            token = value.get("token") or value["access_token"]
        except (AttributeError, KeyError, ValueError) as error:
            raise StoreError(f"{realm} gave no token", why=repr(error)) from error
        return f"Bearer {token}"


def credentials_for(host: str, docker_config: Path | None = None) -> Credentials | None:
    """The stored log-in for a registry, as ``docker login`` writes it.

    Credential helpers are not asked.

    Args:
        host: the registry's host, with its port where it has one.
        docker_config: Docker's ``config.json``; by default in ``$DOCKER_CONFIG`` or
            ``~/.docker``.

    Raises:
        ConfigError: the file cannot be read.
    """
    path = docker_config or _default_config()
    try:
        stored = json.loads(path.read_bytes()).get("auths") or {}
        for name, entry in stored.items():
            if _host_of(name) != host or not entry.get("auth"):
                continue
            user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
            return Credentials(user=user, password=password.rstrip("\0"))
    except FileNotFoundError:
        return None
    except (AttributeError, OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read", why=str(error), hint="log in again with `docker login`"
        ) from error
    return None


def _default_config() -> Path:
    folder = os.environ.get("DOCKER_CONFIG")
    return Path(folder, "config.json") if folder else Path.home() / ".docker" / "config.json"


def _host_of(name: str) -> str:
    return name.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _on_loopback(url: str) -> bool:
    return httpx2.URL(url).host in ("localhost", "127.0.0.1", "::1")
