"""Who we are to a registry: Docker's stored log-ins and helpers, and Google's own.

Specification: https://docs.docker.com/reference/cli/docker/login/#credential-stores and
https://github.com/docker/docker-credential-helpers.
"""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eggcrate.errors import ConfigError
from eggcrate.parsing import json_of
from eggcrate.process import ProcessError, run
from eggcrate.registry import google
from eggcrate.registry.address import is_google

_HELPER_NAME = re.compile(r"[A-Za-z0-9._-]+")
_HELPER_TIMEOUT = 60
_TOKEN_USER = "<token>"  # noqa: S105 - the name that helpers give identity tokens
_NOT_FOUND = "credentials not found"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A user and a password, or an identity token that stands for both."""

    user: str
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def header(self) -> str:
        """The value of a basic ``Authorization`` header."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"


def find_credentials(host: str, docker_config: Path | None = None) -> Credentials | None:
    """The log-in for a registry: Docker's for this host, else Google's on a Google host.

    Args:
        host: the registry's host, with its port where it has one.
        docker_config: Docker's ``config.json``; by default where Docker looks for it.

    Raises:
        ConfigError: the file cannot be read, or a helper it names fails.
        AccessDeniedError: Google's log-in has ended.
    """
    found = credentials_for(host, docker_config)
    if found or not is_google(host):
        return found
    token = google.access_token()
    return Credentials(user=google.USER, password=token) if token else None


def credentials_for(host: str, docker_config: Path | None = None) -> Credentials | None:
    """The log-in that ``docker login`` or a credential helper keeps for a registry.

    Args:
        host: the registry's host, with its port where it has one.
        docker_config: Docker's ``config.json``; by default in ``$DOCKER_CONFIG`` or
            ``~/.docker``.

    Raises:
        ConfigError: the file cannot be read, or a helper it names fails.
    """
    path = docker_config or _default_config()
    try:
        config = json_of(path.read_bytes())
        entries = {_host_of(name): entry or {} for name, entry in _of(config, "auths").items()}
        helpers = {_host_of(name): value for name, value in _of(config, "credHelpers").items()}
        stored = _stored(entries.get(host, {}))
        helper = helpers.get(host) or config.get("credsStore") or ""
    except FileNotFoundError:
        return None
    except (AttributeError, OSError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read", why=str(error), hint="log in again with `docker login`"
        ) from error
    return (_ask(helper, host, path) if helper else None) or stored


def _of(config: dict[str, Any], section: str) -> dict[str, Any]:
    return config.get(section) or {}


def _stored(entry: dict[str, Any]) -> Credentials | None:
    user, _, password = base64.b64decode(entry.get("auth") or "").decode().partition(":")
    user = user or entry.get("username") or ""
    password = password.rstrip("\0") or entry.get("password") or ""
    identity = entry.get("identitytoken") or ""
    if not identity and not (user and password):
        return None
    return Credentials(user=user, password=password, identity_token=identity)


def _ask(helper: str, host: str, path: Path) -> Credentials | None:
    """What a credential helper knows of the host."""
    if not _HELPER_NAME.fullmatch(helper):
        raise ConfigError(f"{path} names a credential helper {helper!r}, which cannot be one")
    program = f"docker-credential-{helper}"
    hint = f"install {program}, or take it out of {path} and log in with `docker login {host}`"
    try:
        done = run([program, "get"], stdin=host.encode(), timeout=_HELPER_TIMEOUT, check=False)
    except ProcessError as error:
        raise ConfigError(
            f"the credential helper of registry {host} fails", why=error.what, hint=hint
        ) from error
    if done.returncode != 0:
        # A helper says what is wrong on standard output; it has printed no secret then.
        said = done.text.strip() or done.stderr.decode("utf-8", "replace").strip()
        if _NOT_FOUND in said.lower():
            return None
        raise ConfigError(
            f"the credential helper of registry {host} fails",
            why=f"{program}: {said or f'exit code {done.returncode}'}",
            hint=f"log in again, or look at {path}",
        )
    try:
        answer = json_of(done.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (KeyError, TypeError, ValueError):
        raise ConfigError(
            f"the credential helper of registry {host} fails",
            why=f"{program} printed no user and secret",
            hint=hint,
        ) from None
    if user == _TOKEN_USER:
        return Credentials(user="", identity_token=secret)
    return Credentials(user=user, password=secret) if secret else None


def _default_config() -> Path:
    folder = os.environ.get("DOCKER_CONFIG")
    return Path(folder, "config.json") if folder else Path.home() / ".docker" / "config.json"


def _host_of(name: str) -> str:
    return name.removeprefix("https://").removeprefix("http://").partition("/")[0]
