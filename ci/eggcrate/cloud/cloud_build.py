"""Cloud Build through Google's own client (the extra ``cloud``): builds made, listed, cancelled.

``CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDBUILD`` names another endpoint, as for gcloud; over plain
HTTP, which only this machine may be, nobody logs in. Attempts are made once here: whoever
follows builds knows better than the client what to do about a failure.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from eggcrate.cloud.clients import load, opened
from eggcrate.errors import CloudBuildError
from eggcrate.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from eggcrate.retries import Retries

NAME = "Cloud Build"
ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDBUILD"
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_PAGE = 100
_PATIENCE = 60.0
_GOOGLES = frozenset({"LOGGING_FAILURE", "FETCH_SOURCE_FAILED"})
"""Kinds of failure that are none of the build's steps'."""

_Result = TypeVar("_Result")


class Status(enum.Enum):
    """Of a build, in the service's words."""

    STATUS_UNKNOWN = "STATUS_UNKNOWN"
    PENDING = "PENDING"
    QUEUED = "QUEUED"
    WORKING = "WORKING"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    """It waited in the queue for too long."""

    @property
    def live(self) -> bool:
        """Whether it may go on."""
        return self in {Status.STATUS_UNKNOWN, Status.PENDING, Status.QUEUED, Status.WORKING}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A build as the service told it."""

    id: str
    status: Status
    tags: tuple[str, ...] = ()
    detail: str = ""
    """What the service says of it."""
    failure: str = ""
    """Kind of failure, in the service's words."""
    log: str = ""
    """Address of its log for people."""

    @property
    def googles(self) -> bool:
        """Whether it failed for what another attempt may not meet, and no step of it did."""
        failed = self.status is Status.FAILURE and self.failure in _GOOGLES
        return failed or self.status in {Status.INTERNAL_ERROR, Status.EXPIRED}


@dataclass(frozen=True, kw_only=True)
class Region:
    """Where builds run."""

    project: str
    location: str

    @property
    def resource(self) -> str:
        """Its name in the API."""
        return f"projects/{self.project}/locations/{self.location}"

    def build(self, build_id: str) -> str:
        """The name of a build in it."""
        return f"{self.resource}/builds/{build_id}"


class QuotaError(TransientError):
    """The service has enough for now: nothing was made."""


class NoSuchBuildError(CloudBuildError):
    """The service does not know the build."""


class CloudBuild:
    """A connection to the API; a context manager. Its methods may be called from any thread.

    Each raises :class:`TransientError` for what another attempt may not meet.

    Args:
        environ: where the endpoint is looked up.

    Raises:
        ConfigError: the extra ``cloud`` is not installed, or there is no log-in.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._api, self._errors, auth, formats, requests = load(
            NAME,
            "google.cloud.devtools.cloudbuild_v1",
            "google.api_core.exceptions",
            "google.auth.exceptions",
            "google.protobuf.json_format",
            "requests",
        )
        self._broken = (auth.TransportError, requests.RequestException, formats.ParseError)
        endpoint = environ.get(ENDPOINT, "").rstrip("/")
        self._client = opened(self._api.CloudBuildClient, NAME, endpoint, _SCOPES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.transport.close()

    def create(self, region: Region, build: Mapping[str, Any]) -> Seen:
        """Start a build.

        Args:
            region: where.
            build: as the API's JSON writes it.

        Raises:
            QuotaError: not now; nothing was started.
            CloudBuildError: such a build is not taken, or nobody may start it.
        """
        wanted = self._api.Build.from_json(json.dumps(build))
        with self._told("start a build", region):
            request = {"parent": region.resource, "build": wanted}
            operation = self._client.create_build(request=request, retry=None, timeout=_PATIENCE)
            return _seen(operation.metadata.build)

    def list(self, region: Region, tag: str) -> dict[str, Seen]:
        """Every build with a tag, by id."""
        with self._told("list builds", region):
            request = {"parent": region.resource, "filter": f'tags="{tag}"', "page_size": _PAGE}
            builds = self._client.list_builds(request=request, retry=None, timeout=_PATIENCE)
            found = [_seen(build) for build in builds]
        return {one.id: one for one in reversed(found) if tag in one.tags}

    def get(self, region: Region, build_id: str) -> Seen:
        """One build.

        Raises:
            NoSuchBuildError: there is none.
        """
        return _seen(self._get(region, build_id))

    def read(self, region: Region, build_id: str) -> dict[str, Any]:
        """All of one build, as the API's JSON writes it; what it does not say is not in it.

        Raises:
            NoSuchBuildError: there is none.
        """
        text = self._api.Build.to_json(
            self._get(region, build_id),
            use_integers_for_enums=False,
            always_print_fields_with_no_presence=False,
        )
        found: dict[str, Any] = json.loads(text)
        return found

    def cancel(self, region: Region, build_id: str) -> None:
        """Have a build end; one that has ended already, or is not there, is left alone."""
        with contextlib.suppress(NoSuchBuildError), self._told("cancel a build", region):
            request = {"name": region.build(build_id)}
            with contextlib.suppress(self._errors.BadRequest):  # it has ended
                self._client.cancel_build(request=request, retry=None, timeout=_PATIENCE)

    def _get(self, region: Region, build_id: str) -> Any:
        with self._told(f"tell of build {build_id}", region):
            request = {"name": region.build(build_id)}
            return self._client.get_build(request=request, retry=None, timeout=_PATIENCE)

    @contextlib.contextmanager
    def _told(self, what: str, region: Region) -> Iterator[None]:
        problem = f"Cloud Build does not {what} in {region.resource}"
        try:
            yield
        except self._errors.NotFound as error:
            raise NoSuchBuildError(problem, why=_message(error)) from error
        except (self._errors.TooManyRequests, self._errors.ResourceExhausted) as error:
            raise QuotaError(_message(error)) from error
        except (self._errors.ServerError, self._errors.RetryError, *self._broken) as error:
            raise TransientError(_message(error)) from error
        except self._errors.GoogleAPIError as error:
            denied = isinstance(error, self._errors.Forbidden)
            raise CloudBuildError(
                problem,
                why=_message(error),
                hint="the account of the build needs roles/cloudbuild.builds.editor, and "
                "roles/iam.serviceAccountUser on itself"
                if denied
                else "",
            ) from error


def patiently(ask: Callable[[], _Result], retries: Retries) -> _Result:
    """Ask until there is an answer.

    Raises:
        CloudBuildError: there is none.
    """
    for attempt in range(retries.attempts):
        try:
            return ask()
        except TransientError as error:
            reason = error.reason
            retries.sleep(retries.delay(attempt, None))
    raise CloudBuildError("Cloud Build does not answer", why=reason)


def _seen(build: Any) -> Seen:
    failure = build.failure_info
    return Seen(
        id=str(build.id),
        status=Status(getattr(build.status, "name", "STATUS_UNKNOWN")),
        tags=tuple(build.tags),
        detail=str(failure.detail or build.status_detail),
        failure=failure.type_.name if failure.type_ else "",
        log=str(build.log_url),
    )


def _message(error: Exception) -> str:
    return str(getattr(error, "message", "") or error) or type(error).__name__
