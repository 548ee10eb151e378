"""Google's own credentials for Artifact Registry: google-auth where installed, else gcloud.

Specification: https://cloud.google.com/artifact-registry/docs/docker/authentication#token.
"""

from __future__ import annotations

import importlib
import shutil
from typing import TYPE_CHECKING, Any

import httpx2

from eggcrate.errors import AccessDeniedError
from eggcrate.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Mapping

USER = "oauth2accesstoken"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_GCLOUD_TIMEOUT = 60


def access_token() -> str:
    """A short-lived token of the user or service account; empty when there is none.

    Raises:
        AccessDeniedError: there is a log-in, and it has ended or is refused.
    """
    return _from_library() or _from_gcloud()


def _from_library() -> str:
    try:
        auth = importlib.import_module("google.auth")
        problems = importlib.import_module("google.auth.exceptions")
    except ImportError:
        return ""
    try:
        credentials, _ = auth.default(scopes=[_SCOPE])
    except problems.DefaultCredentialsError:
        return ""
    try:
        with httpx2.Client(timeout=30) as client:
            credentials.refresh(_Request(client, problems.TransportError))
    except problems.GoogleAuthError as error:
        raise AccessDeniedError(
            "Google's credentials give no access token",
            why=str(error.args[0] if error.args else error),
            hint="log in again with `gcloud auth application-default login`",
        ) from error
    return str(credentials.token or "")


def _from_gcloud() -> str:
    program = shutil.which("gcloud")
    if not program:
        return ""
    try:
        done = run([program, "auth", "print-access-token", "--quiet"], timeout=_GCLOUD_TIMEOUT)
    except ProcessError as error:
        raise AccessDeniedError(
            "`gcloud auth print-access-token` gives no access token",
            why=error.why or error.what,
            hint="log in with `gcloud auth login`",
        ) from error
    return done.text.strip()


class _Request:
    """What google-auth sends requests with; its own kinds need another HTTP library."""

    def __init__(self, client: httpx2.Client, failure: type[Exception]) -> None:
        self._client = client
        self._failure = failure

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = 30,
        **_: Any,
    ) -> _Response:
        try:
            answer = self._client.request(
                method, url, content=body, headers=headers, timeout=timeout
            )
        except httpx2.HTTPError as error:
            raise self._failure(str(error) or type(error).__name__) from error
        return _Response(answer)


class _Response:
    """The three attributes that google-auth reads."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.status = answer.status_code
        self.headers = answer.headers
        self.data = answer.content
