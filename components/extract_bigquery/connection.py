"""BigQuery's official clients, and what their refusals mean in words."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import grpc
from google.api_core import exceptions
from google.auth import credentials as auth
from google.auth import exceptions as auth_exceptions
from google.cloud import bigquery, bigquery_storage
from google.cloud.bigquery.retry import DEFAULT_RETRY
from google.cloud.bigquery_storage_v1.services.big_query_read import transports

from components.shared.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.api_core.retry import Retry

EMULATOR = "BIGQUERY_EMULATOR_HOST"
"""The official client's variable: another server, asked without credentials."""
STORAGE_EMULATOR = "BIGQUERY_STORAGE_EMULATOR_HOST"
"""``host:port`` of that server's Storage Read API; without it, rows come over REST there."""


def connect(
    project: str, location: str, *, storage_api: bool
) -> tuple[bigquery.Client, bigquery_storage.BigQueryReadClient | None]:
    """Give clients for queries and, if asked for, for reading rows.

    Raises:
        DataError: there are no credentials, or no project.
    """
    emulated = os.environ.get(EMULATOR)
    credentials = auth.AnonymousCredentials() if emulated else None
    try:
        client = bigquery.Client(
            project=project or None, location=location or None, credentials=credentials
        )
        if not storage_api:
            return client, None
        if not emulated:
            return client, bigquery_storage.BigQueryReadClient()
    except auth_exceptions.DefaultCredentialsError as cause:
        raise DataError(
            "there are no Google credentials here: run the step as a service account, "
            "or log in with `gcloud auth application-default login`"
        ) from cause
    except OSError as cause:  # what the client says when it finds no project
        raise DataError(f"no project to bill the query to: give `project` ({cause})") from cause
    if not (host := os.environ.get(STORAGE_EMULATOR)):
        return client, None
    channel = grpc.insecure_channel(host)
    transport = transports.BigQueryReadGrpcTransport(channel=channel, credentials=credentials)
    return client, bigquery_storage.BigQueryReadClient(transport=transport)


def retrying(seconds: float) -> Retry:
    """How long, with growing pauses, to go on asking a server that is busy or not there."""
    return DEFAULT_RETRY.with_timeout(seconds)


@contextlib.contextmanager
def refusals(source: str) -> Iterator[None]:
    """Turn what BigQuery refuses into a sentence.

    Raises:
        DataError: it refused something within the block.
    """
    try:
        yield
    except exceptions.NotFound as error:
        raise DataError(f"BigQuery does not have {source}: {_message(error)}") from error
    except exceptions.BadRequest as error:
        raise DataError(f"BigQuery does not understand {source}: {_message(error)}") from error
    except exceptions.Forbidden as error:
        raise DataError(f"BigQuery forbids {source}: {_message(error)}") from error
    except exceptions.RetryError as error:
        raise DataError(
            f"BigQuery did not answer for {source}, however often it was asked: {error.cause}"
        ) from error
    except exceptions.GoogleAPICallError as error:
        raise DataError(f"BigQuery failed at {source}: {_message(error)}") from error


def _message(error: exceptions.GoogleAPICallError) -> str:
    details = [each.get("message", "") for each in error.errors if isinstance(each, dict)]
    return next(filter(None, details), error.message)
