"""What clients of Google's APIs (the extra ``cloud``) have in common."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from eggcrate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence


def load(api: str, *names: str) -> list[Any]:
    """Modules that only the extra ``cloud`` brings.

    Args:
        api: which they are the client of, for messages.
        names: of the modules.

    Raises:
        ConfigError: the extra is not installed.
    """
    try:
        return [importlib.import_module(name) for name in names]
    except ImportError as error:
        raise ConfigError(
            f"the client of {api} is not installed",
            why=str(error),
            hint="make setup-all, or pip install 'eggcrate[cloud]'",
        ) from error


def opened(client: Any, api: str, endpoint: str, scopes: Sequence[str]) -> Any:
    """A client that speaks REST.

    Args:
        client: its class.
        api: for messages.
        endpoint: where the API is, as a URL; empty for Google's own.
        scopes: what a log-in must be good for.

    Raises:
        ConfigError: there is no log-in.
    """
    return client(
        credentials=credentials(api, endpoint, scopes),
        transport="rest",
        client_options={"api_endpoint": endpoint} if endpoint else None,
    )


def credentials(api: str, endpoint: str, scopes: Sequence[str]) -> Any:
    """Who asks: over plain HTTP, which only this machine may be, nobody in particular.

    Args:
        api: for messages.
        endpoint: where the API is, as a URL; empty for Google's own.
        scopes: what a log-in must be good for.

    Raises:
        ConfigError: there is no log-in.
    """
    if endpoint.startswith("http://"):
        return load(api, "google.auth.credentials")[0].AnonymousCredentials()
    auth, problems = load(api, "google.auth", "google.auth.exceptions")
    try:
        found, _ = auth.default(scopes=scopes)
    except problems.DefaultCredentialsError as error:
        raise ConfigError(
            f"there is no log-in for {api}",
            why=str(error).splitlines()[0],
            hint="gcloud auth application-default login",
        ) from error
    return found
