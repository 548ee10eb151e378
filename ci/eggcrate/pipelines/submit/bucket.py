"""Buckets: whether artifacts can be written there, and compiled pipelines put there."""

from __future__ import annotations

import contextlib
import enum
import hashlib
import importlib
import re
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.errors import SubmitError, UsageError
from eggcrate.pipelines.submit.clients import credentials, quiet, require, told
from eggcrate.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from eggcrate.pipelines.submit.options import VertexOptions

_ADDRESS = re.compile(r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/(?P<path>.*))?")
_SECONDS = 60
_HINTS = {
    403: "you need roles/storage.objectUser on the bucket",
    404: "create it first, in the location of your runs: gcloud storage buckets create",
    412: "someone else wrote the file at the same time; look at it, and upload again",
}


class Outcome(enum.Enum):
    """Of an upload."""

    UPLOADED = "uploaded"
    REPLACED = "replaced"
    UP_TO_DATE = "up-to-date"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A compiled pipeline where others find it."""

    pipeline: str
    to: str
    """Address of the file, the version or the tag."""
    outcome: Outcome
    version: str = ""
    """A bucket's generation, a registry's ``sha256:…``."""
    tags: tuple[str, ...] = ()


def object_address(to: str, pipeline: str) -> str:
    """Where a pipeline goes: ``to``, or below it when that ends with a slash or is a bucket.

    Raises:
        UsageError: it is no address in a bucket.
    """
    found = _ADDRESS.fullmatch(to)
    if not found:
        raise UsageError(f"{to!r} is not an address in a bucket", hint="write gs://BUCKET/PATH")
    path = found["path"] or ""
    if not path or path.endswith("/"):
        path = f"{path}{pipeline}.yaml"
    return f"gs://{found['bucket']}/{path}"


def upload(text: str, address: str, pipeline: str) -> Upload:
    """Write a compiled pipeline into a bucket; the same bytes are not written twice.

    Raises:
        SubmitError: it is refused, or there is no such bucket.
    """
    name, _, path = address.removeprefix("gs://").partition("/")
    content = text.encode()
    try:
        with told(f"uploading to {address}", hints=_HINTS):
            with contextlib.closing(_client("")) as client:
                blob = client.bucket(name).blob(path)
                outcome = _write(blob, content)
            generation = str(blob.generation or "")
    except TransientError as error:
        raise SubmitError(f"{address} was not written", why=error.reason) from error
    return Upload(pipeline=pipeline, to=address, outcome=outcome, version=generation)


def download(address: str, names: Collection[str]) -> dict[str, bytes]:
    """The objects of these names below an address, whole.

    Args:
        address: ``gs://BUCKET/PATH`` of a run.
        names: the last part of each object's.

    Raises:
        SubmitError: there is none, or they may not be read.
    """
    bucket, _, path = address.removeprefix("gs://").partition("/")
    prefix = f"{path.rstrip('/')}/" if path else ""
    try:
        with (
            told(f"reading {address}", hints=_HINTS),
            contextlib.closing(_client("")) as client,
        ):
            found = {
                f"gs://{bucket}/{blob.name}": bytes(blob.download_as_bytes(timeout=_SECONDS))
                for blob in client.list_blobs(bucket, prefix=prefix, timeout=_SECONDS)
                if blob.name.rpartition("/")[2] in names
            }
    except TransientError as error:
        raise SubmitError(f"{address} was not read", why=error.reason) from error
    if not found:
        raise SubmitError(
            f"there is no {' or '.join(names)} below {address}",
            hint="name the folder of the run, below its pipeline-root",
        )
    return found


def _write(blob: Any, content: bytes) -> Outcome:
    """Write an object unless it is the same; whoever wrote it meanwhile is not overwritten."""
    there = blob.exists(timeout=_SECONDS)
    if there:
        blob.reload(timeout=_SECONDS)
        if blob.md5_hash == _md5(content):
            return Outcome.UP_TO_DATE
    blob.upload_from_string(
        content,
        content_type="application/yaml",
        timeout=_SECONDS,
        if_generation_match=blob.generation if there else 0,
    )
    return Outcome.REPLACED if there else Outcome.UPLOADED


def check_bucket(root: str, options: VertexOptions, warn: Callable[[str], None]) -> None:
    """See that the bucket of a pipeline root is there: the client would make one, silently.

    Raises:
        SubmitError: there is none.
    """
    name = root.removeprefix("gs://").partition("/")[0]
    try:
        with (
            told(f"looking at bucket {name}"),
            contextlib.closing(_client(options.project)) as client,
        ):
            there = _exists(client, name)
    except TransientError as error:
        raise SubmitError(f"bucket {name} cannot be looked at", why=error.reason) from error
    if there is None:
        warn(f"whether bucket {name} is there cannot be seen: you lack storage.buckets.get")
    elif not there:
        raise SubmitError(
            f"there is no bucket {name}, and pipeline-root is {root}",
            hint=f"gcloud storage buckets create gs://{name} --project {options.project} "
            f"--location {options.location}",
        )


def _exists(client: Any, name: str) -> bool | None:
    """Nothing when it may not be known."""
    from google.api_core.exceptions import Forbidden  # noqa: PLC0415 - slow

    try:
        return bool(client.bucket(name).exists(timeout=_SECONDS))
    except Forbidden:
        return None


def _client(project: str) -> Any:
    require("google.cloud.storage", "a bucket")
    with quiet():
        storage = importlib.import_module("google.cloud.storage")
        # A bucket's address is enough: its project is not asked for.
        return storage.Client(project=project or "-", credentials=credentials())


def _md5(content: bytes) -> str:
    """As the bucket tells it: it guards against no one."""
    return b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
