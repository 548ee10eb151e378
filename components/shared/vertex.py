"""Vertex AI's official clients: where they ask, as whom, and what their refusals mean in words."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.shared.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = ("127.0.0.1", "localhost")
ENDPOINT = "VERTEX_AI_ENDPOINT"
"""Variable that is the API's host where a step gives none."""


def connect(kind: str, *, location: str, endpoint: str) -> Any:
    """Give a client of ``google.cloud.aiplatform_v1``.

    Args:
        kind: its class, such as ``ModelServiceClient``.
        location: the region.
        endpoint: the API's host where it is not the region's own; an ``http://`` address on
            loopback, of a fake, is asked over REST and without credentials.

    Raises:
        ComponentError: there are no credentials, or the endpoint is none.
    """
    from google.auth import credentials, exceptions  # noqa: PLC0415 - for one backend alone
    from google.cloud import aiplatform_v1  # noqa: PLC0415 - as above

    service = getattr(aiplatform_v1, kind)
    endpoint = endpoint or os.environ.get(ENDPOINT, "")
    if endpoint.startswith("http://"):
        if urlsplit(endpoint).hostname not in LOOPBACK:
            raise ComponentError(f"the endpoint {endpoint} is not encrypted; leave http:// out")
        return service(
            credentials=credentials.AnonymousCredentials(),
            transport="rest",
            client_options={"api_endpoint": endpoint},
        )
    host = endpoint or f"{location}-aiplatform.googleapis.com"
    try:
        return service(client_options={"api_endpoint": host})
    except exceptions.DefaultCredentialsError as cause:
        raise ComponentError(
            "there are no Google credentials here: run the step as a service account, "
            "or log in with `gcloud auth application-default login`"
        ) from cause


def parent(project: str, location: str) -> str:
    """The name under which a project's resources are.

    Raises:
        ComponentError: one of them is not given.
    """
    if missing := [
        name for name, value in (("project", project), ("location", location)) if not value
    ]:
        raise ComponentError(f"Vertex AI needs {' and '.join(missing)}")
    return f"projects/{project}/locations/{location}"


@contextlib.contextmanager
def refusals(doing: str) -> Iterator[None]:
    """Turn what Vertex AI refuses into a sentence.

    Raises:
        ComponentError: it refused something within the block.
    """
    from google.api_core import exceptions  # noqa: PLC0415 - for one backend alone

    words = (
        (exceptions.NotFound, "does not have"),
        (exceptions.Forbidden, "forbids"),
        (exceptions.TooManyRequests, "has no quota left for"),
        (exceptions.BadRequest, "does not take"),
    )
    try:
        yield
    except exceptions.GoogleAPICallError as error:
        word = next((word for kind, word in words if isinstance(error, kind)), "failed at")
        raise ComponentError(f"Vertex AI {word} {doing}: {error.message}") from error
    except (exceptions.RetryError, TimeoutError) as error:
        raise ComponentError(f"Vertex AI did not answer in time for {doing}: {error}") from error
